//! The definition of every kernel, in plain scalar code. Fast kernels are tested against these.

mod depthwise;
mod fully_connected;
mod max_pool;
mod pointwise;
mod pointwise_mean;
mod stem;

pub(super) use depthwise::{depthwise_s1, depthwise_s2};
pub(super) use fully_connected::fully_connected;
pub(super) use max_pool::max_pool;
pub(super) use pointwise::pointwise;
pub(super) use pointwise_mean::pointwise_mean;
pub(super) use stem::stem;

use super::args::{ColumnRange, RawView, WindowArgs};
use pointwise::pixel_output;

/// `if x > 0 { x } else { 0 }`: -0 and NaN become +0.
#[inline(always)]
fn relu(x: f32) -> f32 {
    if x > 0.0 { x } else { 0.0 }
}

/// The columns of a view in order.
///
/// # Safety
/// `ranges` points at `range_count` ranges.
#[inline(always)]
unsafe fn columns<T>(view: &RawView<T>) -> impl Iterator<Item = usize> {
    // SAFETY: promised by the caller.
    let ranges: &[ColumnRange] =
        unsafe { std::slice::from_raw_parts(view.ranges, view.range_count) };
    ranges.iter().flat_map(|range| range.start..range.end())
}

/// The taps of the 3x3 window around output pixel `x` that lie inside the image: `(tap, its pixel)`.
///
/// # Safety
/// Rows that are not null cover `input_width` pixels, and the centre pixel lies inside the image.
#[inline(always)]
unsafe fn taps(
    args: &WindowArgs,
    x: usize,
    stride: usize,
) -> impl Iterator<Item = (usize, *const f32)> {
    let inside = move |tap: usize| {
        let row = args.rows[tap / 3];
        let column = (x * stride + tap % 3).checked_sub(1)?;
        if row.is_null() || column >= args.input_width {
            return None;
        }
        // SAFETY: the row covers `input_width` pixels.
        Some((tap, unsafe { row.add(column * args.input_stride) }))
    };
    (0..9).filter_map(inside)
}

/// Makes a kernel of an `#[inline(always)]` body: compiled with the fused multiply-add instruction
/// where the CPU has it, since without it `mul_add` is a call that gives the same bits slowly.
macro_rules! kernel {
    ($name:ident, $args:ty, $body:expr) => {
        /// # Safety
        /// As the function's type says.
        pub(in crate::kernels) unsafe extern "C" fn $name(args: &$args) {
            #[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
            {
                /// # Safety
                /// As for the kernel, and the CPU has fused multiply-adds.
                #[target_feature(enable = "fma")]
                unsafe fn fused(args: &$args) {
                    // SAFETY: promised by the caller.
                    unsafe { $body(args) }
                }
                if std::arch::is_x86_feature_detected!("fma") {
                    // SAFETY: promised by the caller, and the CPU has the instructions.
                    return unsafe { fused(args) };
                }
            }
            // SAFETY: promised by the caller.
            unsafe { $body(args) }
        }
    };
}
use kernel;
