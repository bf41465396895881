//! Pointwise convolution, of all pixels or with their mean.

use wide::f32x8;

crate::kernels::vector::pointwise_kernels! {
    f32x8, width 8,
    #[inline(never)] tiles
        1 x [1 2 3 4]
}
