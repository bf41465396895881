//! Max pool 3x3, stride 2.

use std::arch::aarch64::float32x4_t;

crate::kernels::vector::max_pool_kernel! {
    float32x4_t
}
