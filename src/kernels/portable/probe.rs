//! What a core can do at most.

use wide::f32x8;

crate::kernels::vector::probes! {
    f32x8, sums 6
}
