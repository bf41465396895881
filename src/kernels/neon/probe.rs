//! What a core can do at most.

use std::arch::aarch64::float32x4_t;

crate::kernels::vector::probe! {
    float32x4_t, sums 16
}
