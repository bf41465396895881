//! The first convolution.

use wide::f32x8;

crate::kernels::vector::stem_kernel! {
    f32x8,
    #[inline(never)] tiles 4 x [1]
}
