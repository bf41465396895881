//! Makes an instruction set's kernels of the generic code.

/// All kernels of an instruction set. `pointwise`: tiles of at most so many rows (and all numbers
/// below), the numbers of vectors in a tile, panels in a block. `mean`: rows of its tiles, fewer where
/// fewer fill the registers well enough, since each number is another copy of the code. `fc`: the numbers of vectors, panels.
/// `stem`: pixels in a tile and the numbers of vectors. `depthwise`: pixels in a tile.
macro_rules! entries {
    (
        $(#[$attribute:meta])* $vector:ty, width $width:literal,
        pointwise $rows:literal $each_row:tt $vectors:tt $panels:literal,
        mean $mean_rows:literal $each_mean_row:tt,
        fc $fc_vectors:tt $fc_panels:literal,
        stem $pixels:literal $stem_vectors:tt $most_vectors:literal,
        depthwise $tile1:literal $tile2:literal
    ) => {
        use crate::kernels::args::{PointwiseArgs, PointwiseMeanArgs, WindowArgs};
        use crate::kernels::reference;
        use crate::kernels::vector::{
            self, Blocks, Mean, channel_groups, even_pieces, stem_tile, with_constant,
        };

        /// # Safety
        /// As for [`PointwiseFn`](crate::kernels::args::PointwiseFn).
        $(#[$attribute])*
        pub(in crate::kernels) unsafe extern "C" fn pointwise(args: &PointwiseArgs) {
            // SAFETY: promised by the caller.
            unsafe {
                let mut blocks = Blocks::new(args);
                while let Some((block, vectors)) = blocks.next::<$vector>($width, $panels) {
                    with_constant!(vectors, $vectors, |VECTORS| {
                        for (row, rows) in even_pieces(args.rows, $rows) {
                            with_constant!(rows, $each_row, |ROWS| {
                                let sums = block.tile::<$vector, ROWS, VECTORS>(row);
                                block.store(row, &sums);
                            })
                        }
                    })
                }
            }
        }

        /// # Safety
        /// As for [`PointwiseMeanFn`](crate::kernels::args::PointwiseMeanFn).
        $(#[$attribute])*
        pub(in crate::kernels) unsafe extern "C" fn pointwise_mean(args: &PointwiseMeanArgs) {
            let (width, args) = (args.width, &args.pointwise);
            // SAFETY: promised by the caller.
            unsafe {
                let mut blocks = Blocks::new(args);
                while let Some((block, vectors)) = blocks.next::<$vector>($width, $panels) {
                    with_constant!(vectors, $vectors, |VECTORS| {
                        let mut mean = Mean::<$vector, VECTORS>::new();
                        for (row, rows) in even_pieces(args.rows, $mean_rows) {
                            with_constant!(rows, $each_mean_row, |ROWS| {
                                mean.add(&block.tile::<$vector, ROWS, VECTORS>(row), width);
                            })
                        }
                        block.store(0, &mean.finish(args.rows));
                    })
                }
            }
        }

        /// # Safety
        /// As for [`PointwiseFn`](crate::kernels::args::PointwiseFn).
        $(#[$attribute])*
        pub(in crate::kernels) unsafe extern "C" fn fully_connected(args: &PointwiseArgs) {
            // SAFETY: promised by the caller.
            unsafe {
                let mut blocks = Blocks::new(args);
                while let Some((block, vectors)) = blocks.next::<$vector>($width, $fc_panels) {
                    with_constant!(vectors, $fc_vectors, |VECTORS| {
                        for row in 0..args.rows {
                            block.store(row, &block.blocked_tile::<$vector, VECTORS>(row));
                        }
                    })
                }
            }
        }

        /// # Safety
        /// As for [`WindowFn`](crate::kernels::args::WindowFn).
        $(#[$attribute])*
        pub(in crate::kernels) unsafe extern "C" fn stem(args: &WindowArgs) {
            // SAFETY: promised by the caller; the tiles lie inside the output row.
            unsafe {
                if args.channels < <$vector>::LANES {
                    return reference::stem(args);
                }
                // Output pixels from 1 to here have all their columns.
                let inside = (args.input_width / 2).min(args.output_width);
                for group in channel_groups::<$vector>(args.channels, $most_vectors) {
                    with_constant!(group.vectors, $stem_vectors, |VECTORS| {
                        stem_tile::<$vector, 1, VECTORS>(args, 0, group);
                        let mut x = 1;
                        while x < args.output_width {
                            if x + $pixels <= inside {
                                stem_tile::<$vector, $pixels, VECTORS>(args, x, group);
                                x += $pixels;
                            } else {
                                stem_tile::<$vector, 1, VECTORS>(args, x, group);
                                x += 1;
                            }
                        }
                    })
                }
            }
        }

        /// # Safety
        /// As for [`WindowFn`](crate::kernels::args::WindowFn).
        $(#[$attribute])*
        pub(in crate::kernels) unsafe extern "C" fn depthwise_s1(args: &WindowArgs) {
            // SAFETY: promised by the caller.
            unsafe {
                match args.channels < <$vector>::LANES {
                    true => reference::depthwise_s1(args),
                    false => vector::depthwise::<$vector, 1, $tile1>(args),
                }
            }
        }

        /// # Safety
        /// As for [`WindowFn`](crate::kernels::args::WindowFn).
        $(#[$attribute])*
        pub(in crate::kernels) unsafe extern "C" fn depthwise_s2(args: &WindowArgs) {
            // SAFETY: promised by the caller.
            unsafe {
                match args.channels < <$vector>::LANES {
                    true => reference::depthwise_s2(args),
                    false => vector::depthwise::<$vector, 2, $tile2>(args),
                }
            }
        }

        /// # Safety
        /// As for [`WindowFn`](crate::kernels::args::WindowFn).
        $(#[$attribute])*
        pub(in crate::kernels) unsafe extern "C" fn max_pool(args: &WindowArgs) {
            // SAFETY: promised by the caller.
            unsafe {
                match args.channels < <$vector>::LANES {
                    true => reference::max_pool(args),
                    false => vector::max_pool::<$vector>(args),
                }
            }
        }
    };
}
pub(in crate::kernels) use entries;
