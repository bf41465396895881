//! How the weight matrix of a pointwise or fully connected layer lies in memory.

use crate::Error;
use bytemuck::{Pod, Zeroable};

/// Order of a weight matrix's elements. Input `k` and output `n` number rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// `[output][input]`, as torchvision stores it.
    RowMajor,
    /// `[output / width][input][output % width]`; the last panel is padded with zeros.
    Panels {
        /// Outputs in a panel, 1 to 64.
        width: usize,
    },
}

/// Largest width of a panel.
const MAX_PANEL: usize = 64;

impl Layout {
    fn check(self) -> Result<(), Error> {
        match self {
            Layout::Panels { width } if !(1..=MAX_PANEL).contains(&width) => {
                Err(Error::argument("width of a panel", width, format!("1 to {MAX_PANEL}")))
            }
            _ => Ok(()),
        }
    }

    fn index(self, inputs: usize, k: usize, n: usize) -> usize {
        match self {
            Layout::RowMajor => n * inputs + k,
            Layout::Panels { width } => (n / width * inputs + k) * width + n % width,
        }
    }

    /// Number of outputs with padding.
    fn padded(self, outputs: usize) -> usize {
        match self {
            Layout::RowMajor => outputs,
            Layout::Panels { width } => outputs.next_multiple_of(width),
        }
    }
}

/// A cache line, so that panels start at one.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Line([f32; 16]);

// SAFETY: sixteen floats may all be zero.
unsafe impl Zeroable for Line {}
// SAFETY: sixteen floats fill a line without padding, and any bytes are floats.
unsafe impl Pod for Line {}

/// Floats that start at a cache line.
#[derive(Clone)]
pub(crate) struct AlignedFloats {
    lines: Box<[Line]>,
    len: usize,
}

impl AlignedFloats {
    pub(crate) fn zeroed(len: usize) -> AlignedFloats {
        AlignedFloats { lines: vec![Line::zeroed(); len.div_ceil(16)].into(), len }
    }

    /// `None` where there is not so much memory.
    pub(crate) fn try_zeroed(len: usize) -> Option<AlignedFloats> {
        let count = len.div_ceil(16);
        let mut lines = Vec::new();
        lines.try_reserve_exact(count).ok()?;
        lines.resize(count, Line::zeroed());
        Some(AlignedFloats { lines: lines.into(), len })
    }
}

impl std::ops::Deref for AlignedFloats {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &bytemuck::cast_slice(&self.lines)[..self.len]
    }
}

impl std::ops::DerefMut for AlignedFloats {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..self.len]
    }
}

/// The weights and biases of a pointwise or fully connected layer in one [`Layout`].
#[derive(Clone)]
pub struct Matrix {
    layout: Layout,
    inputs: usize,
    outputs: usize,
    weights: AlignedFloats,
    bias: AlignedFloats,
}

impl Matrix {
    /// Packs row-major `[outputs][inputs]` weights.
    ///
    /// # Errors
    /// [`Error::Argument`] when a size is zero, a slice has another length, or the layout's panels have
    /// an impossible width.
    pub fn new(
        layout: Layout,
        inputs: usize,
        outputs: usize,
        weights: &[f32],
        bias: &[f32],
    ) -> Result<Matrix, Error> {
        if inputs.checked_mul(outputs) != Some(weights.len()) || weights.is_empty() {
            return Err(Error::argument(
                "length of the weights",
                weights.len(),
                format!("{outputs} outputs times {inputs} inputs, at least 1"),
            ));
        }
        if bias.len() != outputs {
            return Err(Error::argument("length of the bias", bias.len(), outputs));
        }
        layout.check()?;
        let element = |k, n| weights[n * inputs + k];
        Ok(Matrix::from_elements(layout, inputs, outputs, element, |n| bias[n]))
    }

    /// Packs whatever the functions give for input `k` and output `n`.
    pub(crate) fn from_elements(
        layout: Layout,
        inputs: usize,
        outputs: usize,
        weight: impl Fn(usize, usize) -> f32,
        bias: impl Fn(usize) -> f32,
    ) -> Matrix {
        let padded = layout.padded(outputs);
        let mut matrix = Matrix {
            layout,
            inputs,
            outputs,
            weights: AlignedFloats::zeroed(padded * inputs),
            bias: AlignedFloats::zeroed(padded),
        };
        for n in 0..outputs {
            matrix.bias[n] = bias(n);
            for k in 0..inputs {
                matrix.weights[layout.index(inputs, k, n)] = weight(k, n);
            }
        }
        matrix
    }

    /// The same matrix in another layout.
    ///
    /// # Errors
    /// [`Error::Argument`] when the layout's panels have an impossible width.
    pub fn to_layout(&self, layout: Layout) -> Result<Matrix, Error> {
        layout.check()?;
        let element = |k, n| self.weights[self.layout.index(self.inputs, k, n)];
        Ok(Matrix::from_elements(layout, self.inputs, self.outputs, element, |n| self.bias[n]))
    }

    /// The layout.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Number of outputs, without padding.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    pub(super) fn weights(&self) -> &[f32] {
        &self.weights
    }

    pub(super) fn bias(&self) -> &[f32] {
        &self.bias
    }
}

impl std::fmt::Debug for Matrix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Matrix({} x {}, {:?})", self.outputs, self.inputs, self.layout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_hold_the_same_matrix() {
        let (inputs, outputs) = (3, 10);
        let weights: Vec<f32> = (1..=30).map(|i| i as f32).collect();
        let bias: Vec<f32> = (1..=10).map(|i| -i as f32).collect();
        let plain = Matrix::new(Layout::RowMajor, inputs, outputs, &weights, &bias).unwrap();
        assert_eq!(plain.weights(), weights);
        let panels = plain.to_layout(Layout::Panels { width: 8 }).unwrap();
        // The second panel, its second input: outputs 8 and 9, then padding.
        assert_eq!(panels.weights()[24 + 8..][..8], [26.0, 29.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(panels.bias()[8..], [-9.0, -10.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(panels.weights().as_ptr().align_offset(64), 0);
        assert_eq!(panels.to_layout(Layout::RowMajor).unwrap().weights(), weights);
    }

    #[test]
    fn wrong_lengths_are_refused() {
        let layout = Layout::RowMajor;
        assert!(Matrix::new(layout, 2, 3, &[0.0; 5], &[0.0; 3]).is_err());
        assert!(Matrix::new(layout, 2, 3, &[0.0; 6], &[0.0; 2]).is_err());
        assert!(Matrix::new(layout, 0, 3, &[], &[0.0; 3]).is_err());
        assert!(Matrix::new(layout, usize::MAX, 2, &[0.0; 6], &[0.0; 2]).is_err());
        for width in [0, 65, usize::MAX] {
            let layout = Layout::Panels { width };
            assert!(Matrix::new(layout, 2, 3, &[0.0; 6], &[0.0; 3]).is_err());
        }
    }
}
