//! Pointwise convolution, of all pixels or with their mean.

use std::arch::x86_64::__m512;

crate::kernels::vector::pointwise_kernels! {
    #[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
    __m512, width 16,
    #[inline(never)] tiles
        1 x [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16]
        2 x [1 2 3 4 5 6 7 8 9 10 11 12 13]
}
