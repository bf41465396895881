//! Pointwise convolution, of all pixels or with their mean. Tiles are inlined, for a call stores registers; but in a debug
//! build, for which the compiler takes less time so.

use std::arch::aarch64::float32x4_t;

crate::kernels::vector::pointwise_kernels! {
    float32x4_t, width 8,
    #[cfg_attr(debug_assertions, inline(never))]
    #[cfg_attr(not(debug_assertions), inline(always))]
    tiles
        1 x [1 2 3 4 5 6 7 8]
        2 x [1 2 3 4 5 6 7 8]
}
