//! Tiles written in assembly, for core types whose order of instructions matters; see `kernels/aarch64`.

use super::pointwise::run;
use crate::kernels::args::{PointwiseArgs, PointwiseMeanArgs, TileArgs};
use crate::kernels::vector::{Block, Mean};

/// A core type's tiles, and the kernels with them.
macro_rules! scheduled {
    ($tile:ident, $eight:ident, $seven:ident, $pointwise:ident, $pointwise_mean:ident) => {
        unsafe extern "C" {
            fn $eight(args: &TileArgs);
            fn $seven(args: &TileArgs);
        }

        /// # Safety
        /// As for [`ScheduledTile`].
        unsafe fn $tile(block: &Block<'_>, row: usize, rows: usize) -> bool {
            // SAFETY: promised by the caller; the assembly reads the ranges of so many rows and the
            // weights of 8 outputs, and stores these outputs or their sum.
            unsafe {
                match rows {
                    8 => block.scheduled(row, rows, $eight),
                    7 => block.scheduled(row, rows, $seven),
                    _ => false,
                }
            }
        }

        /// # Safety
        /// As for [`PointwiseFn`](crate::kernels::args::PointwiseFn).
        pub(in crate::kernels) unsafe extern "C" fn $pointwise(args: &PointwiseArgs) {
            // SAFETY: promised by the caller.
            unsafe { run(args, None, Some($tile)) }
        }

        /// # Safety
        /// As for [`PointwiseMeanFn`](crate::kernels::args::PointwiseMeanFn).
        pub(in crate::kernels) unsafe extern "C" fn $pointwise_mean(args: &PointwiseMeanArgs) {
            // SAFETY: promised by the caller.
            unsafe { run(&args.pointwise, Some(&mut Mean::new(args)), Some($tile)) }
        }
    };
}

scheduled!(
    tile_a53,
    shufflenet_f32_pw_8x8_neon_a53,
    shufflenet_f32_pw_7x8_neon_a53,
    pointwise_a53,
    pointwise_mean_a53
);
scheduled!(
    tile_a55,
    shufflenet_f32_pw_8x8_neon_a55,
    shufflenet_f32_pw_7x8_neon_a55,
    pointwise_a55,
    pointwise_mean_a55
);
