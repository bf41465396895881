//! Why a command ends early.

use crate::text::printable;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;

pub enum Failure {
    /// One line for standard error.
    Error(String),
    /// Something failed that has been reported already; the rest was done.
    Reported,
    /// Whoever read standard output has gone, and with them the reason to go on.
    ClosedPipe,
}

impl From<String> for Failure {
    fn from(message: String) -> Failure {
        Failure::Error(message)
    }
}

impl From<shufflenet::Error> for Failure {
    fn from(error: shufflenet::Error) -> Failure {
        Failure::Error(error.to_string())
    }
}

impl Failure {
    /// When standard output could not be written.
    pub fn output(error: impl Into<io::Error>) -> Failure {
        let error = error.into();
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::ClosedPipe,
            _ => Failure::Error(format!("standard output: {error}")),
        }
    }
}

/// What is wrong with a file.
pub fn at(path: &Path, error: impl Display) -> Failure {
    Failure::Error(format!("{}: {error}", path.display()))
}

/// Writes an error's one line to standard error. If that is closed, nobody wants to know.
pub fn report(message: &str) {
    let error = console::style("error:").for_stderr().red().bold();
    let _ = writeln!(io::stderr(), "{error} {}", printable(message));
}

/// Writes a line about what was decided for the user to standard error.
pub fn note(message: &str) {
    let note = console::style("note:").for_stderr().bold();
    let _ = writeln!(io::stderr(), "{note} {}", printable(message));
}
