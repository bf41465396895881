//! Pointwise convolution: packed panels of weights, one after the other, times all rows. So a panel
//! comes from memory once and stays in the first-level cache; the rows come from there or the second.

#[cfg(assembly)]
use super::even_pieces;
use super::tile::{Ahead, MOST_ROWS, Segment, WeightSteps, accumulate};
use super::{Vector, opaque, ranges, row_after, unrolled};
use crate::kernels::args::{ColumnRange, PointwiseArgs, PointwiseMeanArgs};
#[cfg(assembly)]
use crate::kernels::args::{TileArgs, TileFn};
use crate::kernels::layout::LINE;
#[cfg(assembly)]
use std::{mem::MaybeUninit, ops::Range};

/// Outputs in the widest block of panels.
pub(super) const MOST: usize = 64;

/// Neighbouring outputs that are computed together: all of a panel or of a few. One after the other, they
/// are all of a layer's.
pub(in crate::kernels) struct Block<'a> {
    pub(super) args: &'a PointwiseArgs,
    /// The first output, and how many, without padding.
    first: usize,
    len: usize,
    /// The output's columns from the block's first on: they begin `used` columns into the first range.
    outputs: &'a [ColumnRange],
    used: usize,
    /// Where results go that a tile cannot store, or the mean of all.
    other: Target,
    pub target: Target,
}

/// What becomes of a block's results.
#[derive(Clone, Copy)]
pub(in crate::kernels) enum Target {
    /// They are stored beside each other; this is where the output's first row has them.
    Place(*mut f32),
    /// They are stored each in its column.
    Columns,
    /// They are stored from here on, [`MOST`] floats for each row of a tile.
    Scratch(*mut f32),
    /// They are added up.
    Mean(*mut Mean),
}

impl<'a> Block<'a> {
    /// Before the first block.
    ///
    /// # Safety
    /// As for the kernel.
    #[inline(always)]
    pub unsafe fn before(args: &'a PointwiseArgs, other: Target) -> Block<'a> {
        // SAFETY: promised by the caller.
        let outputs = unsafe { ranges(&args.output) };
        Block { args, first: 0, len: 0, outputs, used: 0, other, target: other }
    }

    /// Becomes the next block, of at most so many vectors: their number, 0 if there is none. Vectors of
    /// padding alone are not counted.
    #[inline(always)]
    pub fn next(&mut self, tiles: &Tiles, most: usize) -> usize {
        let &Tiles { lanes, width, parts, masks, .. } = tiles;
        let args = self.args;
        self.first += self.len;
        self.used += self.len;
        while let [range, rest @ ..] = self.outputs
            && self.used >= range.len
        {
            self.used -= range.len;
            self.outputs = rest;
        }
        let per_panel = width / lanes;
        let [range, ..] = self.outputs else { return 0 };
        let left = (args.outputs - self.first).div_ceil(lanes);
        // Whole panels, unless nothing is left then.
        let vectors = if left <= most { left } else { most / per_panel * per_panel };
        self.len = (args.outputs - self.first).min(vectors * lanes);
        self.target = match self.other {
            Target::Mean(mean) => Target::Mean(mean),
            _ if range.len - self.used >= self.len && (masks || self.len.is_multiple_of(lanes)) => {
                Target::Place(args.output.data.wrapping_add(range.start + self.used))
            }
            _ if parts => Target::Columns,
            other => other,
        };
        vectors
    }

    /// Where weights lie.
    #[inline(always)]
    pub(super) fn steps<V: Vector, const WIDTH: usize>(&self) -> WeightSteps {
        let per_panel = WIDTH / V::LANES;
        WeightSteps { input: WIDTH, panel: self.args.inputs * WIDTH, per_panel }
    }

    /// # Safety
    /// As for the kernel.
    #[inline(always)]
    pub(super) unsafe fn weights(&self) -> *const f32 {
        // SAFETY: promised by the caller; a block starts a panel.
        unsafe { self.args.weights.add(self.first * self.args.inputs) }
    }

    /// What tile number `tile` of an image's `tiles` asks for while it is computed: each of the first four, or of the
    /// first eight, its share of the next block's weights, or of as many of the next layer's. The others ask for
    /// the block's own, which are near. The more tiles, the fewer lines are under way at a time: these keep others
    /// waiting that come from nearer. A single tile waits for its own weights, and asks for no others.
    #[inline(always)]
    pub fn ahead(&self, width: usize, tile: usize, tiles: usize) -> Ahead {
        let PointwiseArgs { weights, inputs, outputs, next, .. } = *self.args;
        let size = |outputs: usize| outputs.next_multiple_of(width) * inputs;
        let own = weights.wrapping_add(self.first * inputs);
        let (next, len) = match outputs - self.first - self.len {
            0 => (next, size(self.len)),
            rest => (own.wrapping_add(size(self.len)), size(self.len.min(rest))),
        };
        let (shares, share, step) = match tiles {
            0..=1 => (0, 0, LINE),
            2..=7 => (4, len / 4, LINE),
            _ => (8, len / 8, LINE / 2),
        };
        let asks = tile < shares && !next.is_null();
        Ahead { at: if asks { next.wrapping_add(tile * share) } else { own }, step }
    }

    /// # Safety
    /// As for the kernel.
    #[inline(always)]
    pub(super) unsafe fn bias<V: Vector, const VECTORS: usize>(&self) -> [V; VECTORS] {
        // SAFETY: promised by the caller; biases are padded as weights are.
        unsafe {
            let from = self.args.bias.add(self.first);
            let mut bias = [V::zero(); VECTORS];
            for (j, bias) in bias.iter_mut().enumerate() {
                *bias = V::load(from.add(j * V::LANES));
            }
            bias
        }
    }

    /// Stores so many rows of results, [`MOST`] floats apart, wherever they belong from `row` on.
    ///
    /// # Safety
    /// As for the kernel; the rows exist, and so do their results.
    pub unsafe fn scatter(&self, row: usize, rows: usize, from: *const f32) {
        let (mut lane, mut used) = (0, self.used);
        let output = &self.args.output;
        for range in self.outputs {
            let len = (self.len - lane).min(range.len - used);
            for i in 0..rows {
                // SAFETY: promised by the caller; the piece lies inside the range.
                unsafe {
                    let to = output.data.add((row + i) * output.stride + range.start + used);
                    copy(from.add(i * MOST + lane), to, len);
                }
            }
            (lane, used) = (lane + len, 0);
            if lane == self.len {
                break;
            }
        }
    }

    /// Computes an image's rows by tiles in assembly, of 7 rows and of 8. What they cannot store goes through
    /// the scratch; for a mean, each tile's rows are a row of the image.
    ///
    /// # Safety
    /// As for [`Block::tile`]; the rows divide into 7 and 8, and the tiles compute a panel.
    #[cfg(assembly)]
    pub unsafe fn scheduled(
        &self,
        rows: Range<usize>,
        tiles: [TileFn; 2],
        scratch: &mut MaybeUninit<Scratch>,
    ) {
        let PointwiseArgs { input, output, relu, .. } = self.args;
        let scratch = scratch.as_mut_ptr().cast();
        // SAFETY: promised by the caller; the scratch and a mean's row have room.
        unsafe {
            let weights = self.weights();
            let bias = self.args.bias.add(self.first);
            for (row, len) in even_pieces(rows.len(), 8) {
                let row = rows.start + row;
                let (to, output_stride) = match self.target {
                    Target::Place(to) if self.len == 8 => {
                        (to.add(row * output.stride), output.stride)
                    }
                    Target::Mean(mean) => ((*mean).row.as_mut_ptr(), 0),
                    _ => (scratch, MOST),
                };
                tiles[len - 7](&TileArgs {
                    input: input.data.add(row * input.stride),
                    input_stride: input.stride,
                    ranges: input.ranges,
                    range_count: input.range_count,
                    weights,
                    bias,
                    output: to,
                    output_stride,
                    relu: *relu,
                    sum: matches!(self.target, Target::Mean(_)),
                });
                if to == scratch {
                    self.scatter(row, len, scratch);
                } else if let Target::Mean(mean) = self.target {
                    (*mean).add_row();
                }
            }
        }
    }

    /// Computes `ROWS` rows from `row` on, and asks for the weights `ahead`.
    ///
    /// # Safety
    /// As for the kernel; the rows and vectors exist, panels are `WIDTH` wide, and the target is one for
    /// the vector.
    #[inline(always)]
    pub unsafe fn tile<V: Vector, const WIDTH: usize, const ROWS: usize, const VECTORS: usize>(
        &self,
        row: usize,
        mut ahead: Ahead,
    ) {
        // SAFETY: promised by the caller.
        unsafe {
            let mut sums = [self.bias::<V, VECTORS>(); ROWS];
            let steps = self.steps::<V, WIDTH>();
            let PointwiseArgs { input, output, relu, .. } = self.args;
            // Opaque: rows are reached by additions, not each by a multiplication.
            let from = opaque(input.data.add(row * input.stride));
            let mut weights = self.weights();
            for range in ranges(input) {
                let segment = Segment { inputs: from.add(range.start), weights, len: range.len };
                accumulate(&mut sums, segment, input.stride, steps, Some(&mut ahead));
                weights = weights.add(range.len * WIDTH);
            }
            // No closures: they are compiled without the instruction set.
            if *relu {
                unrolled!(ROWS, |row| {
                    for sum in &mut sums[row] {
                        *sum = sum.relu();
                    }
                });
            }
            match self.target {
                Target::Place(to) => self.store(sums, to.add(row * output.stride), output.stride),
                Target::Scratch(to) if !V::PARTS => self.store(sums, to, MOST),
                Target::Mean(mean) => (*mean).add(sums),
                _ if V::PARTS => self.store_columns(sums, row),
                _ => {}
            }
        }
    }

    /// Stores rows `stride` floats apart.
    ///
    /// # Safety
    /// As for [`Block::tile`]; `to` has room for the block's outputs or, where the vector has no masks, for
    /// all lanes.
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
                let to = row_after(&mut to, row, stride);
                for (j, sum) in sums[row].into_iter().enumerate() {
                    if V::MASKS && j + 1 == VECTORS {
                        sum.store_part(to.add(j * V::LANES), 0, last);
                    } else {
                        sum.store(to.add(j * V::LANES));
                    }
                }
            });
        }
    }

    /// Stores each output in its column.
    ///
    /// # Safety
    /// As for [`Block::tile`]; the vector can store parts.
    #[inline(always)]
    pub(super) unsafe fn store_columns<V: Vector, const ROWS: usize, const VECTORS: usize>(
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
                        let to = row_after(&mut to, i, output.stride);
                        // SAFETY: promised by the caller; the lanes' columns lie inside the range.
                        unsafe { sums[i][j].store_part(to, from, until) };
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
    pub images: usize,
    width: usize,
    /// Pixels of the current row so far, their sum if there are any, and that of the rows before.
    pixels: usize,
    row: [f32; MOST],
    total: [f32; MOST],
}

impl Mean {
    pub fn new(args: &PointwiseMeanArgs) -> Mean {
        let &PointwiseMeanArgs { images, width, .. } = args;
        Mean { images, width, pixels: 0, row: [0.0; MOST], total: [0.0; MOST] }
    }

    /// Starts an image, with so many outputs.
    pub fn clear(&mut self, outputs: usize) {
        self.pixels = 0;
        self.total[..outputs].fill(0.0);
    }

    /// Whether all pieces of so many pixels are rows.
    #[cfg(assembly)]
    pub fn rows_are(&self, pixels: usize, pieces: usize) -> bool {
        self.width * pieces == pixels
    }

    /// Adds a row's sum.
    #[cfg(assembly)]
    fn add_row(&mut self) {
        for (total, row) in self.total.iter_mut().zip(&self.row).take(8) {
            *total += row;
        }
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
            let (mut row_sums, mut pixels) = ([V::zero(); VECTORS], self.pixels);
            if pixels > 0 {
                for (j, sum) in row_sums.iter_mut().enumerate() {
                    *sum = V::load(row.add(j * V::LANES));
                }
            }
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
            if pixels > 0 {
                for (j, sum) in row_sums.into_iter().enumerate() {
                    sum.store(row.add(j * V::LANES));
                }
            }
        }
    }

    /// Divides by the number of pixels, and stores the block's outputs of an image.
    ///
    /// # Safety
    /// As for the kernel.
    pub unsafe fn finish(&mut self, block: &Block<'_>, image: usize) {
        let pixels = (block.args.rows / self.images) as f32;
        self.total[..block.len].iter_mut().for_each(|total| *total /= pixels);
        // SAFETY: promised by the caller.
        unsafe { block.scatter(image, 1, self.total.as_ptr()) };
    }
}

/// Copies a few floats: four at a time, of which the last four may be copied twice.
///
/// # Safety
/// Both cover as many floats, none of which are the same.
#[inline(always)]
unsafe fn copy(from: *const f32, to: *mut f32, len: usize) {
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

    /// The most vectors of a block for so many rows. One tile for all of them, if there is one, takes the
    /// weights from memory while it computes; a second tile would find them nearer, but after that.
    #[inline(always)]
    pub fn most_vectors(&self, rows: usize) -> usize {
        let (panel, all) = (self.width / self.lanes, self.rows.len());
        let mut panels = (1..=all / panel).rev().map(|panels| panels * panel);
        panels.find(|&vectors| self.rows[vectors - 1] >= rows).unwrap_or(all)
    }
}

/// As many rows as any tile has, of as many outputs.
pub(in crate::kernels) type Scratch = [[f32; MOST]; MOST_ROWS];

/// The pointwise kernels of an instruction set: for each number of vectors the numbers of rows in a
/// tile, each from 1 on.
macro_rules! pointwise_kernels {
    (
        $(#[$attribute:meta])* $vector:ty, width $width:literal,
        tiles $($vectors:literal x [$($rows:literal)*])*
    ) => {
        use crate::kernels::args::{PointwiseArgs, PointwiseMeanArgs};
        use crate::kernels::vector::{
            Block, Mean, Scratch, Target, Tiles, even_pieces, opaque,
        };
        use std::mem::MaybeUninit;

        pub(super) const TILES: Tiles =
            Tiles::new::<$vector>($width, &[$([$($rows),*].len()),*]);

        /// All blocks, tile by tile. They are stored, or added up to means.
        ///
        /// # Safety
        /// As for [`PointwiseFn`](crate::kernels::args::PointwiseFn).
        $(#[$attribute])*
        pub(super) unsafe fn run(
            args: &PointwiseArgs,
            mut mean: Option<&mut Mean>,
        ) {
            let images = mean.as_ref().map_or(1, |mean| mean.images);
            let pixels = args.rows / images;
            let most = TILES.most_vectors(pixels);
            let mut scratch = MaybeUninit::<Scratch>::uninit();
            let other = match &mut mean {
                Some(mean) => Target::Mean(*mean),
                None => Target::Scratch(scratch.as_mut_ptr().cast()),
            };
            // SAFETY: promised by the caller; the scratch has room for a tile.
            unsafe {
                let mut block = Block::before(args, other);
                loop {
                    let vectors = block.next(&TILES, most);
                    if vectors == 0 {
                        break;
                    }
                    let (mut tile, tiles) = (0, pixels.div_ceil(TILES.rows[vectors - 1]));
                    for image in 0..images {
                        if let Some(mean) = &mut mean {
                            mean.clear(vectors * TILES.lanes);
                        }
                        for (row, rows) in even_pieces(pixels, TILES.rows[vectors - 1]) {
                            let row = image * pixels + row;
                            let ahead = block.ahead($width, tile, tiles);
                            tile += 1;
                            let block = &*opaque(&raw const block);
                            match (vectors, rows) {
                                $($(
                                    ($vectors, $rows) => {
                                        block.tile::<$vector, $width, $rows, $vectors>(row, ahead);
                                    }
                                )*)*
                                _ => unreachable!("a tile larger than the registers"),
                            }
                            if let Target::Scratch(from) = block.target {
                                block.scatter(row, rows, from);
                            }
                        }
                        if let Some(mean) = &mut mean {
                            mean.finish(&block, image);
                        }
                    }
                }
            }
        }

        /// # Safety
        /// As for [`PointwiseFn`](crate::kernels::args::PointwiseFn).
        pub(in crate::kernels) unsafe extern "C" fn pointwise(args: &PointwiseArgs) {
            // SAFETY: promised by the caller.
            unsafe { run(args, None) }
        }

        /// # Safety
        /// As for [`PointwiseMeanFn`](crate::kernels::args::PointwiseMeanFn).
        pub(in crate::kernels) unsafe extern "C" fn pointwise_mean(args: &PointwiseMeanArgs) {
            // SAFETY: promised by the caller.
            unsafe { run(&args.pointwise, Some(&mut Mean::new(args))) }
        }
    };
}
pub(in crate::kernels) use pointwise_kernels;
