//! The fully connected layer: a pointwise convolution whose inputs are added up in blocks.

use super::pointwise::{Block, Target, load_vectors};
use super::tile::{Segment, accumulate};
use super::{Vector, ranges};
use crate::kernels::args::PointwiseArgs;

/// Inputs in a block, as in the reference.
const FC_BLOCK: usize = 64;

impl Block<'_> {
    /// One row, added up as a fully connected layer's.
    ///
    /// # Safety
    /// As for [`Block::tiles`]; not of a block with a mean.
    #[inline(always)]
    pub unsafe fn blocked_row<V: Vector, const WIDTH: usize, const VECTORS: usize>(
        &self,
        row: usize,
    ) {
        // SAFETY: promised by the caller.
        unsafe {
            let mut sums = load_vectors::<V, VECTORS>(self.bias());
            let (steps, PointwiseArgs { input, output, .. }) =
                (self.steps::<V, WIDTH>(), self.args);
            let from = input.data.add(row * input.stride);
            let zero = [[V::zero(); VECTORS]];
            let mut block = zero;
            let mut room = FC_BLOCK;
            let mut weights = self.weights();
            for range in ranges(input) {
                let (mut inputs, mut left) = (from.add(range.start), range.len);
                while left > 0 {
                    if room == 0 {
                        sums = added(sums, block[0]);
                        (block, room) = (zero, FC_BLOCK);
                    }
                    let len = left.min(room);
                    accumulate(&mut block, Segment { inputs, weights, len }, 0, steps, None);
                    inputs = inputs.add(len);
                    weights = weights.add(len * WIDTH);
                    left -= len;
                    room -= len;
                }
            }
            let sums = [added(sums, block[0])];
            match self.target {
                Target::Place(to) => self.store(sums, to.add(row * output.stride), 0),
                Target::Scratch(to) if V::SCRATCH => self.store(sums, to, 0),
                Target::Columns if V::PARTS => self.store_columns(sums, row),
                _ => {}
            }
        }
    }
}

/// # Safety
/// The CPU has the vector's instructions.
#[inline(always)]
unsafe fn added<V: Vector, const N: usize>(mut a: [V; N], b: [V; N]) -> [V; N] {
    for (i, a) in a.iter_mut().enumerate() {
        // SAFETY: promised by the caller.
        *a = unsafe { a.add(b[i]) };
    }
    a
}

/// The fully connected kernel of an instruction set: the numbers of vectors, each from 1 on.
macro_rules! fully_connected_kernel {
    ($(#[$attribute:meta])* $vector:ty, width $width:literal, vectors [$($vectors:literal)*]) => {
        use crate::kernels::args::PointwiseArgs;
        use crate::kernels::vector::{Block, Scratch, Target, Tiles};
        use std::mem::MaybeUninit;

        const TILES: Tiles = Tiles::new::<$vector>($width, &[$({ let _: usize = $vectors; 1 }),*]);

        /// # Safety
        /// As for [`PointwiseFn`](crate::kernels::args::PointwiseFn).
        $(#[$attribute])*
        pub(in crate::kernels) unsafe extern "C" fn fully_connected(args: &PointwiseArgs) {
            let mut scratch = MaybeUninit::<Scratch>::uninit();
            // SAFETY: promised by the caller; the scratch has room for a row.
            unsafe {
                let scratch = scratch.as_mut_ptr().cast();
                let mut block = Block::before(args, &TILES, scratch, None);
                loop {
                    let vectors = block.next(&TILES, TILES.rows.len());
                    if vectors == 0 {
                        break;
                    }
                    for row in 0..args.rows {
                        match vectors {
                            $($vectors => block.blocked_row::<$vector, $width, $vectors>(row),)*
                            _ => unreachable!("a row larger than the registers"),
                        }
                        if let Target::Scratch(from) = block.target {
                            block.scatter(row, 1, from);
                        }
                    }
                }
            }
        }
    };
}
pub(in crate::kernels) use fully_connected_kernel;
