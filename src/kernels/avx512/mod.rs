//! Kernels for x86 CPUs with AVX-512 (F and VL).
//!
//! 32 registers: a tile of 13 rows times 2 vectors leaves 6 for weights and inputs, as many as the
//! compiler needs to move nothing.
//!
//! Max pool and the fully connected layer wait for memory, and are no faster than with AVX2.

mod depthwise;
mod pointwise;
pub(super) mod probe;
mod stem;

pub(super) use depthwise::{depthwise_s1, depthwise_s2};
pub(super) use pointwise::{pointwise, pointwise_mean};
pub(super) use stem::stem;

use super::vector::Vector;
use std::arch::asm;
use std::arch::x86_64::*;

// SAFETY: operations are those of the names, and multiply-adds are fused.
unsafe impl Vector for __m512 {
    const LANES: usize = 16;
    const MASKS: bool = true;
    /// Where a row is: a pointer, and how often a stride after it.
    type Quad = (*const f32, usize, usize);
    type Picked = Self;

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
    unsafe fn quad(from: *const f32, row: usize, stride: usize) -> Self::Quad {
        (from, row, stride)
    }

    #[inline(always)]
    unsafe fn one(from: *const f32, row: usize, stride: usize) -> Self::Quad {
        (from, row, stride)
    }

    #[inline(always)]
    unsafe fn pick<const I: i32>((from, row, stride): Self::Quad) -> Self {
        // SAFETY: promised by the caller.
        unsafe {
            match row {
                0 => broadcast0::<I>(from),
                1 => broadcast1::<I>(from, stride),
                _ => broadcast2::<I>(from, stride),
            }
        }
    }

    #[inline(always)]
    unsafe fn multiply_add_picked<const I: i32>(self, picked: Self, sum: Self) -> Self {
        // SAFETY: promised by the caller.
        unsafe { self.multiply_add(picked, sum) }
    }
}

/// # Safety
/// The float exists.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn broadcast0<const I: i32>(from: *const f32) -> __m512 {
    let picked: __m512;
    // SAFETY: promised by the caller.
    unsafe {
        asm!(
            "vbroadcastss {picked}, dword ptr [{from}+{offset}]",
            picked = out(zmm_reg) picked,
            from = in(reg) from,
            offset = const 4 * I,
            options(readonly, nostack, preserves_flags),
        );
    }
    picked
}

/// # Safety
/// The float exists.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn broadcast1<const I: i32>(from: *const f32, stride: usize) -> __m512 {
    let picked: __m512;
    // SAFETY: promised by the caller.
    unsafe {
        asm!(
            "vbroadcastss {picked}, dword ptr [{from}+4*{stride}+{offset}]",
            picked = out(zmm_reg) picked,
            from = in(reg) from,
            stride = in(reg) stride,
            offset = const 4 * I,
            options(readonly, nostack, preserves_flags),
        );
    }
    picked
}

/// # Safety
/// The float exists.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn broadcast2<const I: i32>(from: *const f32, stride: usize) -> __m512 {
    let picked: __m512;
    // SAFETY: promised by the caller.
    unsafe {
        asm!(
            "vbroadcastss {picked}, dword ptr [{from}+8*{stride}+{offset}]",
            picked = out(zmm_reg) picked,
            from = in(reg) from,
            stride = in(reg) stride,
            offset = const 4 * I,
            options(readonly, nostack, preserves_flags),
        );
    }
    picked
}
