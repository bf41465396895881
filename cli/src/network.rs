//! A network from what the user passed.

use crate::checkpoints;
use crate::description::{self, Description};
use crate::failure::Failure;
use shufflenet::cpu::{Cpu, MASK_VARIABLE};
use shufflenet::{Network, weights};
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// The model that the program carries: Fashion-MNIST, made by `training/`.
const EMBEDDED: &[u8] = include_bytes!("../models/fashion-mnist-x0_5.safetensors");

/// This CPU, as far as `SHUFFLENET_CPU` lets it be used.
pub fn cpu() -> Result<Cpu, Failure> {
    Cpu::from_env().map_err(|error| Failure::Error(format!("{MASK_VARIABLE}: {error}")))
}

/// The model that a command works with.
#[derive(clap::Args)]
pub struct Weights {
    /// The model: safetensors, a PyTorch checkpoint, or the name of a downloaded one [default: the
    /// embedded one, for clothing]
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    #[command(flatten)]
    description: Description,
}

impl Weights {
    pub fn load(&self) -> Result<Network, Failure> {
        let network = match self.description.is_empty() {
            true => load(self.weights.as_deref())?,
            false => self.load_described()?,
        };
        description::note_border(network.preprocessing());
        Ok(network)
    }

    fn load_described(&self) -> Result<Network, Failure> {
        let cpu = cpu()?;
        let (file, bytes) = match &self.weights {
            Some(path) => {
                let file = checkpoints::file(path)?;
                let bytes = weights::read_file(&file)?;
                (file, Cow::from(bytes))
            }
            None => (Path::new("embedded model").into(), EMBEDDED.into()),
        };
        let state = self.description.read(&bytes, &file)?;
        let model = state.to_model().map_err(|error| self.description.failure(error, &file))?;
        Ok(Network::for_cpu(model, cpu))
    }
}

/// Reads a file of weights, or the downloaded checkpoint of that name, or else the embedded ones, and
/// makes them ready for this CPU.
pub fn load(path: Option<&Path>) -> Result<Network, Failure> {
    let cpu = cpu()?;
    let model = match path {
        Some(path) => weights::load(checkpoints::file(path)?)?,
        None => weights::from_bytes(EMBEDDED)?,
    };
    Ok(Network::for_cpu(model, cpu))
}
