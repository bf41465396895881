//! The first convolution.

use std::arch::x86_64::__m256;

crate::kernels::vector::stem_kernel! {
    #[target_feature(enable = "avx2,fma")]
    __m256,
    #[inline(never)] tiles 4 x [1 2 3]
}
