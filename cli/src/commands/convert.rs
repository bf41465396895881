//! `shufflenet convert`: any file of weights to safetensors.

use super::print;
use crate::checkpoints;
use crate::failure::{self, Failure};
use crate::network::Settings;
use crate::text::{grouped, printable};
use shufflenet::Error;
use shufflenet::weights::{self, StateDict};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Write a model as safetensors, with torchvision's tensor names
#[derive(clap::Args)]
#[command(
    after_help = "Types, values and metadata stay as they are. What only training needs is left out: counters \
of batch norms, and in a training checkpoint all but the weights. What --set says is written into the metadata, \
so that the file gives the same answers without it. OUT appears when it is complete; until \
then a file of that name stays as it was."
)]
pub struct Arguments {
    /// A PyTorch checkpoint (.pth) or safetensors, or the name of a downloaded model
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// The safetensors file to write
    #[arg(value_name = "OUT")]
    output: PathBuf,
    #[command(flatten)]
    settings: Settings,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (input, output) = (&*checkpoints::file(&arguments.input)?, &arguments.output);
    let ending = output.extension().unwrap_or_default();
    if ["pth", "pt"].iter().any(|other| ending.eq_ignore_ascii_case(other)) {
        let message = "safetensors is written, expected another ending than .pth and .pt";
        return Err(failure::at(output, message));
    }
    let bytes = weights::read_file(input)?;
    let settings = &arguments.settings;
    let wrong =
        |error| settings.explain(Error::File { path: input.into(), source: Box::new(error) });
    let mut state = StateDict::read(&bytes).map_err(wrong)?;
    settings.apply(&mut state);
    // What no network can be made of is refused before anything is written.
    let architecture = *state.to_model().map_err(wrong)?.architecture();
    let size = replace(output, |file| {
        state.write_safetensors(file).map_err(|error| io::Error::other(error.to_string()))
    })
    .map_err(|error| failure::at(output, error))?;
    let from = state.checkpoint_key().map(|key| format!(", from `{}`", printable(key)));
    print(&format!(
        "{}: {}, {} classes, {} parameters, {} bytes{}\n",
        printable(&output.to_string_lossy()),
        architecture.name(),
        grouped(architecture.classes),
        grouped(architecture.parameters()),
        grouped(size),
        from.unwrap_or_default(),
    ))
}

/// Writes a file beside `path` that takes its place once it is complete, and returns its size.
fn replace(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<u64> {
    // The file behind a link is replaced, not the link; and a device must stay one.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(io::Error::other("not a file"));
    }
    let Some(name) = path.file_name() else { return Err(io::Error::other("not a file name")) };
    let mut temporary = name.to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(temporary);

    let file = File::create_new(&temporary)?;
    let complete = |file| {
        let mut writer = BufWriter::new(file);
        write(&mut writer)?;
        writer.flush()?;
        // On the disk before the name points to it.
        writer.get_ref().sync_all()?;
        let size = writer.get_ref().metadata()?.len();
        fs::rename(&temporary, path)?;
        Ok(size)
    };
    complete(file).inspect_err(|_| drop(fs::remove_file(&temporary)))
}
