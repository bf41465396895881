//! The first convolution. Tiles are inlined as the pointwise ones.

use std::arch::aarch64::float32x4_t;

crate::kernels::vector::stem_kernel! {
    float32x4_t,
    #[cfg_attr(debug_assertions, inline(never))]
    #[cfg_attr(not(debug_assertions), inline(always))]
    tiles 3 x [1 2 3 4 5 6]
}
