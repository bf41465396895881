//! Depthwise 3x3.

use std::arch::x86_64::__m256;

crate::kernels::vector::depthwise_kernels! {
    #[target_feature(enable = "avx2,fma")]
    __m256, tiles 7 3, narrower reference of 1
}
