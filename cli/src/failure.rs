//! Why a command ends early.

use crate::text::printable;
use std::io::{self, Write};

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

/// Writes an error's one line to standard error. If that is closed, nobody wants to know.
pub fn report(message: &str) {
    let error = console::style("error:").for_stderr().red().bold();
    let _ = writeln!(io::stderr(), "{error} {}", printable(message));
}
