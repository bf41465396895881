//! Pointwise convolution: packed panels of weights, one after the other, times all rows. So a panel
//! comes from memory once and stays in the first-level cache; the rows come from there or the second.

use super::tile::{MOST_ROWS, Segment, WeightSteps, accumulate};
use super::{Vector, opaque, ranges, unrolled};
#[cfg(assembly)]
use crate::kernels::args::TileArgs;
use crate::kernels::args::{ColumnRange, PointwiseArgs};

/// Outputs in the widest block of panels.
pub(in crate::kernels) const MOST: usize = 64;

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
pub(in crate::kernels) struct Blocks<'a> {
    args: &'a PointwiseArgs,
    /// The next output, and where it is stored.
    next: usize,
    outputs: &'a [ColumnRange],
    used: usize,
}

impl<'a> Blocks<'a> {
    /// # Safety
    /// As for the kernel.
    pub unsafe fn new(args: &'a PointwiseArgs) -> Blocks<'a> {
        // SAFETY: promised by the caller.
        Blocks { args, next: 0, outputs: unsafe { ranges(&args.output) }, used: 0 }
    }

    /// The next block and its number of vectors. Vectors of padding alone are not counted.
    ///
    /// # Safety
    /// As for the kernel.
    #[inline(always)]
    pub unsafe fn next(&mut self, tiles: &Tiles) -> Option<(Block<'a>, usize)> {
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
    #[inline(always)]
    pub fn in_place(&self, tiles: &Tiles) -> Option<*mut f32> {
        let range = self.outputs.first()?;
        let fits = range.len - self.used >= self.len;
        let whole = self.len.is_multiple_of(tiles.lanes) || tiles.masks;
        (fits && whole).then(|| self.args.output.data.wrapping_add(range.start + self.used))
    }

    /// Stores the block's outputs of the rows from `row` on wherever they belong.
    ///
    /// # Safety
    /// As for the kernel; the rows exist.
    pub unsafe fn scatter(&self, row: usize, values: &[[f32; MOST]]) {
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

    /// What a tile in assembly takes: the rows from that one on, stored there, so many floats apart.
    #[cfg(assembly)]
    pub fn tile_args(&self, row: usize, output: *mut f32, output_stride: usize) -> TileArgs {
        let input = &self.args.input;
        TileArgs {
            input: input.data.wrapping_add(row * input.stride),
            input_stride: input.stride,
            ranges: input.ranges,
            range_count: input.range_count,
            weights: self.weights,
            bias: self.bias,
            output,
            output_stride,
            relu: self.args.relu,
        }
    }

    /// Computes `ROWS` rows from `row` on.
    ///
    /// # Safety
    /// As for the kernel; the rows and vectors exist, and the target is one for them.
    #[inline(always)]
    pub unsafe fn tile<V: Vector, const ROWS: usize, const VECTORS: usize>(
        &self,
        row: usize,
        target: Target,
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
            // No closures: they are compiled without the instruction set.
            if self.args.relu {
                unrolled!(ROWS, |row| {
                    for sum in &mut sums[row] {
                        *sum = sum.relu();
                    }
                });
            }
            match target {
                Target::Place { to, stride } => self.store(sums, to, stride),
                Target::Columns => {
                    if V::PARTS {
                        self.store_columns(sums, row);
                    }
                }
                Target::Mean(mean) => (*mean).add(sums),
            }
        }
    }

    /// # Safety
    /// As for [`Block::tile`] with [`Target::Place`].
    #[inline(always)]
    pub(super) unsafe fn store<V: Vector, const ROWS: usize, const VECTORS: usize>(
        &self,
        sums: [[V; VECTORS]; ROWS],
        mut to: *mut f32,
        stride: usize,
    ) {
        let last = self.len - (VECTORS - 1) * V::LANES;
        // SAFETY: promised by the caller.
        unsafe {
            unrolled!(ROWS, |row| {
                to = opaque(to);
                for (j, sum) in sums[row].into_iter().enumerate() {
                    if V::MASKS && j + 1 == VECTORS {
                        sum.store_part(to.add(j * V::LANES), 0, last);
                    } else {
                        sum.store(to.add(j * V::LANES));
                    }
                }
                to = to.wrapping_add(stride);
            });
        }
    }

    /// Stores each output in its column.
    ///
    /// # Safety
    /// As for [`Block::tile`]; the vector can store parts.
    #[inline(always)]
    unsafe fn store_columns<V: Vector, const ROWS: usize, const VECTORS: usize>(
        &self,
        sums: [[V; VECTORS]; ROWS],
        row: usize,
    ) {
        let output = &self.args.output;
        let (mut lane, mut used) = (0, self.used);
        for range in self.outputs {
            let end = self.len.min(lane + range.len - used);
            // Where lane 0 would be.
            let to = output.data.wrapping_add(row * output.stride + range.start + used);
            let to = to.wrapping_sub(lane);
            unrolled!(VECTORS, |j| {
                let (from, until) = (lane.max(j * V::LANES), end.min((j + 1) * V::LANES));
                if from < until {
                    let mut to = to.wrapping_add(j * V::LANES);
                    let (from, until) = (from - j * V::LANES, until - j * V::LANES);
                    unrolled!(ROWS, |i| {
                        to = opaque(to);
                        // SAFETY: promised by the caller; the lanes' columns lie inside the range.
                        unsafe { sums[i][j].store_part(to, from, until) };
                        to = to.wrapping_add(output.stride);
                    });
                }
            });
            (lane, used) = (end, 0);
            if lane == self.len {
                break;
            }
        }
    }
}

/// Adds up an image's pixels: those of a row from left to right, then the rows.
pub(in crate::kernels) struct Mean {
    width: usize,
    /// Pixels of the current row so far, their sum, and that of the rows before.
    pixels: usize,
    row: [f32; MOST],
    total: [f32; MOST],
}

impl Mean {
    pub fn new(width: usize) -> Mean {
        Mean { width, pixels: 0, row: [0.0; MOST], total: [0.0; MOST] }
    }

    /// Starts again, with so many outputs.
    pub fn clear(&mut self, outputs: usize) {
        self.pixels = 0;
        self.row[..outputs].fill(0.0);
        self.total[..outputs].fill(0.0);
    }

    /// # Safety
    /// The CPU has the vector's instructions.
    #[inline(always)]
    unsafe fn add<V: Vector, const ROWS: usize, const VECTORS: usize>(
        &mut self,
        sums: [[V; VECTORS]; ROWS],
    ) {
        // SAFETY: promised by the caller; there is room for the most outputs of a block.
        unsafe {
            let (row, total) = (self.row.as_mut_ptr(), self.total.as_mut_ptr());
            let mut row_sums = [V::zero(); VECTORS];
            for (j, sum) in row_sums.iter_mut().enumerate() {
                *sum = V::load(row.add(j * V::LANES));
            }
            let mut pixels = self.pixels;
            unrolled!(ROWS, |i| {
                for (sum, value) in row_sums.iter_mut().zip(sums[i]) {
                    *sum = sum.add(value);
                }
                pixels += 1;
                if pixels == self.width {
                    pixels = 0;
                    for (j, sum) in row_sums.iter_mut().enumerate() {
                        let total = total.add(j * V::LANES);
                        V::load(total).add(*sum).store(total);
                        *sum = V::zero();
                    }
                }
            });
            self.pixels = pixels;
            for (j, sum) in row_sums.into_iter().enumerate() {
                sum.store(row.add(j * V::LANES));
            }
        }
    }

    /// Divides by the number of pixels, and stores the block's outputs.
    ///
    /// # Safety
    /// As for the kernel.
    pub unsafe fn finish(&mut self, block: &Block<'_>) {
        let pixels = block.args.rows as f32;
        self.total[..block.len].iter_mut().for_each(|total| *total /= pixels);
        // SAFETY: promised by the caller.
        unsafe { block.scatter(0, std::slice::from_ref(&self.total)) };
    }
}

/// What becomes of a tile's results.
#[derive(Clone, Copy)]
pub(in crate::kernels) enum Target {
    /// They are stored beside each other: the first row's outputs, and the floats from one row's to the
    /// next's. There is room for the block's outputs or, where the vector has no masks, for all lanes.
    Place { to: *mut f32, stride: usize },
    /// They are stored in the block's columns.
    Columns,
    /// They are added up.
    Mean(*mut Mean),
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

/// An instruction set's tiles, and what they take.
pub(in crate::kernels) struct Tiles {
    /// Floats in a vector.
    pub lanes: usize,
    /// Whether part of a vector can be stored, and at no cost.
    pub parts: bool,
    pub masks: bool,
    /// Outputs in a panel.
    pub width: usize,
    /// The most rows of a tile of 1, 2, ... vectors.
    pub rows: &'static [usize],
}

impl Tiles {
    /// Tiles of a vector.
    pub const fn new<V: Vector>(width: usize, rows: &'static [usize]) -> Tiles {
        Tiles { lanes: V::LANES, parts: V::PARTS, masks: V::MASKS, width, rows }
    }
}

/// As many rows as any tile has, of as many outputs.
pub(in crate::kernels) type Scratch = [[f32; MOST]; MOST_ROWS];

/// Computes a tile instead of the largest of [`Tiles`]: the block's rows from that one on, stored there,
/// so many floats apart.
pub(in crate::kernels) type LargestTile = unsafe fn(&Block<'_>, usize, *mut f32, usize);

/// The pointwise kernels of an instruction set: for each number of vectors the numbers of rows in a
/// tile, each from 1 on.
macro_rules! pointwise_kernels {
    (
        $(#[$attribute:meta])* $vector:ty, width $width:literal,
        tiles $($vectors:literal x [$($rows:literal)*])*
    ) => {
        use crate::kernels::args::{PointwiseArgs, PointwiseMeanArgs};
        use crate::kernels::vector::{Blocks, LargestTile, MOST, Mean, Scratch, Target, Tiles, even_pieces};
        use std::mem::MaybeUninit;

        const TILES: Tiles = Tiles::new::<$vector>($width, &[$([$($rows),*].len()),*]);

        /// All blocks, tile by tile. They are stored, or added up to means.
        ///
        /// # Safety
        /// As for [`PointwiseFn`](crate::kernels::args::PointwiseFn); the largest tile's code is one.
        $(#[$attribute])*
        pub(super) unsafe fn run(
            args: &PointwiseArgs,
            mut mean: Option<&mut Mean>,
            largest: Option<LargestTile>,
        ) {
            let mut scratch = MaybeUninit::<Scratch>::uninit();
            // SAFETY: promised by the caller; the scratch has room for a tile.
            unsafe {
                let mut blocks = Blocks::new(args);
                while let Some((block, vectors)) = blocks.next(&TILES) {
                    let place = block.in_place(&TILES);
                    if let Some(mean) = &mut mean {
                        mean.clear(vectors * TILES.lanes);
                    }
                    for (row, rows) in even_pieces(args.rows, TILES.rows[vectors - 1]) {
                        let target = match (&mut mean, place) {
                            (Some(mean), _) => Target::Mean(*mean),
                            (_, Some(to)) => {
                                let stride = args.output.stride;
                                Target::Place { to: to.add(row * stride), stride }
                            }
                            _ if TILES.parts => Target::Columns,
                            _ => Target::Place {
                                to: scratch.as_mut_ptr().cast(),
                                stride: MOST,
                            },
                        };
                        let whole = vectors == TILES.rows.len() && rows == TILES.rows[vectors - 1];
                        if let (true, Some(tile), Target::Place { to, stride }) = (whole, largest, target) {
                            tile(&block, row, to, stride);
                            continue;
                        }
                        match (vectors, rows) {
                            $($(
                                ($vectors, $rows) => {
                                    block.tile::<$vector, $rows, $vectors>(row, target);
                                }
                            )*)*
                            _ => unreachable!("a tile larger than the registers"),
                        }
                        if let (None, None, false) = (&mean, place, TILES.parts) {
                            block.scatter(row, &(&*scratch.as_ptr())[..rows]);
                        }
                    }
                    if let Some(mean) = &mut mean {
                        mean.finish(&block);
                    }
                }
            }
        }

        /// # Safety
        /// As for [`PointwiseFn`](crate::kernels::args::PointwiseFn).
        pub(in crate::kernels) unsafe extern "C" fn pointwise(args: &PointwiseArgs) {
            // SAFETY: promised by the caller.
            unsafe { run(args, None, None) }
        }

        /// # Safety
        /// As for [`PointwiseMeanFn`](crate::kernels::args::PointwiseMeanFn).
        pub(in crate::kernels) unsafe extern "C" fn pointwise_mean(args: &PointwiseMeanArgs) {
            // SAFETY: promised by the caller.
            unsafe { run(&args.pointwise, Some(&mut Mean::new(args.width)), None) }
        }
    };
}
pub(in crate::kernels) use pointwise_kernels;
