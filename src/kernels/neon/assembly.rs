//! Tiles written in assembly, for core types whose order of instructions matters; see `kernels/aarch64`.

use super::pointwise::run;
use crate::kernels::args::{PointwiseArgs, PointwiseMeanArgs, TileArgs};
use crate::kernels::vector::{Block, Mean};

unsafe extern "C" {
    fn shufflenet_f32_pw_8x8_neon_a55(args: &TileArgs);
}

/// # Safety
/// As for [`Block::tile`]: 8 rows of 8 outputs.
unsafe fn tile_a55(block: &Block<'_>, row: usize) -> bool {
    // SAFETY: promised by the caller; the assembly reads the ranges of 8 rows and their weights, and
    // stores 8 rows of 8 outputs.
    unsafe {
        let args = block.tile_args(row);
        args.inspect(|args| shufflenet_f32_pw_8x8_neon_a55(args)).is_some()
    }
}

/// # Safety
/// As for [`PointwiseFn`](crate::kernels::args::PointwiseFn).
pub(in crate::kernels) unsafe extern "C" fn pointwise_a55(args: &PointwiseArgs) {
    // SAFETY: promised by the caller.
    unsafe { run(args, None, Some(tile_a55)) }
}

/// # Safety
/// As for [`PointwiseMeanFn`](crate::kernels::args::PointwiseMeanFn).
pub(in crate::kernels) unsafe extern "C" fn pointwise_mean_a55(args: &PointwiseMeanArgs) {
    // SAFETY: promised by the caller.
    unsafe { run(&args.pointwise, Some(&mut Mean::new(args)), Some(tile_a55)) }
}
