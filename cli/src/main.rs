//! Classifies pictures with ShuffleNet v2.

mod checkpoints;
mod classifier;
mod commands;
mod dataset;
mod description;
mod failure;
mod files;
mod in_order;
mod kernel_bench;
mod label_file;
mod labels;
mod limits;
mod network;
mod picture_files;
mod progress;
mod score;
mod size;
mod subject;
mod text;
mod timing;
mod transfer;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use commands::{bench, classify, convert, download, evaluate, info, inspect, profile};
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
    Evaluate(evaluate::Arguments),
    Info(info::Arguments),
    Inspect(inspect::Arguments),
    Convert(convert::Arguments),
    Download(download::Arguments),
    Bench(bench::Arguments),
    Profile(profile::Arguments),
}

fn is_help(error: &clap::Error) -> bool {
    let asked = !error.use_stderr();
    asked || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
}

/// What is wrong and clap's tip, if it has one, on one line; the usage is for `--help`.
fn usage_error(text: &str) -> String {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let mut paragraphs = text
        .split("\n\n")
        .map(|paragraph| paragraph.lines().map(str::trim).collect::<Vec<_>>().join(" "));
    let wrong = paragraphs.next().unwrap_or_default();
    match paragraphs.next().as_deref().and_then(|next| next.strip_prefix("tip: ")) {
        Some(tip) => format!("{wrong}; {tip}"),
        None => wrong,
    }
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if is_help(&error) => error.exit(),
        Err(error) => {
            failure::report(&usage_error(&error.to_string()));
            return ExitCode::from(2);
        }
    };
    let result = match arguments.command {
        Command::Classify(arguments) => classify::run(&arguments),
        Command::Evaluate(arguments) => evaluate::run(&arguments),
        Command::Info(arguments) => info::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Convert(arguments) => convert::run(&arguments),
        Command::Download(arguments) => download::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Profile(arguments) => profile::run(&arguments),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_errors_are_one_line() {
        let line = |arguments: &[&str]| {
            let all = ["shufflenet"].iter().chain(arguments);
            usage_error(&Arguments::try_parse_from(all).err().unwrap().to_string())
        };
        assert_eq!(
            line(&["classify"]),
            "the following required arguments were not provided: <IMAGE>..."
        );
        assert_eq!(
            line(&["inpsect"]),
            "unrecognized subcommand 'inpsect'; a similar subcommand exists: 'inspect'"
        );
    }
}
