//! Kernels for x86 CPUs with AVX-512 (F and VL).
//!
//! 32 registers: a tile of 14 rows times 2 vectors leaves 4 for weights and inputs. The network's images
//! are 28, 14 and 7 pixels wide.

use super::vector::{Vector, entries};
use std::arch::x86_64::*;

// SAFETY: operations are those of the names, and multiply-adds are fused.
unsafe impl Vector for __m512 {
    const LANES: usize = 16;
    type Quad = *const f32;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: promised by the caller.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: promised by the caller.
        unsafe { _mm512_storeu_ps(to, self) }
    }

    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, len: usize) {
        let mask = ((1u32 << len) - 1) as __mmask16;
        // SAFETY: promised by the caller.
        unsafe { _mm512_mask_storeu_ps(to, mask, self) }
    }

    #[inline(always)]
    unsafe fn splat(from: *const f32) -> Self {
        // SAFETY: promised by the caller.
        unsafe { _mm512_set1_ps(*from) }
    }

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: promised by the caller.
        unsafe { _mm512_setzero_ps() }
    }

    #[inline(always)]
    unsafe fn multiply_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: promised by the caller.
        unsafe { _mm512_fmadd_ps(self, factor, sum) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: promised by the caller.
        unsafe { _mm512_add_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn divide(self, other: Self) -> Self {
        // SAFETY: promised by the caller.
        unsafe { _mm512_div_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn greater_or(self, other: Self) -> Self {
        // SAFETY: promised by the caller. `maxps` gives its second operand unless the first is greater.
        unsafe { _mm512_max_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn relu(self) -> Self {
        // SAFETY: promised by the caller. As above: NaN and -0 become the second operand.
        unsafe { _mm512_max_ps(self, _mm512_setzero_ps()) }
    }

    #[inline(always)]
    unsafe fn quad(from: *const f32) -> *const f32 {
        from
    }

    #[inline(always)]
    unsafe fn multiply_add_quad<const I: i32>(quad: *const f32, factor: Self, sum: Self) -> Self {
        // SAFETY: promised by the caller.
        unsafe { _mm512_fmadd_ps(_mm512_set1_ps(*quad.add(I as usize)), factor, sum) }
    }
}

entries! {
    #[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
    __m512, width 16,
    pointwise 14 [1 2 3 4 5 6 7 8 9 10 11 12 13 14] [1 2] 2,
    mean 7 [1 2 3 4 5 6 7],
    fc [1 2 3 4] 4,
    stem 8 [1 2] 2,
    depthwise 8 8
}
