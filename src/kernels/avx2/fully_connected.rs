//! The fully connected layer.

use std::arch::x86_64::__m256;

crate::kernels::vector::fully_connected_kernel! {
    #[target_feature(enable = "avx2,fma")]
    __m256, width 16, vectors [1 2 3 4 5 6 7 8]
}
