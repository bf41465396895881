//! Pointwise convolution, of all pixels or with their mean.

use std::arch::aarch64::float32x4_t;

crate::kernels::vector::pointwise_kernels! {
    float32x4_t, width 8,
    #[inline(always)] tiles
        1 x [1 2 3 4 5 6 7 8]
        2 x [1 2 3 4 5 6 7 8]
}
