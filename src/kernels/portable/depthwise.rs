//! Depthwise 3x3.

use wide::f32x8;

crate::kernels::vector::depthwise_kernels! {
    f32x8, tiles 3 3, narrower reference of 1
}
