//! A file from a server: whole and checked, or not there at all.

mod client;
mod part;
#[cfg(test)]
mod tests;

pub use client::Client;

use crate::text::{grouped, printable};
use client::Fault;
use indicatif::ProgressBar;
use part::Part;
use std::path::Path;
use std::time::Duration;

/// A file that a server has.
pub struct Source<'a> {
    pub url: &'a str,
    /// The first hexadecimal digits of its SHA-256, in lower case.
    pub sha256: &'a str,
}

/// What is granted to a server.
#[derive(Clone)]
pub struct Limits {
    /// Most bytes of the file.
    pub size: u64,
    /// Longest wait for an answer, and for more of it.
    pub silence: Duration,
    /// Longest time for one request.
    pub request: Duration,
    /// Most requests that go on where the connection was cut.
    pub resumes: u32,
    /// Wait before the first of them; the second waits twice as long, and so on.
    pub pause: Duration,
}

/// What [`fetch`] found.
#[derive(Debug, PartialEq)]
pub enum Fetched {
    AlreadyThere,
    Now,
}

/// Brings the file to `path`, unless it is there. On the way it is called `<path>.part`; when the
/// connection is cut, this stays, and another call goes on from there.
///
/// # Errors
/// One line that names the URL, or the file that could not be written.
pub fn fetch(
    client: &Client,
    source: &Source<'_>,
    path: &Path,
    progress: &ProgressBar,
) -> Result<Fetched, String> {
    if part::is_whole(path, source.sha256)? {
        return Ok(Fetched::AlreadyThere);
    }
    let mut part = Part::open(path)?;
    // Whole, if an earlier run was stopped between the last byte and the new name.
    if !part.matches(source.sha256) {
        receive(client, source.url, &mut part, progress)?;
    }
    if !part.matches(source.sha256) {
        let found = part.sha256();
        part.clear()?;
        return Err(format!(
            "{}: wrong checksum, so nothing of it is kept: found SHA-256 {found}, \
expected one that begins with {}",
            source.url, source.sha256
        ));
    }
    part.finish(path)?;
    Ok(Fetched::Now)
}

/// Fills the part, in more than one request if the connection is cut.
fn receive(
    client: &Client,
    url: &str,
    part: &mut Part,
    progress: &ProgressBar,
) -> Result<(), String> {
    let Limits { resumes, pause, .. } = client.limits;
    let mut resumed = 0;
    loop {
        let message = match client.get(url, part, progress) {
            Ok(()) => return Ok(()),
            Err(Fault::Final(message)) => return Err(message),
            Err(Fault::Cut(message)) if resumed < resumes => message,
            // Without an answer at first there is no network, or no such server.
            Err(Fault::NoAnswer(message)) if 0 < resumed && resumed < resumes => message,
            Err(Fault::Cut(message) | Fault::NoAnswer(message)) => {
                return Err(match part.size() {
                    0 => message,
                    size => format!("{message}; {} bytes are kept for a new try", grouped(size)),
                });
            }
        };
        resumed += 1;
        progress.println(printable(&format!("{message}; resuming")));
        std::thread::sleep(pause * resumed);
    }
}
