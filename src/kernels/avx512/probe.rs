//! What a core can do at most.

use std::arch::x86_64::__m512;

crate::kernels::vector::probe! {
    #[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
    __m512, sums 12
}
