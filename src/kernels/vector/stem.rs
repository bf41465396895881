//! The first convolution. In each image row, the inputs of an output pixel are neighbours (three pixels
//! of three colours), so that it is a matrix product whose rows are output pixels. In planes, they are three
//! times three neighbours.

use super::tile::{Segment, WeightSteps, accumulate, accumulate_nine, accumulate_planes};
use super::{Vector, opaque, row_after, unrolled};
use crate::kernels::args::WindowArgs;

/// Neighbouring vectors of channels.
#[derive(Clone, Copy)]
pub(in crate::kernels) struct Group {
    pub vectors: usize,
    /// The first channel.
    first: usize,
    /// Lanes that the last vector stores.
    stored: usize,
}

/// Groups of at most `most` vectors that cover the channels: without masks at least `V::LANES`. Channels left over fill
/// no vector: with masks the last one of a group stores them alone; without, another group's ends with them, and
/// stores those before them again, with the same values.
#[inline(always)]
pub(in crate::kernels) fn channel_groups<V: Vector>(
    channels: usize,
    most: usize,
) -> impl Iterator<Item = Group> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let left = channels.checked_sub(next).filter(|&left| left > 0)?;
        let whole = (left / V::LANES).min(most);
        let (vectors, first) = match whole {
            _ if V::MASKS => (left.div_ceil(V::LANES).min(most), next),
            0 => (1, channels - V::LANES),
            _ => (whole, next),
        };
        next = first + vectors * V::LANES;
        Some(Group { vectors, first, stored: V::LANES.min(channels + V::LANES - next) })
    })
}

/// Where the output pixels end that tiles of so many pixels compute; they begin at 1. Those have all their columns,
/// and of planes one more. 1 where there are none.
#[inline(always)]
pub(in crate::kernels) fn tiled_pixels(args: &WindowArgs, pixels: usize) -> usize {
    let planes = args.input_stride == 1;
    let inside = ((args.input_width - usize::from(planes)) / 2).min(args.output_width);
    // Otherwise there is nothing between pixels.
    let packed = args.input_stride == 3 && args.colour_stride == 1;
    if (planes || packed) && inside > pixels { inside } else { 1 }
}

/// Output pixels from 1 on, by tiles of `PIXELS` pixels, for a group of vectors of channels.
///
/// # Safety
/// As for [`WindowFn`](crate::kernels::args::WindowFn); the tiles lie inside the output row.
#[inline(always)]
pub(in crate::kernels) unsafe fn stem_tiles<
    V: Vector,
    const PIXELS: usize,
    const VECTORS: usize,
    const PLANES: bool,
>(
    args: &WindowArgs,
    group: Group,
    inside: usize,
) {
    let mut x = 1;
    while x < inside {
        // The last tile may compute some pixels a second time, with the same results.
        x = x.min(inside - PIXELS);
        // SAFETY: promised by the caller.
        unsafe { tile::<V, PIXELS, VECTORS, PLANES>(args, x, group) };
        x += PIXELS;
    }
}

/// # Safety
/// As for [`WindowFn`](crate::kernels::args::WindowFn).
#[inline(always)]
unsafe fn bias<V: Vector, const VECTORS: usize>(args: &WindowArgs, group: Group) -> [V; VECTORS] {
    // SAFETY: promised by the caller.
    unsafe {
        let mut bias = [V::zero(); VECTORS];
        for (j, bias) in bias.iter_mut().enumerate() {
            *bias = V::load(args.bias.add(group.first + j * V::LANES));
        }
        bias
    }
}

/// Stores an output pixel.
///
/// # Safety
/// `to` covers the group's channels, and the CPU has the vector's instructions.
#[inline(always)]
unsafe fn store<V: Vector, const VECTORS: usize>(to: *mut f32, group: Group, sums: [V; VECTORS]) {
    // SAFETY: promised by the caller.
    unsafe {
        for (j, sum) in sums.into_iter().enumerate() {
            let to = to.add(group.first + j * V::LANES);
            match V::MASKS && j + 1 == VECTORS {
                true => sum.relu().store_part(to, 0, group.stored),
                false => sum.relu().store(to),
            }
        }
    }
}

/// `PIXELS` output pixels from `x` on, for a group of vectors of channels. They lie away from the image's
/// left and right edge. Input pixels, or pixels of a plane, have nothing between them.
///
/// # Safety
/// As for [`WindowFn`](crate::kernels::args::WindowFn); the pixels exist.
#[inline(always)]
unsafe fn tile<V: Vector, const PIXELS: usize, const VECTORS: usize, const PLANES: bool>(
    args: &WindowArgs,
    x: usize,
    group: Group,
) {
    // SAFETY: promised by the caller.
    unsafe {
        let args = &*opaque(args);
        let steps = WeightSteps { input: args.weight_stride, panel: V::LANES, per_panel: 1 };
        let mut sums = [bias::<V, VECTORS>(args, group); PIXELS];
        let mut weights = args.weights.add(group.first);
        for ky in 0..3 {
            let row = args.rows[ky];
            if PLANES && !row.is_null() {
                let planes = (row.add(2 * x - 1), args.colour_stride);
                accumulate_planes(&mut sums, planes, weights, 2, steps);
            } else if !row.is_null() {
                accumulate_nine(&mut sums, row.add(3 * (2 * x - 1)), weights, 6, steps);
            }
            weights = weights.wrapping_add(9 * args.weight_stride);
        }
        let stride = args.output_stride;
        let mut to = args.output.add(x * stride);
        unrolled!(PIXELS, |i| store(row_after(&mut to, i, stride), group, sums[i]));
    }
}

/// Output pixel `x`, wherever it is, for a group of vectors of channels.
///
/// # Safety
/// As for [`WindowFn`](crate::kernels::args::WindowFn); the pixel exists.
#[inline(always)]
pub(in crate::kernels) unsafe fn stem_pixel<V: Vector, const VECTORS: usize>(
    args: &WindowArgs,
    x: usize,
    group: Group,
) {
    // SAFETY: the same arguments. Opaque, or a row would begin by storing where each weight is.
    let args = unsafe { &*opaque(args) };
    let columns = (2 * x).saturating_sub(1)..(2 * x + 2).min(args.input_width);
    let first_tap = columns.start + 1 - 2 * x;
    let steps = WeightSteps { input: args.weight_stride, panel: V::LANES, per_panel: 1 };
    // SAFETY: promised by the caller; columns outside the image are left out.
    unsafe {
        let mut sums = [bias::<V, VECTORS>(args, group)];
        for (ky, row) in args.rows.into_iter().enumerate() {
            let columns = if row.is_null() { 0..0 } else { columns.clone() };
            for (i, column) in columns.enumerate() {
                let tap = ky * 3 + first_tap + i;
                unrolled!(3, |colour| {
                    let weights = (tap * 3 + colour) * args.weight_stride + group.first;
                    let segment = Segment {
                        inputs: row.add(column * args.input_stride + colour * args.colour_stride),
                        weights: args.weights.add(weights),
                        len: 1,
                    };
                    accumulate(&mut sums, segment, 0, steps, None);
                });
            }
        }
        store(args.output.add(x * args.output_stride), group, sums[0]);
    }
}

/// The stem of an instruction set: pixels in a tile, and the numbers of vectors, each from 1 on.
macro_rules! stem_kernel {
    (
        $(#[$attribute:meta])* $vector:ty,
        $(#[$inline:meta])* tiles $pixels:literal x [$($vectors:literal)*]
    ) => {
        use crate::kernels::args::WindowArgs;
        use crate::kernels::reference;
        use crate::kernels::vector::{self, Group, Vector};

        /// # Safety
        /// As for [`vector::stem_tiles`].
        $(#[$attribute])* $(#[$inline])*
        unsafe fn tiles<const VECTORS: usize, const PLANES: bool>(
            args: &WindowArgs, group: Group, inside: usize,
        ) {
            // SAFETY: promised by the caller.
            unsafe { vector::stem_tiles::<$vector, $pixels, VECTORS, PLANES>(args, group, inside) }
        }

        /// # Safety
        /// As for [`vector::stem_pixel`].
        $(#[$attribute])* $(#[$inline])*
        unsafe fn pixel<const VECTORS: usize>(args: &WindowArgs, x: usize, group: Group) {
            // SAFETY: promised by the caller.
            unsafe { vector::stem_pixel::<$vector, VECTORS>(args, x, group) }
        }

        /// An output row, for a group of vectors of channels.
        ///
        /// # Safety
        /// As for the kernel.
        $(#[$attribute])* $(#[$inline])*
        unsafe fn row<const VECTORS: usize>(args: &WindowArgs, group: Group) {
            let inside = vector::tiled_pixels(args, $pixels);
            // SAFETY: promised by the caller.
            unsafe {
                pixel::<VECTORS>(args, 0, group);
                match args.input_stride == 1 {
                    true => tiles::<VECTORS, true>(args, group, inside),
                    false => tiles::<VECTORS, false>(args, group, inside),
                }
                for x in inside..args.output_width {
                    pixel::<VECTORS>(args, x, group);
                }
            }
        }

        /// # Safety
        /// As for [`WindowFn`](crate::kernels::args::WindowFn).
        $(#[$attribute])*
        pub(in crate::kernels) unsafe extern "C" fn stem(args: &WindowArgs) {
            // SAFETY: promised by the caller.
            unsafe {
                if args.channels < <$vector>::LANES && !<$vector>::MASKS {
                    return reference::stem(args);
                }
                for group in vector::channel_groups::<$vector>(args.channels, [$($vectors),*].len()) {
                    match group.vectors {
                        $($vectors => row::<$vectors>(args, group),)*
                        _ => unreachable!("a group larger than the registers"),
                    }
                }
            }
        }
    };
}
pub(in crate::kernels) use stem_kernel;
