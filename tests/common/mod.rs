//! What several tests share: networks made by a formula, and the same networks in float64.

#![allow(dead_code)] // each test file uses its part

pub mod float64;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use shufflenet::cpu::Level;
use shufflenet::model::{Architecture, Layer, LayerWeights, Model};
use shufflenet::weights;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

/// What is wrong, where something must be.
pub fn message<T>(result: Result<T, shufflenet::Error>) -> String {
    match result {
        Ok(_) => panic!("expected an error"),
        Err(error) => error.to_string(),
    }
}

fn fnv1a64(name: &str) -> u64 {
    let hash = |h: u64, &b: &u8| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3);
    name.as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, hash)
}

fn splitmix64(x: u64) -> u64 {
    let mut x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The formula of `tests/golden/make_golden.py`.
pub fn formula(name: &str, len: usize, lo: f64, hi: f64) -> Vec<f32> {
    let seed = fnv1a64(name);
    let value = |i: u64| {
        let u = (splitmix64(seed.wrapping_add(i)) >> 40) as f64 / f64::from(1 << 24);
        (lo + (hi - lo) * u) as f32
    };
    (0..len as u64).map(value).collect()
}

/// An image by the formula, NCHW.
pub fn input(height: usize, width: usize) -> Vec<f32> {
    formula("input", 3 * height * width, -2.0, 2.0)
}

/// One tensor of a state dict.
pub struct Tensor {
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

fn tensors_of(layer: &Layer) -> Vec<Tensor> {
    let tensor = |name: String, shape: Vec<usize>, lo: f64, hi: f64| {
        let values = formula(&name, shape.iter().product(), lo, hi);
        Tensor { name, shape, values }
    };
    let shape = layer.weight_shape();
    let fan_in: usize = shape[1..].iter().product();
    let name = format!("{}.weight", layer.name);
    let channels = vec![layer.outputs];
    let Some(norm) = &layer.batch_norm else {
        let bound = (3.0 / fan_in as f64).sqrt();
        let bias = tensor(format!("{}.bias", layer.name), channels, -0.1, 0.1);
        return vec![tensor(name, shape, -bound, bound), bias];
    };
    let bound = (6.0 / fan_in as f64).sqrt();
    vec![
        tensor(name, shape, -bound, bound),
        tensor(format!("{norm}.weight"), channels.clone(), 0.5, 1.5),
        tensor(format!("{norm}.bias"), channels.clone(), -0.1, 0.1),
        tensor(format!("{norm}.running_mean"), channels.clone(), -0.1, 0.1),
        tensor(format!("{norm}.running_var"), channels, 0.5, 1.5),
    ]
}

/// A state dict by the formula.
pub fn state_dict(architecture: &Architecture) -> Vec<Tensor> {
    architecture.layers().iter().flat_map(tensors_of).collect()
}

/// The same as a safetensors file.
pub fn safetensors(architecture: &Architecture) -> Vec<u8> {
    let tensors = state_dict(architecture);
    let bytes = |t: &Tensor| t.values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let data: Vec<Vec<u8>> = tensors.iter().map(bytes).collect();
    let views = tensors.iter().zip(&data).map(|(t, data)| {
        let view = TensorView::new(Dtype::F32, t.shape.clone(), data).unwrap();
        (t.name.as_str(), view)
    });
    safetensors::serialize(views, None).unwrap()
}

/// The same as a model, through the loader.
pub fn model(architecture: &Architecture) -> Model {
    weights::from_bytes(&safetensors(architecture)).unwrap()
}

/// An x0.5 of which nothing has a bias: tiny inputs make tiny outputs.
pub fn without_bias() -> Model {
    let architecture = Architecture::X0_5;
    let layers = architecture.layers().into_iter().map(|layer| {
        let shape = layer.weight_shape();
        let bound = (6.0 / shape[1..].iter().product::<usize>() as f64).sqrt();
        let weight = formula(&layer.name, shape.iter().product(), -bound, bound);
        LayerWeights { weight, bias: vec![0.0; layer.outputs] }
    });
    let preprocessing = architecture.default_preprocessing();
    Model::new(architecture, layers.collect(), preprocessing).unwrap()
}

/// What cargo was told of this target in an environment variable, such as its `RUNNER`.
pub fn target_variable(suffix: &str) -> Option<String> {
    let prefix = format!("CARGO_TARGET_{}_", std::env::consts::ARCH.to_uppercase());
    let suffix = format!("_{suffix}");
    let is_it = |name: &str| name.starts_with(&prefix) && name.ends_with(&suffix);
    let found = std::env::vars().find(|(name, value)| is_it(name) && !value.trim().is_empty());
    found.map(|(_, value)| value)
}

/// A program built for the tests' target, under the same emulator.
pub fn command(program: &Path) -> Command {
    let runner = target_variable("RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace().map(OsStr::new).chain([program.as_os_str()]);
    let mut command = Command::new(words.next().unwrap());
    command.args(words);
    command
}

/// The bits of floats: equality that tells -0 from 0.
pub fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

/// The largest difference, relative to the largest absolute value expected.
pub fn relative_error(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    let worst = found.iter().zip(expected).fold(0.0, |m: f64, (&f, e)| {
        let difference = (f64::from(f) - e).abs();
        if difference.is_nan() { f64::INFINITY } else { m.max(difference) }
    });
    if worst == 0.0 { 0.0 } else { worst / largest }
}

/// Levels after a comma each in the variable `SHUFFLENET_TEST_LEVELS`: a run that skips one fails, so
/// that green never means absent.
pub fn demanded_levels() -> Vec<Level> {
    let names = std::env::var("SHUFFLENET_TEST_LEVELS").unwrap_or_default();
    let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(|name| name.parse().unwrap()).collect()
}
