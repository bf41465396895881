//! Pointwise convolution: packed panels of weights, one after the other, times all rows. So a panel
//! comes from memory once and stays in the first-level cache; the rows come from there or the second.

use super::tile::{MOST_ROWS, Segment, WeightSteps, accumulate};
use super::{Vector, even_pieces, ranges, unrolled};
#[cfg(assembly)]
use crate::kernels::args::TileArgs;
use crate::kernels::args::{ColumnRange, PointwiseArgs, PointwiseMeanArgs};

/// Outputs in the widest block of panels.
pub(super) const MOST: usize = 64;

/// Neighbouring outputs that are computed together: all of a panel or of a few.
pub(in crate::kernels) struct Block<'a> {
    pub(super) args: &'a PointwiseArgs,
    pub(super) inputs: &'a [ColumnRange],
    pub(super) weights: *const f32,
    pub(super) bias: *const f32,
    pub(super) steps: WeightSteps,
    /// Number of outputs, without padding.
    len: usize,
    /// The output's columns from the block's first on: they begin `used` columns into the first range.
    outputs: &'a [ColumnRange],
    used: usize,
}

/// The blocks of a layer, in order.
pub(super) struct Blocks<'a> {
    args: &'a PointwiseArgs,
    /// The next output, and where it is stored.
    next: usize,
    outputs: &'a [ColumnRange],
    used: usize,
}

impl<'a> Blocks<'a> {
    /// # Safety
    /// As for the kernel.
    pub(super) unsafe fn new(args: &'a PointwiseArgs) -> Blocks<'a> {
        // SAFETY: promised by the caller.
        Blocks { args, next: 0, outputs: unsafe { ranges(&args.output) }, used: 0 }
    }

    /// The next block and its number of vectors. Vectors of padding alone are not counted.
    ///
    /// # Safety
    /// As for the kernel.
    pub(super) unsafe fn next(&mut self, tiles: &Tiles) -> Option<(Block<'a>, usize)> {
        let &Tiles { lanes, width, rows, .. } = tiles;
        let (args, n, most) = (self.args, self.next, rows.len());
        if n >= args.outputs {
            return None;
        }
        let per_panel = width / lanes;
        let left = (args.outputs - n).div_ceil(lanes);
        // Whole panels, unless nothing is left then.
        let vectors = if left <= most { left } else { most / per_panel * per_panel };
        let len = (args.outputs - n).min(vectors * lanes);
        // SAFETY: promised by the caller; output `n` starts a panel.
        let block = unsafe {
            Block {
                args,
                inputs: ranges(&args.input),
                weights: args.weights.add(n * args.inputs),
                bias: args.bias.add(n),
                steps: WeightSteps { input: width, panel: args.inputs * width, per_panel },
                len,
                outputs: self.outputs,
                used: self.used,
            }
        };
        self.next += len;
        self.used += len;
        while let [first, rest @ ..] = self.outputs
            && self.used >= first.len
        {
            self.used -= first.len;
            self.outputs = rest;
        }
        Some((block, vectors))
    }
}

impl Block<'_> {
    /// Where tiles can store: the block's columns of the output's first row, if they are neighbours.
    fn in_place(&self, tiles: &Tiles) -> Option<*mut f32> {
        let range = self.outputs.first()?;
        let fits = range.len - self.used >= self.len;
        let whole = self.len.is_multiple_of(tiles.lanes) || tiles.masks;
        (fits && whole).then(|| self.args.output.data.wrapping_add(range.start + self.used))
    }

    /// Stores the block's outputs of the rows from `row` on wherever they belong.
    ///
    /// # Safety
    /// As for the kernel; the rows exist.
    pub(super) unsafe fn scatter(&self, row: usize, values: &[[f32; MOST]]) {
        let (mut lane, mut used) = (0, self.used);
        for range in self.outputs {
            let len = (self.len - lane).min(range.len - used);
            for (i, values) in values.iter().enumerate() {
                // SAFETY: promised by the caller; the piece lies inside the range.
                unsafe {
                    let to = self.args.output.data.add((row + i) * self.args.output.stride);
                    copy(&values[lane..lane + len], to.add(range.start + used));
                }
            }
            (lane, used) = (lane + len, 0);
            if lane == self.len {
                break;
            }
        }
    }

    /// What [`Block::tile`] takes, for code in assembly.
    #[cfg(assembly)]
    pub fn tile_args(&self, part: Part) -> TileArgs {
        let input = &self.args.input;
        TileArgs {
            input: input.data.wrapping_add(part.row * input.stride),
            input_stride: input.stride,
            ranges: input.ranges,
            range_count: input.range_count,
            weights: self.weights,
            bias: self.bias,
            output: part.to,
            output_stride: part.stride,
            relu: self.args.relu,
        }
    }

    /// Computes `ROWS` rows from `row` on and stores them in `to`, `stride` floats apart.
    ///
    /// # Safety
    /// As for the kernel; the rows and vectors exist, and `to` has room for the block's outputs or, where
    /// the vector has no masks, for all lanes.
    #[inline(always)]
    pub unsafe fn tile<V: Vector, const ROWS: usize, const VECTORS: usize>(
        &self,
        row: usize,
        to: *mut f32,
        stride: usize,
    ) {
        // SAFETY: promised by the caller.
        unsafe {
            let mut bias = [V::zero(); VECTORS];
            for (j, bias) in bias.iter_mut().enumerate() {
                *bias = V::load(self.bias.add(j * V::LANES));
            }
            let mut sums = [bias; ROWS];
            let input_stride = self.args.input.stride;
            let input = self.args.input.data.add(row * input_stride);
            let mut weights = self.weights;
            for range in self.inputs {
                let segment = Segment { inputs: input.add(range.start), weights, len: range.len };
                accumulate(&mut sums, segment, input_stride, self.steps);
                weights = weights.add(range.len * self.steps.input);
            }
            self.store(sums, to, stride);
        }
    }

    /// # Safety
    /// As for [`Block::tile`].
    #[inline(always)]
    pub(super) unsafe fn store<V: Vector, const ROWS: usize, const VECTORS: usize>(
        &self,
        mut sums: [[V; VECTORS]; ROWS],
        to: *mut f32,
        stride: usize,
    ) {
        let last = self.len - (VECTORS - 1) * V::LANES;
        // SAFETY: promised by the caller.
        unsafe {
            // No closures: they are compiled without the instruction set.
            if self.args.relu {
                unrolled!(ROWS, |row| {
                    for sum in &mut sums[row] {
                        *sum = sum.relu();
                    }
                });
            }
            unrolled!(ROWS, |row| {
                let to = to.add(row * stride);
                for (j, sum) in sums[row].into_iter().enumerate() {
                    if V::MASKS && j + 1 == VECTORS {
                        sum.store_first(to.add(j * V::LANES), last);
                    } else {
                        sum.store(to.add(j * V::LANES));
                    }
                }
            });
        }
    }
}

/// Copies a few floats: four at a time, of which the last four may be copied twice.
///
/// # Safety
/// `to` covers as many floats, none of which are in `from`.
#[inline(always)]
unsafe fn copy(from: &[f32], to: *mut f32) {
    let (len, from) = (from.len(), from.as_ptr());
    let step = if len < 4 { 1 } else { 4 };
    for i in (0..len).step_by(step) {
        let i = i.min(len - step);
        // SAFETY: promised by the caller; both cover the step.
        unsafe {
            match step {
                1 => to.add(i).write(from.add(i).read()),
                _ => to
                    .add(i)
                    .cast::<[f32; 4]>()
                    .write_unaligned(from.add(i).cast::<[f32; 4]>().read_unaligned()),
            }
        }
    }
}

/// What a tile computes of its block, and where it stores that.
#[derive(Clone, Copy)]
pub(in crate::kernels) struct Part {
    /// All vectors of the block.
    pub vectors: usize,
    /// The first row, and how many.
    pub row: usize,
    pub rows: usize,
    /// The first row's outputs, and the floats from one row's to the next's.
    pub to: *mut f32,
    pub stride: usize,
}

/// An instruction set's tiles, and what they take.
pub(in crate::kernels) struct Tiles {
    /// Floats in a vector.
    pub lanes: usize,
    /// Whether part of a vector can be stored.
    pub masks: bool,
    /// Outputs in a panel.
    pub width: usize,
    /// The most rows of a tile of 1, 2, ... vectors.
    pub rows: &'static [usize],
    /// Computes part of a block, as [`Block::tile`].
    pub run: unsafe fn(&Block<'_>, Part),
}

/// As many rows as any tile has, of as many outputs.
type Scratch = [[f32; MOST]; MOST_ROWS];

/// # Safety
/// As for [`PointwiseFn`](crate::kernels::args::PointwiseFn), with these tiles' panels.
pub(in crate::kernels) unsafe fn pointwise(args: &PointwiseArgs, tiles: &Tiles) {
    // SAFETY: promised by the caller; the scratch has room for a tile.
    unsafe {
        let mut blocks = Blocks::new(args);
        while let Some((block, vectors)) = blocks.next(tiles) {
            let pieces = even_pieces(args.rows, tiles.rows[vectors - 1]);
            if let Some(to) = block.in_place(tiles) {
                let stride = args.output.stride;
                for (row, rows) in pieces {
                    let to = to.add(row * stride);
                    (tiles.run)(&block, Part { vectors, row, rows, to, stride });
                }
            } else {
                let mut scratch: Scratch = [[0.0; MOST]; MOST_ROWS];
                for (row, rows) in pieces {
                    let to = scratch.as_mut_ptr().cast();
                    (tiles.run)(&block, Part { vectors, row, rows, to, stride: MOST });
                    block.scatter(row, &scratch[..rows]);
                }
            }
        }
    }
}

/// # Safety
/// As for [`PointwiseMeanFn`](crate::kernels::args::PointwiseMeanFn), with these tiles' panels.
pub(in crate::kernels) unsafe fn pointwise_mean(args: &PointwiseMeanArgs, tiles: &Tiles) {
    let (width, images, args) = (args.width, args.images, &args.pointwise);
    let pixels = args.rows / images;
    let add = |sums: &mut [f32], values: &[f32]| {
        sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
    };
    let mut scratch: Scratch = [[0.0; MOST]; MOST_ROWS];
    // SAFETY: promised by the caller; the scratch has room for a tile.
    unsafe {
        let mut blocks = Blocks::new(args);
        while let Some((block, vectors)) = blocks.next(tiles) {
            let lanes = vectors * tiles.lanes;
            for image in 0..images {
                let (mut image_row, mut total, mut x) = ([0.0; MOST], [0.0; MOST], 0);
                for (row, rows) in even_pieces(pixels, tiles.rows[vectors - 1]) {
                    let (row, to) = (image * pixels + row, scratch.as_mut_ptr().cast());
                    (tiles.run)(&block, Part { vectors, row, rows, to, stride: MOST });
                    for values in &scratch[..rows] {
                        add(&mut image_row[..lanes], &values[..lanes]);
                        x += 1;
                        if x == width {
                            add(&mut total[..lanes], &image_row[..lanes]);
                            (image_row, x) = ([0.0; MOST], 0);
                        }
                    }
                }
                block.scatter(image, &[total.map(|total| total / pixels as f32)]);
            }
        }
    }
}

/// The pointwise kernels of an instruction set: for each number of vectors the numbers of rows in a
/// tile, each from 1 on.
macro_rules! pointwise_kernels {
    (
        $(#[$attribute:meta])* $vector:ty, width $width:literal,
        tiles $($vectors:literal x [$($rows:literal)*])*
    ) => {
        use crate::kernels::args::{PointwiseArgs, PointwiseMeanArgs};
        use crate::kernels::vector::{self, Block, Part, Tiles, Vector};

        pub(super) const TILES: Tiles = Tiles {
            lanes: <$vector>::LANES,
            masks: <$vector>::MASKS,
            width: $width,
            rows: &[$([$($rows),*].len()),*],
            run: tile,
        };

        /// # Safety
        /// As for [`Block::tile`].
        $(#[$attribute])*
        pub(super) unsafe fn tile(block: &Block<'_>, part: Part) {
            let Part { vectors, row, rows, to, stride } = part;
            match (vectors, rows) {
                $($(
                    // SAFETY: promised by the caller.
                    ($vectors, $rows) => unsafe {
                        block.tile::<$vector, $rows, $vectors>(row, to, stride);
                    },
                )*)*
                _ => unreachable!("a tile larger than the registers"),
            }
        }

        /// # Safety
        /// As for [`PointwiseFn`](crate::kernels::args::PointwiseFn).
        pub(in crate::kernels) unsafe extern "C" fn pointwise(args: &PointwiseArgs) {
            // SAFETY: promised by the caller.
            unsafe { vector::pointwise(args, const { &TILES }) }
        }

        /// # Safety
        /// As for [`PointwiseMeanFn`](crate::kernels::args::PointwiseMeanFn).
        pub(in crate::kernels) unsafe extern "C" fn pointwise_mean(args: &PointwiseMeanArgs) {
            // SAFETY: promised by the caller.
            unsafe { vector::pointwise_mean(args, const { &TILES }) }
        }
    };
}
pub(in crate::kernels) use pointwise_kernels;
