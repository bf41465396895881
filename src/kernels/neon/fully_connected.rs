//! The fully connected layer.

use std::arch::aarch64::float32x4_t;

crate::kernels::vector::fully_connected_kernel! {
    float32x4_t, width 8, vectors [1 2 3 4 5 6 7 8]
}
