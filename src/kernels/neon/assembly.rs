//! Tiles written in assembly, for core types whose order of instructions matters; see `kernels/aarch64`.

use super::pointwise::{TILES, tile};
use crate::kernels::args::{PointwiseArgs, PointwiseMeanArgs, TileArgs};
use crate::kernels::vector::{self, Block, Part, Tiles};

unsafe extern "C" {
    fn shufflenet_f32_pw_8x8_neon_a55(args: &TileArgs);
}

/// # Safety
/// As for [`Block::tile`].
unsafe fn tile_a55(block: &Block<'_>, part: Part) {
    // SAFETY: promised by the caller; the assembly reads the ranges of 8 rows and their weights, and
    // stores 8 rows of 8 outputs.
    unsafe {
        match (part.vectors, part.rows) {
            (2, 8) => shufflenet_f32_pw_8x8_neon_a55(&block.tile_args(part)),
            _ => tile(block, part),
        }
    }
}

static TILES_A55: Tiles = Tiles { run: tile_a55, ..TILES };

/// # Safety
/// As for [`PointwiseFn`](crate::kernels::args::PointwiseFn).
pub(in crate::kernels) unsafe extern "C" fn pointwise_a55(args: &PointwiseArgs) {
    // SAFETY: promised by the caller.
    unsafe { vector::pointwise(args, &TILES_A55) }
}

/// # Safety
/// As for [`PointwiseMeanFn`](crate::kernels::args::PointwiseMeanFn).
pub(in crate::kernels) unsafe extern "C" fn pointwise_mean_a55(args: &PointwiseMeanArgs) {
    // SAFETY: promised by the caller.
    unsafe { vector::pointwise_mean(args, &TILES_A55) }
}
