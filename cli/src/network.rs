//! A network from what the user passed.

use crate::checkpoints;
use crate::failure::Failure;
use shufflenet::cpu::{Cpu, MASK_VARIABLE};
use shufflenet::{Network, weights};
use std::path::Path;

/// This CPU, as far as `SHUFFLENET_CPU` lets it be used.
pub fn cpu() -> Result<Cpu, Failure> {
    Cpu::from_env().map_err(|error| Failure::Error(format!("{MASK_VARIABLE}: {error}")))
}

/// Reads a file of weights, or the downloaded checkpoint of that name, and makes it ready for this CPU.
pub fn load(path: &Path) -> Result<Network, Failure> {
    let cpu = cpu()?;
    Ok(Network::for_cpu(weights::load(checkpoints::file(path)?)?, cpu))
}
