//! Kernels in the vectors of the crate `wide`, for CPUs without a better level. `wide` chooses its
//! instructions when the crate is built; where they have no fused multiply-add, results differ from the
//! reference by rounding.

use super::vector::{Vector, entries};
use wide::f32x8;

// SAFETY: operations are those of the names; this level promises no fused multiply-add.
unsafe impl Vector for f32x8 {
    const LANES: usize = 8;
    type Quad = *const f32;

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
    unsafe fn store_first(self, to: *mut f32, len: usize) {
        // SAFETY: promised by the caller.
        unsafe { to.copy_from_nonoverlapping(self.to_array().as_ptr(), len) }
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
    unsafe fn divide(self, other: Self) -> Self {
        self / other
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
    unsafe fn quad(from: *const f32) -> *const f32 {
        from
    }

    #[inline(always)]
    unsafe fn multiply_add_quad<const I: i32>(quad: *const f32, factor: Self, sum: Self) -> Self {
        // SAFETY: promised by the caller.
        unsafe { f32x8::splat(*quad.add(I as usize)) }.mul_add(factor, sum)
    }
}

entries! {
    f32x8, width 8,
    pointwise 4 [1 2 3 4] [1] 1,
    mean 4 [1 2 3 4],
    fc [1 2 3 4] 4,
    stem 4 [1] 1,
    depthwise 2 2
}
