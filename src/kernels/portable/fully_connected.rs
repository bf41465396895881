//! The fully connected layer.

use wide::f32x8;

crate::kernels::vector::fully_connected_kernel! {
    f32x8, width 8, vectors [1 2]
}
