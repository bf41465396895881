//! One module per command: its arguments, and what it does.

pub mod bench;
pub mod classify;
pub mod convert;
pub mod download;
pub mod evaluate;
pub mod info;
pub mod inspect;
pub mod profile;

use crate::failure::Failure;
use serde::Serialize;
use std::io::{self, Write};

/// Writes text to standard output. Whole lines go out at once.
pub fn print(text: &str) -> Result<(), Failure> {
    io::stdout().write_all(text.as_bytes()).map_err(Failure::output)
}

/// Writes one line of JSON to standard output.
pub fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let line = serde_json::to_string(value).map_err(Failure::output)?;
    print(&(line + "\n"))
}
