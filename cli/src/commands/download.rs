//! `shufflenet download`: a published checkpoint into the user's cache.

use super::print;
use crate::checkpoints::{self, Checkpoint};
use crate::failure::{self, Failure};
use crate::transfer::{Client, Fetched, Limits, Source, fetch};
use crate::{files, labels};
use indicatif::{ProgressBar, ProgressStyle};
use shufflenet::weights::{self, StateDict};
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

/// Download a model that was trained on ImageNet, and print where it is
#[derive(clap::Args)]
#[command(
    after_help = "The models are torchvision's, of 5 to 30 MB. Other commands take their names in \
place of a file; for a file of such a name, write ./x1.0.

A model is kept twice: as torchvision's checkpoint, and as safetensors with ImageNet's names of the classes, which \
is what other commands read and whose place is printed. Both are in the folder that the environment variable SHUFFLENET_CACHE names, or else in \
`shufflenet` in the user's cache folder. What an interrupted download has brought stays there, and \
the next one goes on from it.

A proxy is taken from ALL_PROXY, HTTPS_PROXY or HTTP_PROXY, and not used for the hosts in NO_PROXY. \
Servers are trusted that the system trusts; SSL_CERT_FILE (a PEM file) or SSL_CERT_DIR name other \
authorities, such as that of a company's proxy."
)]
pub struct Arguments {
    /// The network's width
    #[arg(value_name = "NAME")]
    checkpoint: Checkpoint,
    /// Where to get it: a folder with torchvision's files, under their names
    #[arg(long, value_name = "URL", default_value = checkpoints::SITE, value_parser = mirror)]
    mirror: String,
}

fn mirror(url: &str) -> Result<String, String> {
    match url.starts_with("https://") || url.starts_with("http://") {
        true => Ok(url.trim_end_matches('/').to_owned()),
        false => Err("expected https:// or http://".to_owned()),
    }
}

/// The largest checkpoint has 30 MB.
const LIMITS: Limits = Limits {
    size: 64 << 20,
    silence: Duration::from_secs(30),
    request: Duration::from_secs(10 * 60),
    resumes: 4,
    pause: Duration::from_secs(1),
};

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let checkpoint = arguments.checkpoint;
    let path = checkpoint.path()?;
    let url = format!("{}/{}", arguments.mirror, checkpoint.file_name());
    let source = Source { url: &url, sha256: checkpoint.sha256() };
    let progress = progress_bar();
    let fetched = fetch(&Client::new(LIMITS)?, &source, &path, &progress);
    progress.finish_and_clear();
    if fetched? == Fetched::AlreadyThere {
        let _ = writeln!(io::stderr(), "{checkpoint} is there already, with the right checksum");
    }
    // One from an earlier version has no other file beside it yet.
    let described = checkpoint.described_path()?;
    describe(&path, &described)?;
    print(&format!("{}\n", described.display()))
}

/// Writes the checkpoint as safetensors, with its classes' names.
fn describe(checkpoint: &Path, described: &Path) -> Result<(), Failure> {
    let bytes = weights::read_file(checkpoint)?;
    let state = StateDict::read(&bytes).and_then(|mut state| {
        labels::set_imagenet(&mut state)?;
        Ok(state)
    });
    let state = state.map_err(|error| failure::at(checkpoint, error))?;
    files::write_safetensors(&state, described).map(drop)
}

/// A bar on a terminal.
fn progress_bar() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = "{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
    let style = ProgressStyle::with_template(template);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::no_length().with_style(style)
}
