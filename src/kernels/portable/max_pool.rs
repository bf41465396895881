//! Max pool 3x3, stride 2.

use wide::f32x8;

crate::kernels::vector::max_pool_kernel! {
    f32x8
}
