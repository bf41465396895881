//! Depthwise 3x3: for each vector of channels its nine weights stay in registers while a row is walked.

use super::{Vector, channel_vectors};
use crate::kernels::args::WindowArgs;

/// `TILE` output pixels are computed at a time; there are at least `V::LANES` channels.
///
/// # Safety
/// As for [`WindowFn`](crate::kernels::args::WindowFn).
#[inline(always)]
pub(in crate::kernels) unsafe fn depthwise<V: Vector, const STRIDE: usize, const TILE: usize>(
    args: &WindowArgs,
) {
    let all_rows = args.rows.iter().all(|row| !row.is_null());
    // Output pixels from 1 to here have all their columns.
    let inside = (args.input_width.saturating_sub(2) / STRIDE + 1).min(args.output_width);
    for c in channel_vectors::<V>(args.channels) {
        // SAFETY: promised by the caller; pixels of a tile lie inside the image.
        unsafe {
            let mut weights = [V::zero(); 9];
            for (tap, weight) in weights.iter_mut().enumerate() {
                *weight = V::load(args.weights.add(tap * args.weight_stride + c));
            }
            let mut x = 0;
            if all_rows && inside > TILE {
                edge::<V, STRIDE>(args, c, 0, &weights);
                x = 1;
                while x + TILE <= inside {
                    tile::<V, STRIDE, TILE>(args, c, x, &weights);
                    x += TILE;
                }
                if x < inside {
                    // Some pixels a second time, with the same results.
                    tile::<V, STRIDE, TILE>(args, c, inside - TILE, &weights);
                    x = inside;
                }
            }
            while x < args.output_width {
                edge::<V, STRIDE>(args, c, x, &weights);
                x += 1;
            }
        }
    }
}

/// `TILE` output pixels from `x` on, away from all edges.
///
/// # Safety
/// As for the kernel.
#[inline(always)]
unsafe fn tile<V: Vector, const STRIDE: usize, const TILE: usize>(
    args: &WindowArgs,
    c: usize,
    x: usize,
    weights: &[V; 9],
) {
    // SAFETY: promised by the caller.
    unsafe {
        let mut sums = [V::load(args.bias.add(c)); TILE];
        for (ky, row) in args.rows.into_iter().enumerate() {
            let first = row.add((x * STRIDE - 1) * args.input_stride + c);
            for kx in 0..3 {
                for (i, sum) in sums.iter_mut().enumerate() {
                    let value = V::load(first.add((i * STRIDE + kx) * args.input_stride));
                    *sum = value.multiply_add(weights[ky * 3 + kx], *sum);
                }
            }
        }
        for (i, sum) in sums.into_iter().enumerate() {
            sum.store(args.output.add((x + i) * args.output_stride + c));
        }
    }
}

/// Output pixel `x`, wherever it is.
///
/// # Safety
/// As for the kernel.
#[inline(always)]
unsafe fn edge<V: Vector, const STRIDE: usize>(
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

/// The depthwise kernels of an instruction set: pixels in a tile of stride 1 and of stride 2.
macro_rules! depthwise_kernels {
    ($(#[$attribute:meta])* $vector:ty, tiles $tile1:literal $tile2:literal) => {
        use crate::kernels::args::WindowArgs;
        use crate::kernels::reference;
        use crate::kernels::vector::{self, Vector};

        /// # Safety
        /// As for [`WindowFn`](crate::kernels::args::WindowFn).
        $(#[$attribute])*
        pub(in crate::kernels) unsafe extern "C" fn depthwise_s1(args: &WindowArgs) {
            // SAFETY: promised by the caller.
            unsafe {
                match args.channels < <$vector>::LANES {
                    true => reference::depthwise_s1(args),
                    false => vector::depthwise::<$vector, 1, $tile1>(args),
                }
            }
        }

        /// # Safety
        /// As for [`WindowFn`](crate::kernels::args::WindowFn).
        $(#[$attribute])*
        pub(in crate::kernels) unsafe extern "C" fn depthwise_s2(args: &WindowArgs) {
            // SAFETY: promised by the caller.
            unsafe {
                match args.channels < <$vector>::LANES {
                    true => reference::depthwise_s2(args),
                    false => vector::depthwise::<$vector, 2, $tile2>(args),
                }
            }
        }
    };
}
pub(in crate::kernels) use depthwise_kernels;
