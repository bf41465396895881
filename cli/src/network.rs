//! A network from what the user passed.

use crate::checkpoints;
use crate::failure::Failure;
use shufflenet::cpu::{Cpu, MASK_VARIABLE};
use shufflenet::{Network, weights};
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
}

impl Weights {
    pub fn load(&self) -> Result<Network, Failure> {
        load(self.weights.as_deref())
    }

    pub fn are_embedded(&self) -> bool {
        self.weights.is_none()
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
