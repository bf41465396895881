//! Pointwise convolution: packed panels of weights, one after the other, times all rows. So a panel
//! comes from memory once and stays in the first-level cache; the rows come from there or the second.

use super::tile::{Ahead, MOST_ROWS, Segment, WeightSteps, accumulate};
#[cfg(assembly)]
use super::{Run, even_runs};
use super::{Vector, opaque, ranges, row_after, unrolled};
use crate::kernels::args::{ColumnRange, PointwiseArgs, PointwiseMeanArgs};
#[cfg(assembly)]
use crate::kernels::args::{TileArgs, TileFn};
use crate::kernels::layout::LINE;
#[cfg(assembly)]
use std::ops::Range;

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
    /// Where results go that are not stored beside each other.
    other: Target,
    /// Takes them from the scratch, if they go there.
    taken: Taken<'a>,
    /// What all are added up to, or null.
    pub mean: *mut Mean,
    pub target: Target,
}

/// Takes results from the scratch: a row, how many from there on, and their results, [`MOST`] floats apart. Behind a
/// pointer, for it is called from every tile and compiled once.
///
/// # Safety
/// As for the kernel; the rows exist, and so do their results.
type Taken<'a> = unsafe fn(block: &Block<'a>, row: usize, rows: usize, from: *const f32);

/// What becomes of a block's results.
#[derive(Clone, Copy)]
pub(in crate::kernels) enum Target {
    /// They are stored beside each other; this is where the output's first row has them.
    Place(*mut f32),
    /// They are stored each in its column.
    Columns,
    /// They are stored from here on, [`MOST`] floats for each row of a tile, and taken from there at once.
    Scratch(*mut f32),
    /// They are added up to the mean, in registers.
    Mean,
}

impl<'a> Block<'a> {
    /// Before the first block. A mean comes with what adds to it from the scratch, where tiles do not.
    ///
    /// # Safety
    /// As for the kernel; the scratch has room for a tile, and lives as long as the block.
    #[inline(always)]
    pub unsafe fn before(
        args: &'a PointwiseArgs,
        tiles: &Tiles,
        scratch: *mut f32,
        mean: Option<(&'a mut Mean, Taken<'a>)>,
    ) -> Block<'a> {
        let (mean, taken) = match mean {
            Some((mean, added)) => (std::ptr::from_mut(mean), added),
            None => (std::ptr::null_mut(), Self::scatter as Taken<'a>),
        };
        let other = match mean.is_null() {
            true if tiles.parts => Target::Columns,
            false if tiles.means => Target::Mean,
            _ => Target::Scratch(scratch),
        };
        // SAFETY: promised by the caller.
        let outputs = unsafe { ranges(&args.output) };
        Block { args, first: 0, len: 0, outputs, used: 0, other, taken, mean, target: other }
    }

    /// Becomes the next block, of at most so many vectors: their number, 0 if there is none. Vectors of
    /// padding alone are not counted.
    #[inline(always)]
    pub fn next(&mut self, tiles: &Tiles, most: usize) -> usize {
        let &Tiles { lanes, width, masks, .. } = tiles;
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
        let fits = range.len - self.used >= self.len && (masks || self.len.is_multiple_of(lanes));
        self.target = match fits && self.mean.is_null() {
            true => Target::Place(args.output.data.wrapping_add(range.start + self.used)),
            false => self.other,
        };
        vectors
    }

    /// Number of its vectors.
    #[inline(always)]
    pub fn vectors(&self, tiles: &Tiles) -> usize {
        self.len.div_ceil(tiles.lanes)
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

    /// What is asked for while the block is computed, in so many tiles for an image: each of the first four, or of the
    /// first eight, asks for its share of the next block's weights, or of as many of the next layer's. The others ask
    /// for the block's own, which are near. The more tiles, the fewer lines are under way at a time: these keep others
    /// waiting that come from nearer. A single tile waits for its own weights, and asks for no others.
    #[inline(always)]
    pub fn shares(&self, width: usize, tiles: usize) -> Shares {
        let PointwiseArgs { weights, inputs, outputs, next, .. } = *self.args;
        let size = |outputs: usize| outputs.next_multiple_of(width) * inputs;
        let own = weights.wrapping_add(self.first * inputs);
        let (next, len) = match outputs - self.first - self.len {
            0 => (next, size(self.len)),
            rest => (own.wrapping_add(size(self.len)), size(self.len.min(rest))),
        };
        let (left, share, step) = match tiles {
            0..=1 => (0, 0, LINE),
            2..=7 => (4, len / 4, LINE),
            _ => (8, len / 8, LINE / 2),
        };
        Shares { next, share, left: if next.is_null() { 0 } else { left }, step, own }
    }

    /// # Safety
    /// As for the kernel.
    #[inline(always)]
    pub(super) unsafe fn bias(&self) -> *const f32 {
        // SAFETY: promised by the caller. Biases are padded as weights are, so that vectors can be loaded.
        unsafe { self.args.bias.add(self.first) }
    }

    /// Adds so many rows of results, [`MOST`] floats apart, to the mean.
    ///
    /// # Safety
    /// As for the kernel; there is a mean.
    #[inline(always)]
    pub unsafe fn add<V: Vector>(&self, rows: usize, from: *const f32) {
        let vectors = self.len.div_ceil(V::LANES);
        // SAFETY: promised by the caller.
        unsafe { (*self.mean).add_stored::<V>(from, rows, vectors) }
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
            // SAFETY: promised by the caller; the piece lies inside the range.
            unsafe {
                let to = output.data.add(row * output.stride + range.start + used);
                copy(from.add(lane), to, len, (rows, output.stride));
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
    /// As for [`Block::tiles`]; the rows divide into 7 and 8, the tiles compute a panel, and the scratch has room for
    /// one.
    #[cfg(assembly)]
    pub unsafe fn scheduled(&self, rows: Range<usize>, tiles: [TileFn; 2], scratch: *mut f32) {
        let PointwiseArgs { input, output, relu, .. } = self.args;
        // SAFETY: promised by the caller; a mean's row has room.
        unsafe {
            let weights = self.weights();
            let bias = self.bias();
            let tiles_of =
                |run: Run| (0..run.pieces).map(move |i| (run.start + i * run.len, run.len));
            for (row, len) in even_runs(rows.len(), 8).into_iter().flat_map(tiles_of) {
                let row = rows.start + row;
                let (to, output_stride) = match self.target {
                    Target::Place(to) if self.len == 8 => {
                        (to.add(row * output.stride), output.stride)
                    }
                    Target::Mean => ((*self.mean).row.as_mut_ptr(), 0),
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
                    sum: matches!(self.target, Target::Mean),
                });
                if to == scratch {
                    self.scatter(row, len, scratch);
                } else if let Target::Mean = self.target {
                    (*self.mean).add_row();
                }
            }
        }
    }

    /// Computes so many times `ROWS` rows, from `row` on, and asks for `shares` of weights meanwhile.
    ///
    /// # Safety
    /// As for the kernel; the rows and vectors exist, panels are `WIDTH` wide, and the target is one for
    /// the vector: columns only with `PARTS`, the mean in registers only with `MEANS`.
    #[inline(always)]
    pub unsafe fn tiles<V: Vector, const WIDTH: usize, const ROWS: usize, const VECTORS: usize>(
        &self,
        mut row: usize,
        count: usize,
        shares: &mut Shares,
    ) {
        // SAFETY: promised by the caller.
        unsafe {
            // What a tile begins with is at hand: the one before is still being computed.
            let input = &self.args.input;
            let (all_inputs, input_stride) = (ranges(input), input.stride);
            let (steps, bias, first_weights) =
                (self.steps::<V, WIDTH>(), self.bias(), self.weights());
            let mut from = input.data.add(row * input_stride);
            for _ in 0..count {
                // Opaque: rows are reached by additions, not each by a multiplication.
                from = opaque(from);
                let mut ahead = shares.take();
                let mut sums = [load_vectors::<V, VECTORS>(bias); ROWS];
                let mut weights = first_weights;
                for range in all_inputs {
                    let segment =
                        Segment { inputs: from.add(range.start), weights, len: range.len };
                    accumulate(&mut sums, segment, input_stride, steps, Some(&mut ahead));
                    weights = weights.add(range.len * WIDTH);
                }
                // What it ends with is looked up, or would take registers.
                let block = &*opaque(self);
                // No closures: they are compiled without the instruction set.
                if block.args.relu {
                    unrolled!(ROWS, |row| {
                        for sum in &mut sums[row] {
                            *sum = sum.relu();
                        }
                    });
                }
                // `store` is there once for all that use it.
                let stride = block.args.output.stride;
                let (to, stride) = match block.target {
                    Target::Place(to) => (to.add(row * stride), stride),
                    Target::Scratch(to) => (to, MOST),
                    Target::Columns | Target::Mean => (std::ptr::null_mut(), 0),
                };
                match block.target {
                    Target::Columns if V::PARTS => block.store_columns(sums, row),
                    Target::Mean if V::MEANS => (*block.mean).add(sums),
                    _ => block.store(sums, to, stride),
                }
                if V::SCRATCH
                    && let Target::Scratch(from) = block.target
                {
                    (block.taken)(block, row, ROWS, from);
                }
                from = from.wrapping_add(ROWS * input_stride);
                row += ROWS;
            }
        }
    }

    /// Stores rows `stride` floats apart: the block's outputs or, where the vector has no masks, all lanes.
    ///
    /// # Safety
    /// As for [`Block::tiles`]; `to` has room for them.
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
    /// As for [`Block::tiles`]; the vector can store parts.
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

/// Neighbouring vectors.
///
/// # Safety
/// They exist, and the CPU has the vector's instructions.
#[inline(always)]
pub(super) unsafe fn load_vectors<V: Vector, const VECTORS: usize>(
    from: *const f32,
) -> [V; VECTORS] {
    // SAFETY: promised by the caller.
    unsafe {
        let mut vectors = [V::zero(); VECTORS];
        for (j, vector) in vectors.iter_mut().enumerate() {
            *vector = V::load(from.add(j * V::LANES));
        }
        vectors
    }
}

/// What the tiles of a block ask for, one after the other.
pub(in crate::kernels) struct Shares {
    /// The next share, floats in one, and how many are left.
    next: *const f32,
    share: usize,
    left: usize,
    /// See [`Ahead`].
    step: usize,
    /// What tiles ask for that have no share.
    own: *const f32,
}

impl Shares {
    #[inline(always)]
    fn take(&mut self) -> Ahead {
        let mut ahead = Ahead { at: self.own, step: self.step };
        if self.left > 0 {
            ahead.at = self.next;
            self.next = self.next.wrapping_add(self.share);
            self.left -= 1;
        }
        ahead
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

    /// Adds a tile's results in registers.
    ///
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
                for (vector, sum) in row_sums.iter_mut().enumerate() {
                    *sum = sum.add(sums[i][vector]);
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

    /// Adds so many rows of results, [`MOST`] floats apart.
    ///
    /// # Safety
    /// There are so many vectors of each; the CPU has the vector's instructions.
    #[inline(always)]
    unsafe fn add_stored<V: Vector>(&mut self, rows: *const f32, count: usize, vectors: usize) {
        let (width, first) = (self.width, self.pixels);
        for lane in (0..vectors).map(|vector| vector * V::LANES) {
            // SAFETY: promised by the caller; there is room for the most outputs of a block.
            unsafe {
                let row = self.row.as_mut_ptr().add(lane);
                let total = self.total.as_mut_ptr().add(lane);
                let mut sum = if first > 0 { V::load(row) } else { V::zero() };
                let mut left = width - first;
                for i in 0..count {
                    sum = sum.add(V::load(rows.add(i * MOST + lane)));
                    left -= 1;
                    if left == 0 {
                        V::load(total).add(sum).store(total);
                        (sum, left) = (V::zero(), width);
                    }
                }
                sum.store(row);
            }
        }
        self.pixels = (first + count) % width;
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

/// Copies a few floats of each row: four at a time, of which the last four may be copied twice. Rows to read are
/// [`MOST`] floats apart, those to write `stride`.
///
/// # Safety
/// Both cover as many floats of each row, none of which are the same.
#[inline(always)]
unsafe fn copy(from: *const f32, to: *mut f32, len: usize, (rows, stride): (usize, usize)) {
    let step = if len < 4 { 1 } else { 4 };
    // Columns outside: they are few, and their number is looked at once.
    for i in (0..len).step_by(step) {
        let i = i.min(len - step);
        let (mut from, mut to) = (from.wrapping_add(i), to.wrapping_add(i));
        for _ in 0..rows {
            // SAFETY: promised by the caller; both cover the step.
            unsafe {
                match step {
                    1 => to.write(from.read()),
                    _ => to
                        .cast::<[f32; 4]>()
                        .write_unaligned(from.cast::<[f32; 4]>().read_unaligned()),
                }
            }
            (from, to) = (from.wrapping_add(MOST), to.wrapping_add(stride));
        }
    }
}

/// An instruction set's tiles, and what they take.
pub(in crate::kernels) struct Tiles {
    /// Floats in a vector.
    pub lanes: usize,
    /// What its vector can: see [`Vector`].
    pub parts: bool,
    pub masks: bool,
    pub means: bool,
    /// Outputs in a panel.
    pub width: usize,
    /// The most rows of a tile of 1, 2, ... vectors.
    pub rows: &'static [usize],
}

impl Tiles {
    /// Tiles of a vector.
    pub const fn new<V: Vector>(width: usize, rows: &'static [usize]) -> Tiles {
        let (parts, masks, means) = (V::PARTS, V::MASKS, V::MEANS);
        Tiles { lanes: V::LANES, parts, masks, means, width, rows }
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
#[repr(align(64))] // a cache line
pub(in crate::kernels) struct Scratch(#[allow(dead_code)] [[f32; MOST]; MOST_ROWS]);

/// The pointwise kernels of an instruction set: for each number of vectors the numbers of rows in a
/// tile, each from 1 on.
macro_rules! pointwise_kernels {
    (
        $(#[$attribute:meta])* $vector:ty, width $width:literal,
        $(#[$inline:meta])* tiles $($vectors:literal x [$($rows:literal)*])*
    ) => {
        use crate::kernels::args::{PointwiseArgs, PointwiseMeanArgs};
        use crate::kernels::vector::{
            Block, Mean, Run, Scratch, Shares, Tiles, even_runs,
        };
        use std::mem::MaybeUninit;

        pub(super) const TILES: Tiles =
            Tiles::new::<$vector>($width, &[$([$($rows),*].len()),*]);

        /// # Safety
        /// As for [`Block::add`].
        $(#[$attribute])*
        pub(super) unsafe fn added(block: &Block<'_>, _: usize, rows: usize, from: *const f32) {
            // SAFETY: promised by the caller.
            unsafe { block.add::<$vector>(rows, from) }
        }

        /// So many tiles of a size.
        ///
        /// # Safety
        /// As for [`Block::tiles`].
        $(#[$attribute])* $(#[$inline])*
        unsafe fn tiles<const ROWS: usize, const VECTORS: usize>(
            block: &Block<'_>, row: usize, count: usize, shares: &mut Shares,
        ) {
            // SAFETY: promised by the caller.
            unsafe { block.tiles::<$vector, $width, ROWS, VECTORS>(row, count, shares) }
        }

        /// All blocks, tile by tile. They are stored, or added up to means.
        ///
        /// # Safety
        /// As for [`PointwiseFn`](crate::kernels::args::PointwiseFn).
        $(#[$attribute])*
        pub(super) unsafe fn run(
            args: &PointwiseArgs,
            mean: Option<&mut Mean>,
        ) {
            let images = mean.as_ref().map_or(1, |mean| mean.images);
            let pixels = args.rows / images;
            let most = TILES.most_vectors(pixels);
            let mut scratch = MaybeUninit::<Scratch>::uninit();
            if TILES.masks && !TILES.means && mean.is_some() {
                // Lanes are added up that tiles do not store; what becomes of them is not stored either.
                scratch = MaybeUninit::zeroed();
            }
            // SAFETY: promised by the caller; the scratch has room for a tile.
            unsafe {
                let scratch = scratch.as_mut_ptr().cast();
                let mean = mean.map(|mean| (mean, added as _));
                let mut block = Block::before(args, &TILES, scratch, mean);
                // Little is kept from tile to tile, for it would be in memory: runs are worked out once, the number of
                // vectors for each run, and an image is its first row.
                let (mut runs_of, mut runs) = (0, [Run::default(); 2]);
                loop {
                    let vectors = block.next(&TILES, most);
                    if vectors == 0 {
                        break;
                    }
                    if vectors != runs_of {
                        (runs_of, runs) = (vectors, even_runs(pixels, TILES.rows[vectors - 1]));
                    }
                    let mut shares = block.shares($width, runs[0].pieces + runs[1].pieces);
                    let mut first_row = 0;
                    while first_row < args.rows {
                        if let Some(mean) = block.mean.as_mut() {
                            mean.clear(block.vectors(&TILES) * TILES.lanes);
                        }
                        for run in &runs {
                            if run.pieces == 0 {
                                continue;
                            }
                            let row = first_row + run.start;
                            match (block.vectors(&TILES), run.len) {
                                $($(
                                    ($vectors, $rows) => tiles::<$rows, $vectors>(
                                        &block, row, run.pieces, &mut shares,
                                    ),
                                )*)*
                                _ => unreachable!("a tile larger than the registers"),
                            }
                        }
                        if let Some(mean) = block.mean.as_mut() {
                            mean.finish(&block, first_row / pixels);
                        }
                        first_row += pixels;
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
