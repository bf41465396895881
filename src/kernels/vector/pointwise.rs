//! Pointwise convolution: packed panels of weights, one after the other, times all rows. So a panel
//! comes from memory once and stays in the first-level cache; the rows come from there or the second.

use super::tile::{Segment, WeightSteps, accumulate};
use super::{Vector, ranges};
use crate::kernels::args::{ColumnRange, PointwiseArgs, RawView};

/// Outputs in the widest block of panels.
const MOST: usize = 64;

/// Inputs in a block of the fully connected layer, as in the reference.
const FC_BLOCK: usize = 64;

/// Neighbouring columns of the output that take neighbouring lanes of a block.
#[derive(Clone, Copy, Default)]
struct Piece {
    column: usize,
    lane: usize,
    len: usize,
}

/// Neighbouring outputs that are computed together: all of a panel or of a few.
pub(in crate::kernels) struct Block<'a> {
    args: &'a PointwiseArgs,
    inputs: &'a [ColumnRange],
    weights: *const f32,
    bias: *const f32,
    steps: WeightSteps,
    /// Where they are stored: most often one piece, more where a range ends.
    pieces: [Piece; MOST],
    piece_count: usize,
    /// Number of outputs, without padding.
    len: usize,
}

/// The blocks of a layer, in order.
pub(in crate::kernels) struct Blocks<'a> {
    args: &'a PointwiseArgs,
    /// The next output, and where it is stored.
    next: usize,
    outputs: &'a [ColumnRange],
    used: usize,
}

impl<'a> Blocks<'a> {
    /// # Safety
    /// As for the kernel.
    #[inline(always)]
    pub unsafe fn new(args: &'a PointwiseArgs) -> Blocks<'a> {
        // SAFETY: promised by the caller.
        Blocks { args, next: 0, outputs: unsafe { ranges(&args.output) }, used: 0 }
    }

    /// The next block of at most `panels` panels of `width` outputs, and its number of vectors. Vectors
    /// of padding alone are not counted.
    ///
    /// # Safety
    /// As for the kernel.
    #[inline(always)]
    pub unsafe fn next<V: Vector>(
        &mut self,
        width: usize,
        panels: usize,
    ) -> Option<(Block<'a>, usize)> {
        let (args, n) = (self.args, self.next);
        if n >= args.outputs {
            return None;
        }
        let len = (args.outputs - n).min(panels * width);
        self.next += len;
        let mut pieces = [Piece::default(); MOST];
        let (mut piece_count, mut lane) = (0, 0);
        while lane < len {
            let range = self.outputs[0];
            let piece = (len - lane).min(range.len - self.used);
            pieces[piece_count] = Piece { column: range.start + self.used, lane, len: piece };
            piece_count += 1;
            lane += piece;
            self.used += piece;
            if self.used == range.len {
                self.outputs = &self.outputs[1..];
                self.used = 0;
            }
        }
        // SAFETY: promised by the caller; output `n` starts a panel.
        let block = unsafe {
            Block {
                args,
                inputs: ranges(&args.input),
                weights: args.weights.add(n * args.inputs),
                bias: args.bias.add(n),
                steps: WeightSteps {
                    input: width,
                    panel: args.inputs * width,
                    per_panel: width / V::LANES,
                },
                pieces,
                piece_count,
                len,
            }
        };
        Some((block, len.div_ceil(V::LANES)))
    }
}

impl Block<'_> {
    /// The finished sums of `ROWS` rows from `row` on.
    ///
    /// # Safety
    /// As for the kernel; the rows and vectors exist.
    #[inline(always)]
    pub unsafe fn tile<V: Vector, const ROWS: usize, const VECTORS: usize>(
        &self,
        row: usize,
    ) -> [[V; VECTORS]; ROWS] {
        // SAFETY: promised by the caller.
        unsafe {
            let mut bias = [V::zero(); VECTORS];
            for (j, bias) in bias.iter_mut().enumerate() {
                *bias = V::load(self.bias.add(j * V::LANES));
            }
            let mut sums = [bias; ROWS];
            let stride = self.args.input.stride;
            let input = self.args.input.data.add(row * stride);
            let mut weights = self.weights;
            for range in self.inputs {
                let segment = Segment { inputs: input.add(range.start), weights, len: range.len };
                accumulate(&mut sums, segment, stride, self.steps);
                weights = weights.add(range.len * self.steps.input);
            }
            if self.args.relu {
                sums = sums.map(|sums| sums.map(|sum| sum.relu()));
            }
            sums
        }
    }

    /// The finished sums of one row, added up as a fully connected layer's.
    ///
    /// # Safety
    /// As for [`Block::tile`].
    #[inline(always)]
    pub unsafe fn blocked_tile<V: Vector, const VECTORS: usize>(
        &self,
        row: usize,
    ) -> [[V; VECTORS]; 1] {
        // SAFETY: promised by the caller.
        unsafe {
            let mut sums = [V::zero(); VECTORS];
            for (j, sum) in sums.iter_mut().enumerate() {
                *sum = V::load(self.bias.add(j * V::LANES));
            }
            let zero = [[V::zero(); VECTORS]];
            let mut block = zero;
            let mut room = FC_BLOCK;
            let input = self.args.input.data.add(row * self.args.input.stride);
            let mut weights = self.weights;
            for range in self.inputs {
                let (mut inputs, mut left) = (input.add(range.start), range.len);
                while left > 0 {
                    if room == 0 {
                        sums = added(sums, block[0]);
                        (block, room) = (zero, FC_BLOCK);
                    }
                    let len = left.min(room);
                    accumulate(&mut block, Segment { inputs, weights, len }, 0, self.steps);
                    inputs = inputs.add(len);
                    weights = weights.add(len * self.steps.input);
                    left -= len;
                    room -= len;
                }
            }
            sums = added(sums, block[0]);
            if self.args.relu {
                sums = sums.map(|sum| sum.relu());
            }
            [sums]
        }
    }

    /// Stores such sums.
    ///
    /// # Safety
    /// As for the kernel; the rows exist, and the vectors hold the block.
    #[inline(always)]
    pub unsafe fn store<V: Vector, const ROWS: usize, const VECTORS: usize>(
        &self,
        row: usize,
        sums: &[[V; VECTORS]; ROWS],
    ) {
        let RawView { data, stride, .. } = self.args.output;
        // SAFETY: promised by the caller; pieces lie inside the output's rows.
        unsafe {
            let mut to = data.add(row * stride);
            if self.piece_count == 1 {
                to = to.add(self.pieces[0].column);
                let last = self.len - (VECTORS - 1) * V::LANES;
                for sums in sums {
                    for (j, sum) in sums.iter().enumerate() {
                        let to = to.add(j * V::LANES);
                        if j + 1 < VECTORS || last == V::LANES {
                            sum.store(to);
                        } else {
                            sum.store_first(to, last);
                        }
                    }
                    to = to.add(stride);
                }
                return;
            }
            // Room for a load of a vector at any lane.
            let mut lanes = [0.0; 2 * MOST];
            for sums in sums {
                for (j, sum) in sums.iter().enumerate() {
                    sum.store(lanes.as_mut_ptr().add(j * V::LANES));
                }
                for &Piece { column, lane, len } in &self.pieces[..self.piece_count] {
                    for at in (0..len).step_by(V::LANES) {
                        let sum = V::load(lanes.as_ptr().add(lane + at));
                        sum.store_first(to.add(column + at), (len - at).min(V::LANES));
                    }
                }
                to = to.add(stride);
            }
        }
    }
}

/// # Safety
/// The CPU has the vector's instructions.
#[inline(always)]
unsafe fn added<V: Vector, const N: usize>(mut a: [V; N], b: [V; N]) -> [V; N] {
    for (a, b) in a.iter_mut().zip(b) {
        // SAFETY: promised by the caller.
        *a = unsafe { a.add(b) };
    }
    a
}

/// The mean of a block's outputs over the pixels of an image, while they are computed.
pub(in crate::kernels) struct Mean<V, const VECTORS: usize> {
    /// Of the image row at hand, and of the rows before.
    row: [V; VECTORS],
    total: [V; VECTORS],
    /// Pixels of the row at hand that were added.
    x: usize,
}

impl<V: Vector, const VECTORS: usize> Mean<V, VECTORS> {
    /// # Safety
    /// The CPU has the vector's instructions; so for all of these.
    #[inline(always)]
    pub unsafe fn new() -> Self {
        // SAFETY: promised by the caller.
        let zero = unsafe { [V::zero(); VECTORS] };
        Mean { row: zero, total: zero, x: 0 }
    }

    /// Adds the next pixels of an image of `width`.
    ///
    /// # Safety
    /// As above.
    #[inline(always)]
    pub unsafe fn add<const ROWS: usize>(&mut self, sums: &[[V; VECTORS]; ROWS], width: usize) {
        for sums in sums {
            // SAFETY: promised by the caller.
            unsafe {
                self.row = added(self.row, *sums);
                self.x += 1;
                if self.x == width {
                    self.total = added(self.total, self.row);
                    self.row = [V::zero(); VECTORS];
                    self.x = 0;
                }
            }
        }
    }

    /// The sums over `count` pixels as means.
    ///
    /// # Safety
    /// As above.
    #[inline(always)]
    pub unsafe fn finish(self, count: usize) -> [[V; VECTORS]; 1] {
        let count = count as f32;
        // SAFETY: promised by the caller.
        unsafe {
            let count = V::splat(&count);
            [self.total.map(|total| total.divide(count))]
        }
    }
}
