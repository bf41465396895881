//! What a core can do at most.

use wide::f32x8;

crate::kernels::vector::probe! {
    f32x8, sums 6
}
