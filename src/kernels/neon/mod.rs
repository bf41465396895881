//! Kernels for AArch64 with NEON.
//!
//! 32 registers: a tile of 8 rows times 2 vectors takes 16, four inputs of each row 8, weights the rest.

#[cfg(assembly)]
mod assembly;
mod depthwise;
mod fully_connected;
mod max_pool;
mod pixel_rows;
mod pointwise;
mod probe;
mod stem;

#[cfg(assembly)]
pub(super) use assembly::{pointwise_a53, pointwise_a55, pointwise_mean_a53, pointwise_mean_a55};
pub(super) use depthwise::{depthwise_s1, depthwise_s2};
pub(super) use fully_connected::fully_connected;
pub(super) use max_pool::max_pool;
pub(super) use pixel_rows::PIXEL_ROWS;
pub(super) use pointwise::{pointwise, pointwise_mean};
pub(super) use probe::PROBE;
pub(super) use stem::stem;

use super::vector::Vector;
use std::arch::aarch64::*;

// SAFETY: operations are those of the names, and multiply-adds are fused.
unsafe impl Vector for float32x4_t {
    const LANES: usize = 4;
    const PARTS: bool = true;
    const MEANS: bool = true;
    const GATHERED: bool = true;
    type Quad = Self;
    type Picked = Self;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: promised by the caller.
        unsafe { vld1q_f32(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: promised by the caller.
        unsafe { vst1q_f32(to, self) }
    }

    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, from: usize, until: usize) {
        // SAFETY: promised by the caller.
        unsafe {
            if (from, until) == (0, 4) {
                return self.store(to);
            }
            if from == 0 {
                store_lane::<0>(self, to);
            }
            if from <= 1 && until > 1 {
                store_lane::<1>(self, to);
            }
            if from <= 2 && until > 2 {
                store_lane::<2>(self, to);
            }
            if until == 4 {
                store_lane::<3>(self, to);
            }
        }
    }

    #[inline(always)]
    unsafe fn splat(from: *const f32) -> Self {
        // SAFETY: promised by the caller.
        unsafe { vld1q_dup_f32(from) }
    }

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: promised by the caller.
        unsafe { vdupq_n_f32(0.0) }
    }

    #[inline(always)]
    unsafe fn multiply_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: promised by the caller.
        unsafe { vfmaq_f32(sum, self, factor) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: promised by the caller.
        unsafe { vaddq_f32(self, other) }
    }

    #[inline(always)]
    unsafe fn greater_or(self, other: Self) -> Self {
        // SAFETY: promised by the caller.
        unsafe { vbslq_f32(vcgtq_f32(self, other), self, other) }
    }

    #[inline(always)]
    unsafe fn relu(self) -> Self {
        // SAFETY: promised by the caller. `fmaxnm` gives the number where the other is NaN, and +0 for
        // a pair of zeros.
        unsafe { vmaxnmq_f32(self, vdupq_n_f32(0.0)) }
    }

    #[inline(always)]
    unsafe fn gathered<const N: usize>(mut weights: [[Self; N]; 4]) -> [[Self; N]; 4] {
        // SAFETY: there is no instruction.
        unsafe {
            let [a, b, c, d] = &mut weights;
            if N == 1 {
                std::arch::asm!(
                    "/* {:v} {:v} {:v} {:v} */",
                    inout(vreg) a[0], inout(vreg) b[0], inout(vreg) c[0], inout(vreg) d[0],
                    options(pure, nomem, nostack, preserves_flags),
                );
            } else if N == 2 {
                std::arch::asm!(
                    "/* {:v} {:v} {:v} {:v} {:v} {:v} {:v} {:v} */",
                    inout(vreg) a[0], inout(vreg) b[0], inout(vreg) c[0], inout(vreg) d[0],
                    inout(vreg) a[1], inout(vreg) b[1], inout(vreg) c[1], inout(vreg) d[1],
                    options(pure, nomem, nostack, preserves_flags),
                );
            }
        }
        weights
    }

    #[inline(always)]
    unsafe fn quad(from: *const f32, row: usize, stride: usize) -> Self {
        // SAFETY: promised by the caller.
        unsafe { vld1q_f32(from.add(row * stride)) }
    }

    #[inline(always)]
    unsafe fn one(from: *const f32, row: usize, stride: usize) -> Self {
        // SAFETY: promised by the caller.
        unsafe { vld1q_dup_f32(from.add(row * stride)) }
    }

    #[inline(always)]
    unsafe fn pick<const I: i32>(quad: Self) -> Self {
        quad
    }

    #[inline(always)]
    unsafe fn multiply_add_picked<const I: i32>(self, picked: Self, sum: Self) -> Self {
        // SAFETY: promised by the caller.
        unsafe { vfmaq_laneq_f32::<I>(sum, self, picked) }
    }
}

/// Stores lane `I` where the whole vector's store would. Written out, for the compiler takes vectors apart
/// early and keeps the lanes in memory.
///
/// # Safety
/// `to` covers the lane.
#[inline(always)]
unsafe fn store_lane<const I: usize>(vector: float32x4_t, to: *mut f32) {
    // SAFETY: promised by the caller.
    unsafe {
        std::arch::asm!(
            "st1 {{{vector:v}.s}}[{lane}], [{to}]",
            vector = in(vreg) vector,
            lane = const I,
            to = in(reg) to.wrapping_add(I),
            options(nostack, preserves_flags),
        )
    }
}
