//! What a core can do at most.

use std::arch::x86_64::__m256;

crate::kernels::vector::probe! {
    #[target_feature(enable = "avx2,fma")]
    __m256, sums 12
}
