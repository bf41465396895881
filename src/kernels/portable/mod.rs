//! Kernels in the vectors of the crate `wide`, for CPUs without a better level. `wide` chooses its
//! instructions when the crate is built; where they have no fused multiply-add, results differ from the
//! reference by rounding.

mod depthwise;
mod fully_connected;
mod max_pool;
mod pointwise;
mod probe;
mod stem;

pub(super) use depthwise::{depthwise_s1, depthwise_s2};
pub(super) use fully_connected::fully_connected;
pub(super) use max_pool::max_pool;
pub(super) use pointwise::{pointwise, pointwise_mean};
pub(super) use probe::PROBE;
pub(super) use stem::stem;

use super::vector::Vector;
use wide::f32x8;

// SAFETY: operations are those of the names; this level promises no fused multiply-add.
unsafe impl Vector for f32x8 {
    const LANES: usize = 8;
    type Quad = *const f32;
    type Picked = Self;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: promised by the caller.
        f32x8::from(unsafe { from.cast::<[f32; 8]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: promised by the caller.
        unsafe { to.cast::<[f32; 8]>().write_unaligned(self.to_array()) }
    }

    #[inline(always)]
    unsafe fn splat(from: *const f32) -> Self {
        // SAFETY: promised by the caller.
        f32x8::splat(unsafe { *from })
    }

    #[inline(always)]
    unsafe fn zero() -> Self {
        f32x8::ZERO
    }

    #[inline(always)]
    unsafe fn multiply_add(self, factor: Self, sum: Self) -> Self {
        self.mul_add(factor, sum)
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self + other
    }

    #[inline(always)]
    unsafe fn greater_or(self, other: Self) -> Self {
        self.simd_gt(other).bitselect(self, other)
    }

    #[inline(always)]
    unsafe fn relu(self) -> Self {
        self.simd_gt(f32x8::ZERO).bitselect(self, f32x8::ZERO)
    }

    #[inline(always)]
    unsafe fn quad(from: *const f32, row: usize, stride: usize) -> *const f32 {
        from.wrapping_add(row * stride)
    }

    #[inline(always)]
    unsafe fn one(from: *const f32, row: usize, stride: usize) -> *const f32 {
        from.wrapping_add(row * stride)
    }

    #[inline(always)]
    unsafe fn pick<const I: i32>(quad: *const f32) -> Self {
        // SAFETY: promised by the caller.
        unsafe { <Self as Vector>::splat(quad.add(I as usize)) }
    }

    #[inline(always)]
    unsafe fn multiply_add_picked<const I: i32>(self, picked: Self, sum: Self) -> Self {
        // SAFETY: promised by the caller.
        unsafe { self.multiply_add(picked, sum) }
    }
}
