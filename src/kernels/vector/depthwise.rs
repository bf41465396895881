//! Depthwise 3x3: for each vector of channels its nine weights stay in registers while a row is walked.

use super::{Vector, channel_vectors, opaque, row_after, unrolled};
use crate::kernels::args::WindowArgs;

/// There are at least `V::LANES` channels. Tiles have `TILE` output pixels or, in narrow images, `SMALL`.
///
/// # Safety
/// As for [`WindowFn`](crate::kernels::args::WindowFn).
#[inline(always)]
pub(in crate::kernels) unsafe fn depthwise<
    V: Vector,
    const STRIDE: usize,
    const TILE: usize,
    const SMALL: usize,
>(
    args: &WindowArgs,
) {
    for c in channel_vectors::<V>(args.channels) {
        // SAFETY: promised by the caller.
        unsafe {
            let mut weights = [V::zero(); 9];
            for (tap, weight) in weights.iter_mut().enumerate() {
                *weight = V::load(args.weights.add(tap * args.weight_stride + c));
            }
            if args.output_width >= TILE {
                row::<V, STRIDE, TILE>(args, c, &weights);
            } else if args.output_width >= SMALL {
                row::<V, STRIDE, SMALL>(args, c, &weights);
            } else {
                for x in 0..args.output_width {
                    pixel::<V, STRIDE>(args, c, x, &weights);
                }
            }
        }
    }
}

/// An output row of at least `TILE` pixels.
///
/// # Safety
/// As for the kernel.
#[inline(always)]
unsafe fn row<V: Vector, const STRIDE: usize, const TILE: usize>(
    args: &WindowArgs,
    c: usize,
    weights: &[V; 9],
) {
    let last = args.output_width - TILE;
    // Whether the last pixel lacks its right column.
    let cut = last + TILE > (args.input_width - 1).div_ceil(STRIDE);
    // SAFETY: promised by the caller; the tiles lie inside the row.
    unsafe {
        let mut x = 0;
        if last > 0 {
            tile::<V, STRIDE, TILE, true, false>(args, c, 0, weights);
            x = TILE;
        }
        while x < last {
            tile::<V, STRIDE, TILE, false, false>(args, c, x, weights);
            x += TILE;
        }
        // Some pixels may be computed a second time, with the same results.
        match (last == 0, cut) {
            (true, true) => tile::<V, STRIDE, TILE, true, true>(args, c, last, weights),
            (true, false) => tile::<V, STRIDE, TILE, true, false>(args, c, last, weights),
            (false, true) => tile::<V, STRIDE, TILE, false, true>(args, c, last, weights),
            (false, false) => tile::<V, STRIDE, TILE, false, false>(args, c, last, weights),
        }
    }
}

/// `TILE` output pixels from `x` on. Of the first and the last, columns outside the image are left out
/// where `LEFT` and `RIGHT` say so.
///
/// # Safety
/// As for the kernel.
#[inline(always)]
unsafe fn tile<
    V: Vector,
    const STRIDE: usize,
    const TILE: usize,
    const LEFT: bool,
    const RIGHT: bool,
>(
    args: &WindowArgs,
    c: usize,
    x: usize,
    weights: &[V; 9],
) {
    // SAFETY: promised by the caller.
    unsafe {
        let args = &*opaque(args);
        let mut sums = [V::load(args.bias.add(c)); TILE];
        unrolled!(3, |ky| {
            let row = args.rows[ky];
            if !row.is_null() {
                // The column left of the first pixel.
                let mut column = row.wrapping_add(x * STRIDE * args.input_stride + c);
                column = column.wrapping_sub(args.input_stride);
                unrolled!((TILE - 1) * STRIDE + 3, |j| {
                    if j > 0 {
                        column = opaque(column.wrapping_add(args.input_stride));
                    }
                    if !(LEFT && j == 0 || RIGHT && j == (TILE - 1) * STRIDE + 2) {
                        let value = V::load(column);
                        unrolled!(3, |kx| {
                            if j >= kx && (j - kx) % STRIDE == 0 && (j - kx) / STRIDE < TILE {
                                let sum = &mut sums[(j - kx) / STRIDE];
                                *sum = value.multiply_add(weights[ky * 3 + kx], *sum);
                            }
                        });
                    }
                });
            }
        });
        let stride = args.output_stride;
        let mut to = args.output.add(x * stride + c);
        unrolled!(TILE, |i| sums[i].store(row_after(&mut to, i, stride)));
    }
}

/// Output pixel `x`, wherever it is.
///
/// # Safety
/// As for the kernel.
#[inline(always)]
unsafe fn pixel<V: Vector, const STRIDE: usize>(
    args: &WindowArgs,
    c: usize,
    x: usize,
    weights: &[V; 9],
) {
    // SAFETY: promised by the caller; columns outside the image are left out.
    unsafe {
        let mut sum = V::load(args.bias.add(c));
        for (ky, row) in args.rows.into_iter().enumerate() {
            for kx in 0..3 {
                let column = x * STRIDE + kx;
                if !row.is_null() && column > 0 && column <= args.input_width {
                    let value = V::load(row.add((column - 1) * args.input_stride + c));
                    sum = value.multiply_add(weights[ky * 3 + kx], sum);
                }
            }
        }
        sum.store(args.output.add(x * args.output_stride + c));
    }
}

/// The depthwise kernels of an instruction set: pixels in a tile and in a small one, and what takes fewer channels than
/// a vector has lanes, with its own number of lanes. Of more than one lane it also takes what is left over by whole
/// vectors, where it needs one vector for that: it touches fewer cache lines than a wider one.
macro_rules! depthwise_kernels {
    (
        $(#[$attribute:meta])* $vector:ty, tiles $tile:literal $small:literal,
        narrower $narrower:ident of $narrow:literal
    ) => {
        use crate::kernels::$narrower;
        use crate::kernels::args::{WindowArgs, WindowFn};
        use crate::kernels::vector::{self, Vector};

        /// # Safety
        /// As for [`WindowFn`]; `narrower` is the one for the stride.
        $(#[$attribute])*
        unsafe fn depthwise<const STRIDE: usize>(args: &WindowArgs, narrower: WindowFn) {
            const LANES: usize = <$vector>::LANES;
            let left = args.channels % LANES;
            // SAFETY: promised by the caller; the channels exist.
            unsafe {
                if args.channels < LANES {
                    return narrower(args);
                }
                let mut whole = *args;
                if $narrow > 1 && (1..=$narrow).contains(&left) {
                    narrower(&args.last_channels($narrow));
                    whole.channels -= left;
                }
                vector::depthwise::<$vector, STRIDE, $tile, $small>(&whole);
            }
        }

        /// # Safety
        /// As for [`WindowFn`].
        $(#[$attribute])*
        pub(in crate::kernels) unsafe extern "C" fn depthwise_s1(args: &WindowArgs) {
            // SAFETY: promised by the caller.
            unsafe { depthwise::<1>(args, $narrower::depthwise_s1) }
        }

        /// # Safety
        /// As for [`WindowFn`].
        $(#[$attribute])*
        pub(in crate::kernels) unsafe extern "C" fn depthwise_s2(args: &WindowArgs) {
            // SAFETY: promised by the caller.
            unsafe { depthwise::<2>(args, $narrower::depthwise_s2) }
        }
    };
}
pub(in crate::kernels) use depthwise_kernels;
