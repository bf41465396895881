//! Kernels for AArch64 with NEON.
//!
//! 32 registers: a tile of 8 rows times 2 vectors takes 16, four inputs of each row 8, weights the rest.

use super::vector::{Vector, entries};
use std::arch::aarch64::*;

// SAFETY: operations are those of the names, and multiply-adds are fused.
unsafe impl Vector for float32x4_t {
    const LANES: usize = 4;
    type Quad = float32x4_t;

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
    unsafe fn store_first(self, mut to: *mut f32, len: usize) {
        // SAFETY: promised by the caller.
        unsafe {
            if len >= 4 {
                return self.store(to);
            }
            let mut rest = vget_low_f32(self);
            if len & 2 != 0 {
                vst1_f32(to, rest);
                rest = vget_high_f32(self);
                to = to.add(2);
            }
            if len & 1 != 0 {
                vst1_lane_f32::<0>(to, rest);
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
    unsafe fn divide(self, other: Self) -> Self {
        // SAFETY: promised by the caller.
        unsafe { vdivq_f32(self, other) }
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
    unsafe fn quad(from: *const f32) -> float32x4_t {
        // SAFETY: promised by the caller.
        unsafe { vld1q_f32(from) }
    }

    #[inline(always)]
    unsafe fn multiply_add_quad<const I: i32>(quad: float32x4_t, factor: Self, sum: Self) -> Self {
        // SAFETY: promised by the caller.
        unsafe { vfmaq_laneq_f32::<I>(sum, factor, quad) }
    }
}

entries! {
    float32x4_t, width 8,
    pointwise 8 [1 2 3 4 5 6 7 8] [1 2] 1,
    mean 8 [1 2 3 4 5 6 7 8],
    fc [1 2 3 4 5 6 7 8] 4,
    stem 3 [1 2 3 4 5 6] 6,
    depthwise 4 4
}
