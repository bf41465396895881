//! Classifies pictures with ShuffleNet v2.

mod classifier;
mod commands;
mod decode;
mod failure;
mod in_order;
mod labels;
mod network;
mod picture_files;
mod text;

use clap::{Parser, Subcommand};
use commands::{classify, convert, info, inspect};
use failure::Failure;
use std::process::ExitCode;

/// Classify pictures with ShuffleNet v2 on the CPU.
#[derive(Parser)]
#[command(name = "shufflenet", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Classify(classify::Arguments),
    Info(info::Arguments),
    Inspect(inspect::Arguments),
    Convert(convert::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Classify(arguments) => classify::run(&arguments),
        Command::Info(arguments) => info::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Convert(arguments) => convert::run(&arguments),
    };
    match result {
        Ok(()) | Err(Failure::ClosedPipe) => ExitCode::SUCCESS,
        Err(Failure::Reported) => ExitCode::FAILURE,
        Err(Failure::Error(message)) => {
            failure::report(&message);
            ExitCode::FAILURE
        }
    }
}
