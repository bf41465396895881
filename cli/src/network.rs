//! A network from what the user passed.

use crate::checkpoints;
use crate::failure::Failure;
use shufflenet::cpu::{Cpu, MASK_VARIABLE};
use shufflenet::weights::{self, StateDict};
use shufflenet::{Error, Network};
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
    settings: Settings,
}

impl Weights {
    pub fn load(&self) -> Result<Network, Failure> {
        load(self.weights.as_deref(), &self.settings)
    }

    pub fn are_embedded(&self) -> bool {
        self.weights.is_none()
    }
}

/// What the user says of a model's training.
#[derive(clap::Args)]
pub struct Settings {
    /// Say how the model was trained, which no tensor tells. KEY is `epsilon`: what batch norm adds to
    /// the variance [default: what the file says, or PyTorch's 1e-5]; or `stem_stride`: 2, while 1, as for
    /// CIFAR, is not supported yet. Wrong ones give other answers. May be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    set: Vec<(&'static str, String)>,
}

/// Each is `shufflenet.KEY` in a file's metadata.
const KEYS: [&str; 2] = ["epsilon", "stem_stride"];

fn setting(text: &str) -> Result<(&'static str, String), String> {
    let (key, value) = text.split_once('=').unwrap_or_default();
    let key = KEYS.into_iter().find(|known| *known == key);
    let key = key.ok_or_else(|| format!("expected {}=VALUE", KEYS.join("=VALUE or ")))?;
    Ok((key, value.to_owned()))
}

impl Settings {
    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    /// Puts them into the file's metadata, the last of a key.
    pub fn apply(&self, state: &mut StateDict<'_>) {
        for (key, value) in &self.set {
            state.metadata_mut().insert(format!("shufflenet.{key}"), value.clone());
        }
    }

    /// Says where a wrong text comes from, if not from the file.
    pub fn explain(&self, error: Error) -> Failure {
        let inner = match &error {
            Error::File { source, .. } => source,
            other => other,
        };
        if let Error::Metadata { key, found, expected } = inner {
            let key = key.trim_start_matches("shufflenet.");
            if self.set.iter().any(|(set, _)| *set == key) {
                return Failure::Error(format!("--set {key} is {found}, expected {expected}"));
            }
        }
        error.into()
    }
}

/// Does something with a file's state dict, or that of the downloaded checkpoint of that name, or else
/// the embedded one.
pub fn read<T>(
    path: Option<&Path>,
    settings: &Settings,
    use_it: impl FnOnce(&StateDict<'_>) -> Result<T, Error>,
) -> Result<T, Failure> {
    let use_it = |state: &mut StateDict<'_>| {
        settings.apply(state);
        use_it(state)
    };
    let result = match path {
        Some(path) => weights::read_with(checkpoints::file(path)?, use_it),
        None => StateDict::read(EMBEDDED).and_then(|mut state| use_it(&mut state)),
    };
    result.map_err(|error| settings.explain(error))
}

/// The model of such a state dict, made ready for this CPU.
pub fn load(path: Option<&Path>, settings: &Settings) -> Result<Network, Failure> {
    let cpu = cpu()?;
    Ok(Network::for_cpu(read(path, settings, |state| state.to_model())?, cpu))
}
