//! The first convolution. In each image row, the inputs of an output pixel are neighbours (three pixels
//! of three colours), so that it is a matrix product whose rows are output pixels.

use super::tile::{Segment, WeightSteps, accumulate};
use super::{Vector, unrolled};
use crate::kernels::args::WindowArgs;

/// Where a group of vectors lies among the channels: the first channel, and the steps by which the
/// vectors follow. The last of a group may overlap the one before, and stores the same values.
#[derive(Clone, Copy)]
pub(in crate::kernels) struct Group {
    pub vectors: usize,
    first: usize,
    step: usize,
}

/// Groups of at most `most` vectors that cover at least `V::LANES` channels.
#[inline(always)]
pub(in crate::kernels) fn channel_groups<V: Vector>(
    channels: usize,
    most: usize,
) -> impl Iterator<Item = Group> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let left = channels.checked_sub(next).filter(|&left| left > 0)?;
        let whole = (left / V::LANES).min(most);
        let group = match whole {
            0 => Group { vectors: 1, first: channels - V::LANES, step: 0 },
            1 if left > V::LANES && left < 2 * V::LANES && most > 1 => {
                Group { vectors: 2, first: next, step: left - V::LANES }
            }
            _ => Group { vectors: whole, first: next, step: V::LANES },
        };
        next = group.first + (group.vectors - 1) * group.step + V::LANES;
        Some(group)
    })
}

/// An output row, for a group of vectors of channels, by tiles of `PIXELS` pixels.
///
/// # Safety
/// As for [`WindowFn`](crate::kernels::args::WindowFn).
#[inline(always)]
pub(in crate::kernels) unsafe fn stem_row<V: Vector, const PIXELS: usize, const VECTORS: usize>(
    args: &WindowArgs,
    group: Group,
) {
    // Output pixels from 1 to here have all their columns.
    let inside = (args.input_width / 2).min(args.output_width);
    // SAFETY: promised by the caller; the tiles lie inside the output row.
    unsafe {
        tile::<V, 1, VECTORS>(args, 0, group);
        let mut x = 1;
        while inside > PIXELS && x < inside {
            // The last tile may compute some pixels a second time, with the same results.
            x = x.min(inside - PIXELS);
            tile::<V, PIXELS, VECTORS>(args, x, group);
            x += PIXELS;
        }
        while x < args.output_width {
            tile::<V, 1, VECTORS>(args, x, group);
            x += 1;
        }
    }
}

/// `PIXELS` output pixels from `x` on, for a group of vectors of channels. More than one pixel lie
/// away from the image's left and right edge.
///
/// # Safety
/// As for [`WindowFn`](crate::kernels::args::WindowFn); the pixels exist.
#[inline(always)]
unsafe fn tile<V: Vector, const PIXELS: usize, const VECTORS: usize>(
    args: &WindowArgs,
    x: usize,
    group: Group,
) {
    let columns = if PIXELS == 1 {
        (2 * x).saturating_sub(1)..(2 * x + 2).min(args.input_width)
    } else {
        2 * x - 1..2 * x + 2
    };
    let first_tap = columns.start + 1 - 2 * x;
    // Pixels without anything between them are one piece.
    let (pieces, piece) =
        if args.input_stride == 3 { (1, 3 * columns.len()) } else { (columns.len(), 3) };
    // SAFETY: promised by the caller; columns outside the image are left out.
    unsafe {
        let mut bias = [V::zero(); VECTORS];
        for (j, bias) in bias.iter_mut().enumerate() {
            *bias = V::load(args.bias.add(group.first + j * group.step));
        }
        let mut sums = [bias; PIXELS];
        let steps = WeightSteps { input: args.weight_stride, panel: group.step, per_panel: 1 };
        if PIXELS > 1 && args.input_stride == 3 {
            // Of known length, so that it is unrolled.
            unrolled!(3, |ky| {
                let row = args.rows[ky];
                if !row.is_null() {
                    let inputs = row.add(3 * columns.start);
                    let weights = args.weights.add(ky * 9 * args.weight_stride + group.first);
                    accumulate(&mut sums, Segment { inputs, weights, len: 9 }, 6, steps);
                }
            });
            return store(args, x, group, &sums);
        }
        for (ky, row) in args.rows.into_iter().enumerate() {
            let pieces = if row.is_null() { 0 } else { pieces };
            for i in 0..pieces {
                let tap = ky * 3 + first_tap + i;
                let segment = Segment {
                    inputs: row.add((columns.start + i) * args.input_stride),
                    weights: args.weights.add(tap * 3 * args.weight_stride + group.first),
                    len: piece,
                };
                accumulate(&mut sums, segment, 2 * args.input_stride, steps);
            }
        }
        store(args, x, group, &sums);
    }
}

/// Applies the ReLU and stores output pixels from `x` on.
///
/// # Safety
/// As for [`tile`].
#[inline(always)]
unsafe fn store<V: Vector, const PIXELS: usize, const VECTORS: usize>(
    args: &WindowArgs,
    x: usize,
    group: Group,
    sums: &[[V; VECTORS]; PIXELS],
) {
    // SAFETY: promised by the caller.
    unsafe {
        unrolled!(PIXELS, |i| {
            let to = args.output.add((x + i) * args.output_stride);
            for (j, sum) in sums[i].iter().enumerate() {
                sum.relu().store(to.add(group.first + j * group.step));
            }
        });
    }
}

/// The stem of an instruction set: pixels in a tile, and the numbers of vectors, each from 1 on.
macro_rules! stem_kernel {
    ($(#[$attribute:meta])* $vector:ty, tiles $pixels:literal x [$($vectors:literal)*]) => {
        use crate::kernels::args::WindowArgs;
        use crate::kernels::reference;
        use crate::kernels::vector::{Vector, channel_groups, stem_row};

        /// # Safety
        /// As for [`WindowFn`](crate::kernels::args::WindowFn).
        $(#[$attribute])*
        pub(in crate::kernels) unsafe extern "C" fn stem(args: &WindowArgs) {
            // SAFETY: promised by the caller.
            unsafe {
                if args.channels < <$vector>::LANES {
                    return reference::stem(args);
                }
                for group in channel_groups::<$vector>(args.channels, [$($vectors),*].len()) {
                    match group.vectors {
                        $($vectors => stem_row::<$vector, $pixels, $vectors>(args, group),)*
                        _ => unreachable!("a group larger than the registers"),
                    }
                }
            }
        }
    };
}
pub(in crate::kernels) use stem_kernel;
