//! Pointwise convolution, of all pixels or with their mean.

use std::arch::x86_64::__m256;

crate::kernels::vector::pointwise_kernels! {
    #[target_feature(enable = "avx2,fma")]
    __m256, width 16,
    #[inline(never)] tiles
        1 x [1 2 3 4 5 6]
        2 x [1 2 3 4 5 6]
        3 x [1 2 3 4]
}
