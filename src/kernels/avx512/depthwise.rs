//! Depthwise 3x3.

use std::arch::x86_64::__m512;

crate::kernels::vector::depthwise_kernels! {
    #[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
    __m512, tiles 7 3, narrower avx2 of 8
}
