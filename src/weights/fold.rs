//! Batch norm folded into the convolution before it.
//!
//! A convolution `w * x` followed by `(y - mean) / sqrt(var + eps) * gamma + beta` is the convolution
//! `(w * scale) * x + (beta - mean * scale)` with `scale = gamma / sqrt(var + eps)`. Everything is
//! computed in f64, each operation rounded by itself (a fused one would give other bits), and rounded
//! to f32 once.

use super::source::Reader;
use super::{StateDict, Tensor};
use crate::Error;
use crate::kernels::packing_room;
use crate::model::{Layer, LayerWeights};

/// Elements read at once.
const BLOCK: usize = 512;

/// One layer of a state dict that has been checked against it; `epsilon` is what batch norm adds to the
/// variance.
pub(super) fn fold(
    state: &StateDict<'_>,
    reader: &mut Reader<'_>,
    layer: &Layer,
    epsilon: f64,
) -> Result<LayerWeights, Error> {
    let weight = state.get(&format!("{}.weight", layer.name))?;
    let Some(norm) = &layer.batch_norm else {
        let bias = state.get(&format!("{}.bias", layer.name))?;
        let mut all = |tensor, rows| scaled(reader, tensor, rows, None);
        return Ok(LayerWeights { weight: all(weight, layer.outputs)?, bias: all(bias, 1)? });
    };
    let part = |part| state.get(&format!("{norm}.{part}"));
    let parts = [part("weight")?, part("bias")?, part("running_mean")?, part("running_var")?];
    let [_, beta, _, variance] = parts;
    let (mut scales, mut bias) =
        (Vec::with_capacity(layer.outputs), Vec::with_capacity(layer.outputs));
    for first in (0..layer.outputs).step_by(BLOCK) {
        let mut blocks = [[0.0; BLOCK]; 4];
        let count = BLOCK.min(layer.outputs - first);
        for (block, tensor) in blocks.iter_mut().zip(parts) {
            tensor.read(reader, first, &mut block[..count])?;
            check(tensor, first, &block[..count])?;
        }
        let [gamma, beta, mean, variance] = blocks;
        for i in 0..count {
            let sum = variance[i] + epsilon;
            if sum < 0.0 {
                let name = parts[3].name().to_owned();
                return Err(Error::Negative { name, index: first + i });
            }
            let scale = gamma[i] / sum.sqrt();
            scales.push(scale);
            bias.push((beta[i] - mean[i] * scale) as f32);
        }
    }
    check(variance, 0, &scales)?;
    let weight = scaled(reader, weight, layer.outputs, Some(&scales))?;
    check(beta, 0, &bias)?;
    Ok(LayerWeights { weight, bias })
}

/// Exchanges the first and the last input channel of the stem's weights.
pub(super) fn swap_red_and_blue(stem: &mut LayerWeights) {
    for filter in stem.weight.chunks_exact_mut(27) {
        let (first, rest) = filter.split_at_mut(9);
        first.swap_with_slice(&mut rest[9..]);
    }
}

/// A tensor's elements times the scale of their channel, if there is one, each rounded to f32; it must be
/// finite then. An element that is not finite in the file is not finite afterwards, whatever the scale.
fn scaled(
    reader: &mut Reader<'_>,
    tensor: &Tensor<'_>,
    channels: usize,
    scales: Option<&[f64]>,
) -> Result<Vec<f32>, Error> {
    let per_channel = tensor.len() / channels;
    let mut values = Vec::with_capacity(packing_room(per_channel, channels));
    let mut block = [0.0; BLOCK];
    for channel in 0..channels {
        let (scale, end) =
            (scales.map_or(1.0, |scales| scales[channel]), (channel + 1) * per_channel);
        for first in (channel * per_channel..end).step_by(BLOCK) {
            let block = &mut block[..BLOCK.min(end - first)];
            tensor.read(reader, first, block)?;
            values.extend(block.iter().map(|value| (value * scale) as f32));
            check(tensor, first, &values[first..])?;
        }
    }
    Ok(values)
}

/// Checks that all of a tensor's values from index `first` on are finite, or blames it.
fn check<T: Copy + Into<f64>>(
    tensor: &Tensor<'_>,
    first: usize,
    values: &[T],
) -> Result<(), Error> {
    let infinite = |value: &T| !(*value).into().is_finite();
    // Without a branch for each value, for it is a vector's work then.
    if !values.iter().fold(false, |any, value| any | infinite(value)) {
        return Ok(());
    }
    let index = first + values.iter().position(infinite).unwrap_or(0);
    Err(Error::NotFinite { name: tensor.name().to_owned(), index })
}
