//! Kernels for x86 CPUs with AVX2 and fused multiply-add.
//!
//! 16 registers: a tile of 6 rows times 2 vectors leaves 4 for weights and inputs.

use super::vector::{Vector, entries};
use std::arch::x86_64::*;

// SAFETY: operations are those of the names, and multiply-adds are fused.
unsafe impl Vector for __m256 {
    const LANES: usize = 8;
    type Quad = *const f32;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: promised by the caller.
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: promised by the caller.
        unsafe { _mm256_storeu_ps(to, self) }
    }

    /// By halves: masked stores are slow on some CPUs.
    #[inline(always)]
    unsafe fn store_first(self, mut to: *mut f32, len: usize) {
        // SAFETY: promised by the caller.
        unsafe {
            if len >= 8 {
                return self.store(to);
            }
            let mut rest = _mm256_castps256_ps128(self);
            if len & 4 != 0 {
                _mm_storeu_ps(to, rest);
                rest = _mm256_extractf128_ps::<1>(self);
                to = to.add(4);
            }
            if len & 2 != 0 {
                _mm_storel_pd(to.cast(), _mm_castps_pd(rest));
                rest = _mm_movehl_ps(rest, rest);
                to = to.add(2);
            }
            if len & 1 != 0 {
                _mm_store_ss(to, rest);
            }
        }
    }

    #[inline(always)]
    unsafe fn splat(from: *const f32) -> Self {
        // SAFETY: promised by the caller.
        unsafe { _mm256_broadcast_ss(&*from) }
    }

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: promised by the caller.
        unsafe { _mm256_setzero_ps() }
    }

    #[inline(always)]
    unsafe fn multiply_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: promised by the caller.
        unsafe { _mm256_fmadd_ps(self, factor, sum) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: promised by the caller.
        unsafe { _mm256_add_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn divide(self, other: Self) -> Self {
        // SAFETY: promised by the caller.
        unsafe { _mm256_div_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn greater_or(self, other: Self) -> Self {
        // SAFETY: promised by the caller. `maxps` gives its second operand unless the first is greater.
        unsafe { _mm256_max_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn relu(self) -> Self {
        // SAFETY: promised by the caller. As above: NaN and -0 become the second operand.
        unsafe { _mm256_max_ps(self, _mm256_setzero_ps()) }
    }

    #[inline(always)]
    unsafe fn quad(from: *const f32) -> *const f32 {
        from
    }

    #[inline(always)]
    unsafe fn multiply_add_quad<const I: i32>(quad: *const f32, factor: Self, sum: Self) -> Self {
        // SAFETY: promised by the caller.
        unsafe { _mm256_fmadd_ps(_mm256_broadcast_ss(&*quad.add(I as usize)), factor, sum) }
    }
}

entries! {
    #[target_feature(enable = "avx2,fma")]
    __m256, width 16,
    pointwise 6 [1 2 3 4 5 6] [1 2] 1,
    mean 6 [1 2 3 4 5 6],
    fc [1 2 3 4 5 6 7 8] 4,
    stem 4 [1 2 3] 3,
    depthwise 4 4
}
