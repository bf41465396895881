//! Pointwise convolution and the fully connected layer.

use wide::f32x8;

crate::kernels::vector::pointwise_kernels! {
    f32x8, width 8,
    tiles
        1 x [1 2 3 4],
    fully_connected [1 2 3 4]
}
