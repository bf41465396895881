//! How the weight matrix of a pointwise or fully connected layer lies in memory.

use crate::Error;

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

    /// Outputs can be computed by themselves from every multiple of this on.
    pub(crate) fn granule(self) -> usize {
        match self {
            Layout::RowMajor => 1,
            Layout::Panels { width } => width,
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

/// Room for `outputs` rows of `inputs` weights in which [`Matrix::from_rows`] packs them without moving,
/// whatever the CPU; room for the rows alone where that would be more than an eighth more.
pub(crate) fn packing_room(inputs: usize, outputs: usize) -> usize {
    let (rows, packed) = (outputs * inputs, outputs.next_multiple_of(16) * inputs + LINE);
    if packed <= rows + rows / 8 { packed } else { rows }
}

/// Floats that start at a cache line, so that panels do.
pub(crate) struct AlignedFloats {
    /// Neither grows nor shrinks, so it stays where it is.
    memory: Vec<f32>,
    start: usize,
}

/// Floats in a cache line.
pub(super) const LINE: usize = 16;

impl AlignedFloats {
    /// Zeros, written: running meets no page that it is the first to touch.
    pub(crate) fn zeroed(len: usize) -> AlignedFloats {
        AlignedFloats::from_vec(Vec::new(), len)
    }

    /// Takes over a vector's memory for `len` floats, at least as many as it has. They begin up to a line
    /// behind the vector's, which are not moved.
    fn from_vec(mut memory: Vec<f32>, len: usize) -> AlignedFloats {
        memory.reserve_exact(len + LINE - memory.len());
        let start = memory.as_ptr().addr().wrapping_neg() % 64 / size_of::<f32>();
        memory.resize(start + len, 0.0);
        AlignedFloats { memory, start }
    }
}

impl Clone for AlignedFloats {
    fn clone(&self) -> AlignedFloats {
        let mut copy = AlignedFloats::zeroed(self.len());
        copy.copy_from_slice(self);
        copy
    }
}

impl std::ops::Deref for AlignedFloats {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.memory[self.start..]
    }
}

impl std::ops::DerefMut for AlignedFloats {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.memory[self.start..]
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
        Ok(Matrix::from_rows(layout, inputs, weights.to_vec(), bias.to_vec()))
    }

    /// Packs row-major weights, a row for each bias, in the memory that they come in.
    pub(crate) fn from_rows(
        layout: Layout,
        inputs: usize,
        weights: Vec<f32>,
        bias: Vec<f32>,
    ) -> Matrix {
        let outputs = bias.len();
        let padded = layout.padded(outputs);
        let mut bias = AlignedFloats::from_vec(bias, padded);
        bias.memory.copy_within(..outputs, bias.start);
        bias[outputs..].fill(0.0);
        let len = weights.len();
        let mut weights = AlignedFloats::from_vec(weights, padded * inputs);
        match layout {
            Layout::RowMajor => weights.memory.copy_within(..len, weights.start),
            Layout::Panels { width } => {
                // A panel's rows become its place, moved to the cache line: from the last panel on, for
                // each ends where the rows of the next one began.
                let size = width * inputs;
                let mut rows = vec![0.0; size];
                for begin in (0..padded * inputs).step_by(size).rev() {
                    let end = len.min(begin + size);
                    rows[..end - begin].copy_from_slice(&weights.memory[begin..end]);
                    rows[end - begin..].fill(0.0);
                    transpose(&rows, inputs, &mut weights[begin..begin + size]);
                }
            }
        }
        Matrix { layout, inputs, outputs, weights, bias }
    }

    /// The same matrix in another layout.
    ///
    /// # Errors
    /// [`Error::Argument`] when the layout's panels have an impossible width.
    pub fn to_layout(&self, layout: Layout) -> Result<Matrix, Error> {
        layout.check()?;
        let mut rows = Vec::with_capacity(self.outputs * self.inputs);
        for n in 0..self.outputs {
            let element = |k| self.weights[self.layout.index(self.inputs, k, n)];
            rows.extend((0..self.inputs).map(element));
        }
        let bias = self.bias[..self.outputs].to_vec();
        Ok(Matrix::from_rows(layout, self.inputs, rows, bias))
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

/// Writes rows of `columns` elements as columns.
fn transpose(rows: &[f32], columns: usize, to: &mut [f32]) {
    let height = rows.len() / columns;
    for (k, to) in to.chunks_exact_mut(height).enumerate() {
        for (to, row) in to.iter_mut().zip(rows.chunks_exact(columns)) {
            *to = row[k];
        }
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
