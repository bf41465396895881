//! Kernels for x86 CPUs with AVX2 and fused multiply-add.
//!
//! 16 registers: a tile of 6 rows times 2 vectors, or of 4 times 3, leaves 4 for weights and inputs.

mod depthwise;
mod fully_connected;
mod max_pool;
mod pixel_rows;
mod pointwise;
mod probe;
mod stem;

pub(super) use depthwise::{depthwise_s1, depthwise_s2};
pub(super) use fully_connected::fully_connected;
pub(super) use max_pool::max_pool;
pub(super) use pixel_rows::PIXEL_ROWS;
pub(super) use pointwise::{pointwise, pointwise_mean};
pub(super) use probe::PROBE;
pub(super) use stem::stem;

use super::vector::Vector;
use super::x86::{x86_broadcast, x86_vector};
use std::arch::x86_64::*;

x86_vector! {
    __m256, 8 lanes in ymm_reg of "avx",
    load _mm256_loadu_ps, store _mm256_storeu_ps, splat _mm256_set1_ps, zero _mm256_setzero_ps,
    multiply_add _mm256_fmadd_ps, add _mm256_add_ps, max _mm256_max_ps
}
