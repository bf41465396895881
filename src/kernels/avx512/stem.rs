//! The first convolution. 14 pixels times 2 vectors of sums leave 4 registers, of which weights and an input take 3.

use std::arch::x86_64::__m512;

crate::kernels::vector::stem_kernel! {
    #[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
    __m512,
    #[inline(never)] tiles 14 x [1 2]
}
