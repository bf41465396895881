//! Tiles written in assembly, for core types whose order of instructions matters; see `kernels/aarch64`.

use super::pointwise::{TILES, added, run};
use crate::kernels::args::{PointwiseArgs, PointwiseMeanArgs, TileArgs, TileFn};
use crate::kernels::vector::{Block, Mean, Scratch};
use std::mem::MaybeUninit;

/// All blocks, by tiles of 7 and of 8 rows; compiled code where the rows of an image do not divide so, or a
/// mean's tiles would not be rows of the image.
///
/// # Safety
/// As for [`PointwiseFn`](crate::kernels::args::PointwiseFn).
unsafe fn scheduled(args: &PointwiseArgs, mean: Option<&mut Mean>, tiles: [TileFn; 2]) {
    let images = mean.as_ref().map_or(1, |mean| mean.images);
    let pixels = args.rows / images;
    let pieces = pixels.div_ceil(8);
    let rows = mean.as_ref().is_none_or(|mean| mean.rows_are(pixels, pieces));
    // SAFETY: promised by the caller; an image's rows divide into 7 and 8, a mean's tiles are its rows, a
    // block is a panel, and the scratch has room for one.
    unsafe {
        if pixels < 7 * pieces || !rows {
            return run(args, mean);
        }
        let mut scratch = MaybeUninit::<Scratch>::uninit();
        let scratch = scratch.as_mut_ptr().cast();
        let mean = mean.map(|mean| (mean, added as _));
        let mut block = Block::before(args, &TILES, scratch, mean);
        while block.next(&TILES, TILES.rows.len()) > 0 {
            for image in 0..images {
                if let Some(mean) = block.mean.as_mut() {
                    mean.clear(TILES.width);
                }
                let first = image * pixels;
                block.scheduled(first..first + pixels, tiles, scratch);
                if let Some(mean) = block.mean.as_mut() {
                    mean.finish(&block, image);
                }
            }
        }
    }
}

/// A core type's kernels, of its tiles.
macro_rules! scheduled_kernels {
    ($seven:ident, $eight:ident: $pointwise:ident, $pointwise_mean:ident) => {
        unsafe extern "C" {
            fn $seven(args: &TileArgs);
            fn $eight(args: &TileArgs);
        }

        /// # Safety
        /// As for [`PointwiseFn`](crate::kernels::args::PointwiseFn).
        pub(in crate::kernels) unsafe extern "C" fn $pointwise(args: &PointwiseArgs) {
            // SAFETY: promised by the caller.
            unsafe { scheduled(args, None, [$seven, $eight]) }
        }

        /// # Safety
        /// As for [`PointwiseMeanFn`](crate::kernels::args::PointwiseMeanFn).
        pub(in crate::kernels) unsafe extern "C" fn $pointwise_mean(args: &PointwiseMeanArgs) {
            // SAFETY: promised by the caller.
            unsafe { scheduled(&args.pointwise, Some(&mut Mean::new(args)), [$seven, $eight]) }
        }
    };
}

scheduled_kernels! {
    shufflenet_f32_pw_7x8_neon_a53, shufflenet_f32_pw_8x8_neon_a53:
    pointwise_a53, pointwise_mean_a53
}
scheduled_kernels! {
    shufflenet_f32_pw_7x8_neon_a55, shufflenet_f32_pw_8x8_neon_a55:
    pointwise_a55, pointwise_mean_a55
}
