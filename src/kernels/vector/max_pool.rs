//! Max pool 3x3, stride 2.

use super::{Vector, channel_vectors, row_after, unrolled};
use crate::kernels::args::WindowArgs;

/// Output pixels in a tile.
const TILE: usize = 8;

/// There are at least `V::LANES` channels.
///
/// # Safety
/// As for [`WindowFn`](crate::kernels::args::WindowFn).
#[inline(always)]
pub(in crate::kernels) unsafe fn max_pool<V: Vector>(args: &WindowArgs) {
    // Output pixels from 1 to here have all their columns.
    let inside = (args.input_width / 2).min(args.output_width);
    for c in channel_vectors::<V>(args.channels) {
        // SAFETY: promised by the caller; tiles lie inside the output row.
        unsafe {
            pixel::<V>(args, c, 0);
            let mut x = 1;
            while inside > TILE && x < inside {
                // The last tile may compute some pixels a second time, with the same results.
                x = x.min(inside - TILE);
                tile::<V>(args, c, x);
                x += TILE;
            }
            while x < args.output_width {
                pixel::<V>(args, c, x);
                x += 1;
            }
        }
    }
}

/// `TILE` output pixels from `x` on, which have all their columns.
///
/// # Safety
/// As for the kernel.
#[inline(always)]
unsafe fn tile<V: Vector>(args: &WindowArgs, c: usize, x: usize) {
    let [above, centre, _] = args.rows;
    let before = (2 * x - 1) * args.input_stride + c;
    // SAFETY: promised by the caller.
    unsafe {
        let first = if above.is_null() { centre } else { above };
        let first = first.add(before);
        let mut max = [V::load(first); TILE];
        unrolled!(TILE, |i| max[i] = V::load(first.add(2 * i * args.input_stride)));
        unrolled!(3, |ky| {
            let row = args.rows[ky];
            if !row.is_null() {
                let row = row.add(before);
                unrolled!(TILE, |i| {
                    let pixel = row.add(2 * i * args.input_stride);
                    max[i] = V::load(pixel).greater_or(max[i]);
                    max[i] = V::load(pixel.add(args.input_stride)).greater_or(max[i]);
                    max[i] = V::load(pixel.add(2 * args.input_stride)).greater_or(max[i]);
                });
            }
        });
        let stride = args.output_stride;
        let mut to = args.output.add(x * stride + c);
        unrolled!(TILE, |i| max[i].store(row_after(&mut to, i, stride)));
    }
}

/// Output pixel `x`, wherever it is.
///
/// # Safety
/// As for the kernel.
#[inline(always)]
unsafe fn pixel<V: Vector>(args: &WindowArgs, c: usize, x: usize) {
    let [above, centre, _] = args.rows;
    let columns = (2 * x).saturating_sub(1)..(2 * x + 2).min(args.input_width);
    // SAFETY: promised by the caller; columns outside the image are left out.
    unsafe {
        let first = if above.is_null() { centre } else { above };
        let mut max = V::load(first.add(columns.start * args.input_stride + c));
        for row in args.rows {
            if row.is_null() {
                continue;
            }
            for column in columns.clone() {
                max = V::load(row.add(column * args.input_stride + c)).greater_or(max);
            }
        }
        max.store(args.output.add(x * args.output_stride + c));
    }
}

/// The max pool of an instruction set.
macro_rules! max_pool_kernel {
    ($(#[$attribute:meta])* $vector:ty) => {
        use crate::kernels::args::WindowArgs;
        use crate::kernels::reference;
        use crate::kernels::vector::{self, Vector};

        /// # Safety
        /// As for [`WindowFn`](crate::kernels::args::WindowFn).
        $(#[$attribute])*
        pub(in crate::kernels) unsafe extern "C" fn max_pool(args: &WindowArgs) {
            // SAFETY: promised by the caller.
            unsafe {
                match args.channels < <$vector>::LANES {
                    true => reference::max_pool(args),
                    false => vector::max_pool::<$vector>(args),
                }
            }
        }
    };
}
pub(in crate::kernels) use max_pool_kernel;
