//! `shufflenet convert`: any file of weights to safetensors.

use super::print;
use crate::checkpoints;
use crate::description::{self, Description};
use crate::failure::{self, Failure};
use crate::text::{grouped, printable};
use crate::{files, labels};
use shufflenet::weights;
use std::path::PathBuf;

/// Write a model as safetensors, with torchvision's tensor names
#[derive(clap::Args)]
#[command(
    after_help = "Types, values and metadata stay as they are; options are added to the metadata, so that OUT needs \
none. A network of torchvision's with 1000 classes and no names gets ImageNet's. What only training needs is left \
out: counters of batch norms, and in a training checkpoint all but the weights. OUT appears when it is complete; \
until then a file of that name stays as it was."
)]
pub struct Arguments {
    /// A PyTorch checkpoint (.pth) or safetensors, or the name of a downloaded model
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// The safetensors file to write
    #[arg(value_name = "OUT")]
    output: PathBuf,
    #[command(flatten)]
    description: Description,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (input, output) = (&*checkpoints::file(&arguments.input)?, &arguments.output);
    let ending = output.extension().unwrap_or_default();
    if ["pth", "pt"].iter().any(|other| ending.eq_ignore_ascii_case(other)) {
        let message = "safetensors is written, expected another ending than .pth and .pt";
        return Err(failure::at(output, message));
    }
    let bytes = weights::read_file(input)?;
    let mut state = arguments.description.read(&bytes, input)?;
    // What no network can be made of is refused before anything is written.
    let model = state.to_model().map_err(|error| arguments.description.failure(error, input))?;
    let architecture = *model.architecture();
    let named = architecture.name() != "custom"
        && labels::set_imagenet(&mut state).map_err(|error| failure::at(input, error))?;
    let size = files::write_safetensors(&state, output)?;
    description::note_border(model.preprocessing());
    let from = state.checkpoint_key().map(|key| format!(", from `{}`", printable(key)));
    print(&format!(
        "{}: {}, {} classes, {} parameters, {} bytes{}\n{}",
        printable(&output.to_string_lossy()),
        architecture.name(),
        grouped(architecture.classes),
        grouped(architecture.parameters()),
        grouped(size),
        from.unwrap_or_default(),
        if named {
            "The input names no classes: they get ImageNet's names; --labels gives others.\n"
        } else {
            ""
        },
    ))
}
