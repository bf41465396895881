//! The first convolution.

use std::arch::x86_64::__m512;

crate::kernels::vector::stem_kernel! {
    #[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
    __m512, tiles 8 x [1 2]
}
