//! The fully connected layer: a pointwise convolution whose inputs are added up in blocks.

use super::Vector;
use super::pointwise::Block;
use super::tile::{Segment, accumulate};

/// Inputs in a block, as in the reference.
const FC_BLOCK: usize = 64;

impl Block<'_> {
    /// One row, added up as a fully connected layer's.
    ///
    /// # Safety
    /// As for [`Block::tile`].
    #[inline(always)]
    pub unsafe fn blocked_row<V: Vector, const VECTORS: usize>(&self, row: usize, to: *mut f32) {
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
            self.store([added(sums, block[0])], to, 0);
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

/// The fully connected kernel of an instruction set: the numbers of vectors, each from 1 on.
macro_rules! fully_connected_kernel {
    ($(#[$attribute:meta])* $vector:ty, width $width:literal, vectors [$($vectors:literal)*]) => {
        use crate::kernels::args::PointwiseArgs;
        use crate::kernels::vector::{Blocks, MOST, Tiles};

        const TILES: Tiles = Tiles::new::<$vector>($width, &[$({ let _: usize = $vectors; 1 }),*]);

        /// # Safety
        /// As for [`PointwiseFn`](crate::kernels::args::PointwiseFn).
        $(#[$attribute])*
        pub(in crate::kernels) unsafe extern "C" fn fully_connected(args: &PointwiseArgs) {
            let mut scratch = [[0.0; MOST]];
            // SAFETY: promised by the caller; the scratch has room for a row.
            unsafe {
                let mut blocks = Blocks::new(args);
                while let Some((block, vectors)) = blocks.next(&TILES) {
                    let place = block.in_place(&TILES);
                    for row in 0..args.rows {
                        let to = match place {
                            Some(to) => to.add(row * args.output.stride),
                            None => scratch.as_mut_ptr().cast(),
                        };
                        match vectors {
                            $($vectors => block.blocked_row::<$vector, $vectors>(row, to),)*
                            _ => unreachable!("a row larger than the registers"),
                        }
                        if place.is_none() {
                            block.scatter(row, &scratch);
                        }
                    }
                }
            }
        }
    };
}
pub(in crate::kernels) use fully_connected_kernel;
