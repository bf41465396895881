//! Kernels for x86 CPUs with AVX-512 (F and VL).
//!
//! 32 registers: a tile of 13 rows times 2 vectors leaves 6 for weights and inputs, as many as the
//! compiler needs to move nothing. One of 16 rows times 1 vector takes all pixels of 4x4 at once.
//!
//! Max pool and the fully connected layer wait for memory, and are no faster than with AVX2.

mod depthwise;
mod pointwise;
mod probe;
mod stem;

pub(super) use depthwise::{depthwise_s1, depthwise_s2};
pub(super) use pointwise::{pointwise, pointwise_mean};
pub(super) use probe::PROBE;
pub(super) use stem::stem;

use super::vector::Vector;
use super::x86::{x86_broadcast, x86_vector};
use std::arch::x86_64::*;

x86_vector! {
    __m512, 16 lanes in zmm_reg of "avx512f",
    load _mm512_loadu_ps, store _mm512_storeu_ps, splat _mm512_set1_ps, zero _mm512_setzero_ps,
    multiply_add _mm512_fmadd_ps, add _mm512_add_ps, max _mm512_max_ps,
    const PARTS: bool = true;
    const MASKS: bool = true;
    const STEP: usize = 2;

    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, from: usize, until: usize) {
        let mask = ((1u32 << until) - (1 << from)) as __mmask16;
        // SAFETY: promised by the caller.
        unsafe { _mm512_mask_storeu_ps(to, mask, self) }
    }
}
