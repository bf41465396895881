//! The first convolution.

use std::arch::aarch64::float32x4_t;

crate::kernels::vector::stem_kernel! {
    float32x4_t,
    #[inline(always)] tiles 3 x [1 2 3 4 5 6]
}
