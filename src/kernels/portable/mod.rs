//! Kernels in the vectors of the crate `wide`, for CPUs without a better level. `wide` chooses its
//! instructions when the crate is built; where they have no fused multiply-add, results differ from the
//! reference by rounding.

mod depthwise;
mod fully_connected;
mod max_pool;
mod pointwise;
mod row_sum;
mod stem;

pub(super) use depthwise::{depthwise_s1, depthwise_s2};
pub(super) use fully_connected::fully_connected;
pub(super) use max_pool::max_pool;
pub(super) use pointwise::pointwise;
pub(super) use row_sum::row_sum;
pub(super) use stem::stem;

use super::args::{ColumnRange, RawView, WindowArgs};
use wide::f32x8;

const LANES: usize = 8;

/// The first `len` of 8 floats, zeros after them.
///
/// # Safety
/// `from` covers `len` floats, 1 to 8.
#[inline(always)]
unsafe fn load(from: *const f32, len: usize) -> f32x8 {
    if len == LANES {
        // SAFETY: promised by the caller.
        return f32x8::from(unsafe { from.cast::<[f32; LANES]>().read_unaligned() });
    }
    let mut lanes = [0.0; LANES];
    // SAFETY: promised by the caller; `lanes` has room for 8.
    unsafe { std::ptr::copy_nonoverlapping(from, lanes.as_mut_ptr(), len) };
    f32x8::from(lanes)
}

/// Stores the first `len` lanes.
///
/// # Safety
/// `to` covers `len` floats, 1 to 8.
#[inline(always)]
unsafe fn store(to: *mut f32, value: f32x8, len: usize) {
    let lanes = value.to_array();
    if len == LANES {
        // SAFETY: promised by the caller.
        unsafe { to.cast::<[f32; LANES]>().write_unaligned(lanes) };
    } else {
        // SAFETY: promised by the caller.
        unsafe { std::ptr::copy_nonoverlapping(lanes.as_ptr(), to, len) };
    }
}

#[inline(always)]
fn relu(x: f32x8) -> f32x8 {
    x.simd_gt(f32x8::ZERO).bitselect(x, f32x8::ZERO)
}

/// `channels` in pieces of at most 8: the first channel of each, and how many.
#[inline(always)]
fn pieces(channels: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..channels).step_by(LANES).map(move |c| (c, LANES.min(channels - c)))
}

/// The ranges of a view.
///
/// # Safety
/// `ranges` points at `range_count` ranges that live as long as the result.
#[inline(always)]
unsafe fn ranges<'a, T>(view: &RawView<T>) -> &'a [ColumnRange] {
    // SAFETY: promised by the caller.
    unsafe { std::slice::from_raw_parts(view.ranges, view.range_count) }
}

/// The rows and columns of the 3x3 window around output pixel `x` that lie inside the image, as tap
/// numbers and pixels.
///
/// # Safety
/// Rows that are not null cover `input_width` pixels.
#[inline(always)]
unsafe fn for_taps(
    args: &WindowArgs,
    x: usize,
    stride: usize,
    mut each: impl FnMut(usize, *const f32),
) {
    let centre = x * stride;
    let first = if centre == 0 { 1 } else { 0 };
    let last = if centre + 1 < args.input_width { 2 } else { 1 };
    for (ky, row) in args.rows.into_iter().enumerate().filter(|(_, row)| !row.is_null()) {
        for kx in first..=last {
            // SAFETY: `first` and `last` keep the column inside the row.
            each(ky * 3 + kx, unsafe { row.add((centre + kx - 1) * args.input_stride) });
        }
    }
}
