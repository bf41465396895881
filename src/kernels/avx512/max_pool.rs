//! Max pool 3x3, stride 2.

use std::arch::x86_64::__m512;

crate::kernels::vector::max_pool_kernel! {
    #[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
    __m512
}
