//! The inner loop of everything that multiplies a matrix: some rows times some vectors of outputs, in
//! registers.

use super::Vector;

/// Part of a row's inputs: they are neighbours, and so are their weights.
#[derive(Clone, Copy)]
pub(super) struct Segment {
    /// The first row's first input.
    pub inputs: *const f32,
    /// Weights of the first input.
    pub weights: *const f32,
    /// Number of inputs.
    pub len: usize,
}

/// Where weights lie: vector `j` of an input's outputs is vector `j % per_panel` of panel
/// `j / per_panel`.
#[derive(Clone, Copy)]
pub(super) struct WeightSteps {
    /// From one input's weights to the next's.
    pub input: usize,
    /// From one panel to the next.
    pub panel: usize,
    /// Vectors in a panel.
    pub per_panel: usize,
}

impl WeightSteps {
    #[inline(always)]
    fn offset<V: Vector>(self, vector: usize) -> usize {
        vector / self.per_panel * self.panel + vector % self.per_panel * V::LANES
    }
}

/// Adds a segment's products to the sums of `ROWS` rows, `row_stride` floats apart, times `VECTORS`
/// vectors of outputs.
///
/// # Safety
/// The segment's inputs and weights exist for every row and vector, and the CPU has the vector's
/// instructions.
#[inline(always)]
pub(super) unsafe fn accumulate<V: Vector, const ROWS: usize, const VECTORS: usize>(
    sums: &mut [[V; VECTORS]; ROWS],
    segment: Segment,
    row_stride: usize,
    steps: WeightSteps,
) {
    let Segment { mut inputs, mut weights, len } = segment;
    // SAFETY: promised by the caller; four inputs at a time, then one.
    unsafe {
        for _ in 0..len / 4 {
            let mut quads = [V::quad(inputs); ROWS];
            for (row, quad) in quads.iter_mut().enumerate() {
                *quad = V::quad(inputs.add(row * row_stride));
            }
            macro_rules! input {
                ($i:literal) => {
                    let mut factors = [V::zero(); VECTORS];
                    for (j, factor) in factors.iter_mut().enumerate() {
                        *factor = V::load(weights.add($i * steps.input + steps.offset::<V>(j)));
                    }
                    for (row, quad) in quads.iter().enumerate() {
                        for (j, factor) in factors.iter().enumerate() {
                            sums[row][j] = V::multiply_add_quad::<$i>(*quad, *factor, sums[row][j]);
                        }
                    }
                };
            }
            input!(0);
            input!(1);
            input!(2);
            input!(3);
            inputs = inputs.add(4);
            weights = weights.add(4 * steps.input);
        }
        for _ in 0..len % 4 {
            let mut factors = [V::zero(); VECTORS];
            for (j, factor) in factors.iter_mut().enumerate() {
                *factor = V::load(weights.add(steps.offset::<V>(j)));
            }
            for (row, sums) in sums.iter_mut().enumerate() {
                let input = V::splat(inputs.add(row * row_stride));
                for (sum, factor) in sums.iter_mut().zip(&factors) {
                    *sum = input.multiply_add(*factor, *sum);
                }
            }
            inputs = inputs.add(1);
            weights = weights.add(steps.input);
        }
    }
}
