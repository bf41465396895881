//! Depthwise 3x3.

use std::arch::aarch64::float32x4_t;

crate::kernels::vector::depthwise_kernels! {
    float32x4_t, tiles 7 3, narrower reference of 1
}
