//! The checkpoints that torchvision has published, and the folder that keeps them.

use crate::failure::Failure;
use clap::ValueEnum;
use etcetera::base_strategy::{BaseStrategy, choose_native_strategy};
use shufflenet::model::Architecture;
use std::borrow::Cow;
use std::env;
use std::fmt;
use std::path::{Path, PathBuf};

/// Where torchvision publishes them.
pub const SITE: &str = "https://download.pytorch.org/models";

/// The environment variable that names another folder to keep them in.
pub const CACHE_VARIABLE: &str = "SHUFFLENET_CACHE";

/// Trained on ImageNet, one for each width of the network.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum Checkpoint {
    #[value(name = "x0.5")]
    X0_5,
    #[value(name = "x1.0")]
    X1_0,
    #[value(name = "x1.5")]
    X1_5,
    #[value(name = "x2.0")]
    X2_0,
}

impl Checkpoint {
    /// The network's shape.
    pub fn architecture(self) -> Architecture {
        match self {
            Checkpoint::X0_5 => Architecture::X0_5,
            Checkpoint::X1_0 => Architecture::X1_0,
            Checkpoint::X1_5 => Architecture::X1_5,
            Checkpoint::X2_0 => Architecture::X2_0,
        }
    }

    pub fn file_name(self) -> &'static str {
        match self {
            Checkpoint::X0_5 => "shufflenetv2_x0.5-f707e7126e.pth",
            Checkpoint::X1_0 => "shufflenetv2_x1-5666bf0f80.pth",
            Checkpoint::X1_5 => "shufflenetv2_x1_5-3c479a10.pth",
            Checkpoint::X2_0 => "shufflenetv2_x2_0-8be3c8ee.pth",
        }
    }

    /// The first hexadecimal digits of the file's SHA-256, which are part of its name.
    pub fn sha256(self) -> &'static str {
        let name = self.file_name().trim_end_matches(".pth");
        name.rsplit_once('-').map_or(name, |(_, digits)| digits)
    }

    /// Where the file is, or is to be.
    pub fn path(self) -> Result<PathBuf, Failure> {
        Ok(folder()?.join(self.file_name()))
    }

    /// Where the same is as safetensors, with its classes' names. Earlier versions did not write it.
    pub fn described_path(self) -> Result<PathBuf, Failure> {
        Ok(self.path()?.with_extension("safetensors"))
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_possible_value() {
            Some(value) => f.write_str(value.get_name()),
            None => Ok(()),
        }
    }
}

/// The file of weights that a user means: a checkpoint by its name, or else a path.
pub fn file(weights: &Path) -> Result<Cow<'_, Path>, Failure> {
    let name = weights.to_str().unwrap_or_default();
    let Ok(checkpoint) = Checkpoint::from_str(name, false) else { return Ok(weights.into()) };
    let paths = [checkpoint.described_path()?, checkpoint.path()?];
    let path = paths.into_iter().find(|path| path.is_file()).ok_or_else(|| {
        Failure::Error(format!(
            "{checkpoint} is not downloaded yet: run `shufflenet download {checkpoint}`"
        ))
    })?;
    Ok(path.into())
}

fn folder() -> Result<PathBuf, Failure> {
    if let Some(folder) = env::var_os(CACHE_VARIABLE).filter(|folder| !folder.is_empty()) {
        return Ok(folder.into());
    }
    let user = choose_native_strategy().map_err(|error| {
        Failure::Error(format!("no folder for downloads: {error}; {CACHE_VARIABLE} can name one"))
    })?;
    Ok(user.cache_dir().join("shufflenet"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_torchvisions() {
        let checkpoints = Checkpoint::value_variants().iter();
        let names: Vec<_> = checkpoints.map(|it| (it.to_string(), it.sha256())).collect();
        let expected = [
            ("x0.5", "f707e7126e"),
            ("x1.0", "5666bf0f80"),
            ("x1.5", "3c479a10"),
            ("x2.0", "8be3c8ee"),
        ];
        assert_eq!(names, expected.map(|(name, sha256)| (name.to_owned(), sha256)));
    }
}
