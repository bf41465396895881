//! Models to measure, and images for them.

use crate::checkpoints::Checkpoint;
use crate::failure::Failure;
use crate::network::{self, Settings};
use clap::ValueEnum;
use shufflenet::image::{PixelFormat, Pixels};
use shufflenet::model::{Architecture, LayerWeights, Model};
use shufflenet::{Input, Network};
use std::path::PathBuf;

/// Which models to measure.
#[derive(clap::Args)]
pub struct Selection {
    /// One of the paper's widths
    #[arg(long, value_name = "V", conflicts_with = "weights")]
    variant: Option<Checkpoint>,
    /// Measure this model instead: safetensors, a PyTorch checkpoint, or the name of a downloaded one
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
}

/// A model to measure.
pub struct Subject {
    pub name: String,
    pub network: Network,
}

impl Selection {
    /// The models, and where none is selected those of the given widths.
    pub fn load(&self, defaults: &[Checkpoint]) -> Result<Vec<Subject>, Failure> {
        if let Some(weights) = &self.weights {
            let network = network::load(Some(weights), &self.settings)?;
            let name = weights.to_string_lossy().into_owned();
            return Ok(vec![Subject { name, network }]);
        }
        if !self.settings.is_empty() {
            return Err("--set is about a file of weights, expected --weights".to_owned().into());
        }
        let cpu = network::cpu()?;
        let variants = self.variant.as_ref().map_or(defaults, std::slice::from_ref);
        let subject = |variant: &Checkpoint| {
            let architecture = variant.architecture();
            let network = Network::for_cpu(meaningless(architecture)?, cpu);
            Ok(Subject { name: architecture.name().to_owned(), network })
        };
        variants.iter().map(subject).collect()
    }
}

/// A model whose activations stay in the range of a trained one's.
fn meaningless(architecture: Architecture) -> Result<Model, Failure> {
    let layers = architecture.layers().into_iter().map(|layer| {
        let shape = layer.weight_shape();
        let bound = (6.0 / shape[1..].iter().product::<usize>() as f32).sqrt();
        let value = |i: usize| (i.wrapping_mul(2_654_435_761) >> 8 & 0xffff) as f32 / 32768.0 - 1.0;
        let weight = (0..shape.iter().product()).map(|i| bound * value(i)).collect();
        LayerWeights { weight, bias: vec![0.0; layer.outputs] }
    });
    let preprocessing = architecture.default_preprocessing();
    Ok(Model::new(architecture, layers.collect(), preprocessing)?)
}

/// In what form an image is passed.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum Form {
    /// 8-bit red, green and blue
    Rgb,
    /// Normalised floats, colours side by side
    Nhwc,
    /// Normalised floats, a plane for each colour
    Nchw,
}

/// An image to measure with.
pub struct Picture {
    form: Form,
    size: (usize, usize),
    bytes: Vec<u8>,
    floats: Vec<f32>,
}

impl Picture {
    pub fn new(form: Form, size: (usize, usize)) -> Picture {
        // Grey, but not everywhere: all values are normal numbers.
        let values = 0..3 * size.0 * size.1;
        let (mut bytes, mut floats) = (Vec::new(), Vec::new());
        match form {
            Form::Rgb => bytes = values.map(|i| (i % 251) as u8).collect(),
            _ => floats = values.map(|i| (i % 17) as f32 / 8.0 - 1.0).collect(),
        }
        Picture { form, size, bytes, floats }
    }

    pub fn input(&self) -> Result<Input<'_>, shufflenet::Error> {
        let (height, width) = self.size;
        Ok(match self.form {
            Form::Rgb => {
                let format = PixelFormat::Rgb;
                Input::Pixels(Pixels::new(&self.bytes, width, height, 3 * width, format)?)
            }
            Form::Nhwc => Input::Nhwc(&self.floats),
            Form::Nchw => Input::Nchw(&self.floats),
        })
    }
}
