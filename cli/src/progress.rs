//! How far the work is.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal};

/// A bar on a terminal, unless one picture is all there is or lines of JSON pass by there.
pub fn bar(pictures: usize, json: bool) -> ProgressBar {
    let quiet = json && io::stdout().is_terminal();
    if pictures < 2 || quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {pos} of {len} pictures, {eta} left");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(pictures as u64).with_style(style)
}
