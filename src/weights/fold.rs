//! Batch norm folded into the convolution before it.
//!
//! A convolution `w * x` followed by `(y - mean) / sqrt(var + eps) * gamma + beta` is the convolution
//! `(w * scale) * x + (beta - mean * scale)` with `scale = gamma / sqrt(var + eps)`. Everything is
//! computed in f64, each operation rounded by itself (a fused one would give other bits), and rounded
//! to f32 once.

use super::{StateDict, Tensor};
use crate::Error;
use crate::model::{Layer, LayerWeights};

/// What PyTorch adds to the variance.
const EPSILON: f64 = 1e-5;

/// One layer of a state dict that has been checked against it.
pub(super) fn fold(state: &StateDict<'_>, layer: &Layer) -> Result<LayerWeights, Error> {
    let weight = state.get(&format!("{}.weight", layer.name))?;
    let Some(norm) = &layer.batch_norm else {
        let bias = state.get(&format!("{}.bias", layer.name))?;
        let all = |t| rounded(t, t.len(), |i| value(t, i));
        return Ok(LayerWeights { weight: all(weight)?, bias: all(bias)? });
    };
    let part = |part| state.get(&format!("{norm}.{part}"));
    let (gamma, beta) = (part("weight")?, part("bias")?);
    let (mean, variance) = (part("running_mean")?, part("running_var")?);
    let scale = |channel| {
        let scale = value(gamma, channel)? / (value(variance, channel)? + EPSILON).sqrt();
        finite(variance, channel, scale)
    };
    let per_channel = weight.len() / layer.outputs;
    let mut folded = Vec::with_capacity(weight.len());
    for channel in 0..layer.outputs {
        let scale = scale(channel)?;
        for index in channel * per_channel..(channel + 1) * per_channel {
            let value = (value(weight, index)? * scale) as f32;
            folded.push(finite(weight, index, value.into())? as f32);
        }
    }
    let bias = rounded(beta, layer.outputs, |channel| {
        Ok(value(beta, channel)? - value(mean, channel)? * scale(channel)?)
    })?;
    Ok(LayerWeights { weight: folded, bias })
}

/// Exchanges the first and the last input channel of the stem's weights.
pub(super) fn swap_red_and_blue(stem: &mut LayerWeights) {
    for filter in stem.weight.chunks_exact_mut(27) {
        let (first, rest) = filter.split_at_mut(9);
        first.swap_with_slice(&mut rest[9..]);
    }
}

/// `length` values rounded to f32; `tensor` is the one to blame for one that is not finite then.
fn rounded(
    tensor: &Tensor<'_>,
    length: usize,
    value: impl Fn(usize) -> Result<f64, Error>,
) -> Result<Vec<f32>, Error> {
    let mut values = Vec::with_capacity(length);
    for index in 0..length {
        let value = value(index)? as f32;
        finite(tensor, index, value.into())?;
        values.push(value);
    }
    Ok(values)
}

fn value(tensor: &Tensor<'_>, index: usize) -> Result<f64, Error> {
    finite(tensor, index, tensor.value(index))
}

fn finite(tensor: &Tensor<'_>, index: usize, value: f64) -> Result<f64, Error> {
    if value.is_finite() {
        return Ok(value);
    }
    Err(Error::NotFinite { name: tensor.name().to_owned(), index })
}
