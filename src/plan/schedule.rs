//! Steps over an arena, for one input size: geometry only, no kernels and no weights.

use super::Plan;
use super::step::{
    ClassifyStep, Conv5Step, DownsampleStep, NextEdges, Region, StemStep, Step, UnitStep,
};
use crate::model::Architecture;
use std::ops::Range;

/// How many rows a step computes before the next layer reads them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bands {
    /// As many as make the least move between caches, of which the second level has so many bytes.
    Auto(usize),
    /// This many output rows, at least 1.
    Rows(usize),
    /// All of them, and every layer's output is kept until the next image.
    Unfused,
}

/// Floats of scratch rows that cost nothing: first-level data caches have 32 to 64 KiB, and rows come and go
/// in order.
const FIRST_LEVEL: usize = 24 * 1024;

/// Floats of scratch rows that a step gets beside the largest buffers, and what these may be before it gets
/// more.
const SCRATCH: usize = 22 * 1024;
const BUFFERS: usize = 90 * 1024;

/// The most that any step gets: in large images bands stay small, as scratch grows with the width alone.
pub(super) const LARGEST: usize = 160 * 1024;

/// The steps for one input size, and the arena they need.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pub steps: Vec<Step>,
    /// Most images that go through the late steps together, so that these read their weights once.
    pub group: usize,
    /// The first of the late steps.
    pub late: usize,
    /// A row for each image of a run.
    pub features: Region,
    pub logits: Region,
    /// Length of the arena, in floats.
    pub arena: usize,
}

/// Rows of its input that a 3x3 window of the given stride needs for output rows `band` and has not
/// needed for the rows before them.
pub(crate) fn window_rows(band: Range<usize>, stride: usize, height: usize) -> Range<usize> {
    let end = |rows: usize| if rows == 0 { 0 } else { ((rows - 1) * stride + 2).min(height) };
    end(band.start)..end(band.end)
}

/// The same for a band of the rows `all`, of which the first needs the rows above it too.
pub(crate) fn window_rows_of(
    all: &Range<usize>,
    band: Range<usize>,
    stride: usize,
    height: usize,
) -> Range<usize> {
    let first = band.start == all.start;
    let above = (band.start * stride).saturating_sub(1);
    let new = window_rows(band, stride, height);
    if first { above..new.end } else { new }
}

/// Rows that a ring must hold at once for a band of output rows.
fn ring_rows(band: usize, stride: usize, height: usize) -> usize {
    ((band - 1) * stride + 3).min(height)
}

/// Most images that share the late steps.
pub(crate) const MOST_IN_GROUP: usize = 4;

/// Rows that the stem computes at a time from rows of pixels, which are normalised first.
pub(crate) const ROWS_OF_PIXELS: usize = 2;

/// Regions start at a cache line.
pub(super) fn aligned(len: usize) -> usize {
    len.saturating_add(15) & !15
}

/// The size of what a layer of stride 2 makes.
pub(super) fn halved([height, width]: [usize; 2]) -> [usize; 2] {
    [height.div_ceil(2), width.div_ceil(2)]
}

/// Height and width of the image, of the stem convolution's output and of the pool's.
pub(super) fn stem_sizes(image: [usize; 2]) -> [[usize; 2]; 3] {
    [image, halved(image), halved(halved(image))]
}

/// A size in floats. Absurd ones saturate, so that the arena is refused as too large.
pub(super) fn volume<const N: usize>(sizes: [usize; N]) -> usize {
    sizes.into_iter().fold(1, usize::saturating_mul)
}

/// Hands out regions, one behind the other.
pub(super) struct Stack {
    pub end: usize,
}

impl Stack {
    pub(super) fn push(&mut self, len: usize) -> Region {
        let region = Region { offset: self.end, len };
        self.end = self.end.saturating_add(aligned(len));
        region
    }
}

/// How far behind the start of a stage's output its input must begin, so that a unit of stride 2 never
/// stores to what it still has to read: after output row `y`, input rows from `2 * y + 1` on.
fn overlay((rows, output_row): (usize, usize), input_row: usize) -> usize {
    let distance = |y: usize| {
        let stored = volume([y + 1, output_row]);
        stored.saturating_sub(volume([2 * y + 1, input_row]))
    };
    // It grows or shrinks with `y`. Nothing is read after the last row.
    match rows {
        0 | 1 => 0,
        _ => distance(0).max(distance(rows - 2)),
    }
}

impl Bands {
    /// Output rows in a band; `floats(rows)` is the scratch that a band of so many rows takes, of which
    /// there is `room`, and every band reads all `weights`.
    fn height(
        self,
        rows: usize,
        weights: usize,
        room: usize,
        floats: impl Fn(usize) -> usize,
    ) -> usize {
        let second_level = match self {
            Bands::Auto(bytes) => bytes / size_of::<f32>(),
            Bands::Rows(n) => return n.clamp(1, rows),
            Bands::Unfused => return rows,
        };
        // What comes from beyond the first level: the weights once a band, and scratch rows that do not
        // fit it, written and read, the dearer the more of the second they take.
        let share = FIRST_LEVEL.max(second_level / 8);
        let cost = |band: &usize| {
            let dearness = match floats(*band) {
                scratch if scratch <= FIRST_LEVEL => 0,
                scratch => 1 + (scratch - 1) / share,
            };
            let moved = floats(rows).saturating_mul(dearness);
            rows.div_ceil(*band).saturating_mul(weights).saturating_add(moved)
        };
        let fits = |band: &usize| *band == 1 || floats(*band) <= room;
        (1..=rows).take_while(fits).min_by_key(cost).unwrap_or(1)
    }
}

/// The height of a step's bands, and the lengths of its scratch regions.
pub(super) type Scratch<const N: usize> = (usize, [usize; N]);

/// Of a stem that computes so many rows of the pool's output.
pub(super) fn stem_scratch(
    (bands, room): (Bands, usize),
    (conv, width, channels): ([usize; 2], usize, usize),
    rows: usize,
) -> Scratch<2> {
    let ring = |rows, height| ring_rows(rows, 2, height);
    let image = volume([ring(ROWS_OF_PIXELS, usize::MAX), width, 3]);
    let scratch = |band| [image, volume([ring(band, conv[0]), conv[1], channels])];
    let floats = |band| sum(scratch(band));
    let band = bands.height(rows, 27 * channels, room, floats);
    (band, scratch(band))
}

/// Of a unit of stride 2 that computes so many rows.
pub(super) fn downsample_scratch(
    (bands, room): (Bands, usize),
    (input_size, width): ([usize; 2], usize),
    (inputs, half): (usize, usize),
    rows: usize,
) -> Scratch<3> {
    let scratch = |band| {
        [
            volume([ring_rows(band, 2, input_size[0]), input_size[1], half]),
            volume([band, width, inputs]),
            volume([band, width, half]),
        ]
    };
    let floats = |band| sum(scratch(band));
    let band = bands.height(rows, half * (2 * inputs + half), room, floats);
    (band, scratch(band))
}

/// Of a unit of stride 1 that computes so many rows.
pub(super) fn unit_scratch(
    (bands, room): (Bands, usize),
    ([height, width], half): ([usize; 2], usize),
    rows: usize,
) -> Scratch<2> {
    let scratch =
        |band| [volume([ring_rows(band, 1, height), width, half]), volume([band, width, half])];
    let floats = |band| sum(scratch(band));
    let band = bands.height(rows, 2 * half * half, room, floats);
    (band, scratch(band))
}

fn sum<const N: usize>(lens: [usize; N]) -> usize {
    lens.into_iter().fold(0, usize::saturating_add)
}

/// Places for the pool's output and the stages', and for scratch.
struct Memory {
    /// One step's scratch gives its place to the next one's, and a stage's buffer to the next but one.
    shared: bool,
    buffers: Vec<Region>,
    /// The end of the buffers, and of what was handed out.
    buffers_end: usize,
    end: usize,
}

impl Memory {
    /// Buffers of that many rows and floats in a row; of the last, one for each image in a group.
    fn new(shapes: &[(usize, usize)], group: usize, shared: bool) -> Memory {
        let len = |i: usize| volume([shapes[i].0, shapes[i].1]);
        let last = shapes.len() - 1;
        let all_of_last = volume([group, len(last)]);
        if !shared {
            let mut stack = Stack { end: 0 };
            let mut buffers: Vec<_> = (0..last).map(|i| stack.push(len(i))).collect();
            buffers.push(stack.push(all_of_last));
            return Memory { shared, buffers, buffers_end: stack.end, end: stack.end };
        }
        // Each buffer lies over the one before it, as far as that one is read first; the last one not if
        // it has to wait for other images.
        let mut buffers = vec![Region { offset: 0, len: all_of_last }; shapes.len()];
        for i in (0..last).rev() {
            let behind = match i + 1 == last && group > 1 {
                true => all_of_last,
                false => overlay(shapes[i + 1], shapes[i].1),
            };
            let offset = buffers[i + 1].offset.saturating_add(aligned(behind));
            buffers[i] = Region { offset, len: len(i) };
        }
        let end = buffers.iter().map(|region| region.end()).max().unwrap_or(0);
        Memory { shared, buffers, buffers_end: end, end }
    }

    /// How much scratch a step that uses the given buffers can have without making the arena larger than
    /// the steps with the largest buffers do.
    fn room(&self, used: Region) -> usize {
        let scratch = SCRATCH.max(self.buffers_end.saturating_sub(BUFFERS));
        (self.buffers_end.saturating_add(scratch) - used.end()).min(LARGEST)
    }

    /// The scratch regions of a step that uses the given buffers.
    fn scratch<const N: usize>(&mut self, used: Region, lens: [usize; N]) -> [Region; N] {
        let mut stack = Stack { end: if self.shared { aligned(used.end()) } else { self.end } };
        let regions = lens.map(|len| stack.push(len));
        self.end = self.end.max(stack.end);
        regions
    }
}

impl Schedule {
    /// For so many images of `height` x `width`, all at least 1.
    pub fn new(
        architecture: &Architecture,
        plan: &Plan,
        [height, width]: [usize; 2],
        images: usize,
        bands: Bands,
    ) -> Schedule {
        let [image, conv, pool] = stem_sizes([height, width]);

        // Buffers: the pool's output, then the stages'.
        let channels = architecture.stem_channels;
        let mut size = pool;
        let mut shapes = vec![(size[0], volume([size[1], channels]))];
        for planned in plan.stages() {
            size = halved(size);
            shapes.push((size[0], volume([size[1], planned.columns])));
        }
        let shared = bands != Bands::Unfused;
        // Where a unit's weights are more than what it reads and writes, images share them.
        let [.., last] = architecture.stages;
        let group = match shared && volume(size) <= last.channels / 2 {
            true => images.min(MOST_IN_GROUP),
            false => 1,
        };
        let mut memory = Memory::new(&shapes, group, shared);

        let output = memory.buffers[0];
        let room = memory.room(output);
        let (band, scratch) = stem_scratch((bands, room), (conv, width, channels), pool[0]);
        let [image_ring, conv_ring] = memory.scratch(output, scratch);
        let stem = StemStep {
            image,
            conv,
            pool,
            channels,
            rows: 0..pool[0],
            band,
            image_ring,
            conv_ring,
            output,
        };
        let mut steps = vec![Step::Stem(stem)];

        let (mut size, mut inputs, mut layer, mut late) = (pool, channels, 1, 0);
        for (s, (stage, planned)) in architecture.stages.iter().zip(plan.stages()).enumerate() {
            let (columns, half) = (planned.columns, stage.channels / 2);
            let (input_size, output_size) = (size, halved(size));
            let [rows, width] = output_size;
            let (input, output) = (memory.buffers[s], memory.buffers[s + 1]);
            let images = if s + 1 == architecture.stages.len() { group } else { 1 };
            for (u, unit) in planned.units.iter().enumerate() {
                if u == 0 {
                    let both = input.and(output);
                    let limits = (bands, memory.room(both));
                    let (band, scratch) =
                        downsample_scratch(limits, (input_size, width), (inputs, half), rows);
                    let [ring, branch1_rows, branch2_rows] = memory.scratch(both, scratch);
                    steps.push(Step::Downsample(DownsampleStep {
                        layer,
                        input_size,
                        output_size,
                        inputs,
                        outputs: columns,
                        half,
                        rows: 0..rows,
                        band,
                        input,
                        output,
                        images,
                        ring,
                        branch1_rows,
                        branch2_rows,
                        reads: unit.branches[0].reads.clone(),
                        branch1_writes: unit.branches[0].writes.clone(),
                        branch2_writes: unit.branches[1].writes.clone(),
                        next: NextEdges::default(),
                    }));
                    layer += 5;
                    late = steps.len();
                } else {
                    let all = volume([images, rows]);
                    // Where images share the weights, these are read once.
                    let bands = if images > 1 { Bands::Rows(all) } else { bands };
                    let limits = (bands, memory.room(output));
                    let (band, scratch) = unit_scratch(limits, ([all, width], half), all);
                    let [ring, band_rows] = memory.scratch(output, scratch);
                    steps.push(Step::Unit(UnitStep {
                        layer,
                        size: output_size,
                        columns,
                        half,
                        rows: 0..all,
                        band,
                        stage: output,
                        ring,
                        band_rows,
                        reads: unit.branches[0].reads.clone(),
                        writes: unit.branches[0].writes.clone(),
                        edges: Vec::new(),
                        next: NextEdges::default(),
                    }));
                    layer += 3;
                }
            }
            (size, inputs) = (output_size, columns);
        }

        let (features, input) = (architecture.feature_channels, memory.buffers[shapes.len() - 1]);
        let kept = if shared { 0 } else { volume([size[0], size[1], features]) };
        let [kept] = memory.scratch(input, [kept]);
        let classes = architecture.classes;
        let mut stack = Stack { end: aligned(memory.end) };
        let output = stack.push(volume([images, features]));
        let logits = stack.push(volume([images, classes]));
        steps.push(Step::Conv5(Conv5Step {
            layer,
            size,
            columns: inputs,
            features,
            part: 0..features,
            input,
            images: group,
            output,
            kept,
        }));
        steps.push(Step::Classify(ClassifyStep {
            layer: layer + 1,
            features,
            classes,
            part: 0..classes,
            input: output,
            output: logits,
        }));
        Schedule { steps, group, late, features: output, logits, arena: stack.end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Stage;

    #[test]
    fn windows_need_each_row_once() {
        for (stride, height) in [(1, 1), (1, 7), (2, 1), (2, 2), (2, 7), (2, 8)] {
            let outputs: usize = if stride == 2 { usize::div_ceil(height, 2) } else { height };
            for band in 1..=outputs {
                let mut next = 0;
                for y in (0..outputs).step_by(band) {
                    let new = window_rows(y..outputs.min(y + band), stride, height);
                    assert_eq!(new.start, next);
                    next = new.end;
                    // The first row still needed is in the ring together with the last.
                    let oldest = (y * stride).saturating_sub(1);
                    assert!(next - oldest <= ring_rows(band, stride, height));
                }
                assert_eq!(next, height);
            }
        }
    }

    /// The height of a step's bands, and their scratch in floats.
    fn bands_of(step: &Step) -> (usize, usize) {
        match step {
            Step::Stem(s) => (s.band, s.image_ring.len + s.conv_ring.len),
            Step::Downsample(s) => (s.band, s.ring.len + s.branch1_rows.len + s.branch2_rows.len),
            Step::Unit(s) => (s.band, s.ring.len + s.band_rows.len),
            Step::Conv5(_) | Step::Classify(_) => (1, 0),
        }
    }

    #[test]
    fn bands_of_large_images_are_small() {
        for (architecture, size) in [
            (Architecture::X1_0, [2048, 2048]),
            (Architecture::X2_0, [1080, 1920]),
            (Architecture::X2_0, [224, 224]),
        ] {
            let plan = Plan::new(&architecture);
            for step in Schedule::new(&architecture, &plan, size, 1, Bands::Auto(4 << 20)).steps {
                let (band, scratch) = bands_of(&step);
                assert!(band == 1 || scratch <= LARGEST, "{size:?}: {band} rows, {scratch}");
            }
        }
    }

    /// Row by row: what a unit of stride 2 stores never covers what it has still to read.
    #[test]
    fn a_stage_lies_over_the_one_before_it() {
        let odd = Architecture {
            stem_channels: 5,
            stages: [22, 24, 150].map(|channels| Stage { units: 2, channels }),
            ..Architecture::X0_5
        };
        let mut shared = 0;
        for architecture in [odd, Architecture::X0_5, Architecture::X1_0, Architecture::X2_0] {
            let plan = Plan::new(&architecture);
            for (size, images) in
                [([224, 224], 1), ([75, 53], 1), ([1, 1], 1), ([224, 224], 3), ([480, 33], 1)]
            {
                let schedule =
                    Schedule::new(&architecture, &plan, size, images, Bands::Auto(1 << 20));
                for step in &schedule.steps {
                    let Step::Downsample(s) = step else { continue };
                    let (input_row, output_row) =
                        (s.input_size[1] * s.inputs, s.output_size[1] * s.outputs);
                    assert_eq!(s.input.len, s.input_size[0] * input_row);
                    assert_eq!(s.output.len, s.images * s.output_size[0] * output_row);
                    for image in 0..s.images {
                        let start = s.output.offset + image * s.output_size[0] * output_row;
                        for y in 0..s.output_size[0] - 1 {
                            let stored = start..start + (y + 1) * output_row;
                            let next = s.input.offset + (2 * y + 1) * input_row;
                            assert!(stored.end <= next || s.input.end() <= stored.start);
                        }
                    }
                    shared += usize::from(s.input.offset < s.output.end());
                    assert!(s.input.and(s.output).end() <= s.ring.offset);
                }
            }
        }
        assert!(shared > 30, "{shared}");
    }

    /// A cache that holds more makes bands higher, not the arena of x1.0 larger.
    #[test]
    fn bands_suit_the_cache() {
        for (architecture, most) in [(Architecture::X1_0, 470_000), (Architecture::X2_0, 1_160_000)]
        {
            let plan = Plan::new(&architecture);
            let rows =
                [0, 128 << 10, 512 << 10, 1 << 20, 2 << 20, usize::MAX].map(|second_level| {
                    let bands = Bands::Auto(second_level);
                    let schedule = Schedule::new(&architecture, &plan, [224, 224], 1, bands);
                    assert!(4 * schedule.arena < most, "{second_level}: {}", 4 * schedule.arena);
                    schedule.steps.iter().map(|step| bands_of(step).0).sum::<usize>()
                });
            assert!(rows.is_sorted() && rows[1] < rows[4], "{rows:?}");
        }
    }

    #[test]
    fn unfused_regions_are_disjoint() {
        let architecture = Architecture::X0_5;
        let plan = Plan::new(&architecture);
        let schedule = Schedule::new(&architecture, &plan, [75, 53], 1, Bands::Unfused);
        let mut regions: Vec<Region> = Vec::new();
        for step in &schedule.steps {
            match step {
                Step::Stem(s) => regions.extend([s.image_ring, s.conv_ring, s.output]),
                Step::Downsample(s) => {
                    regions.extend([s.ring, s.branch1_rows, s.branch2_rows, s.output]);
                }
                Step::Unit(s) => regions.extend([s.ring, s.band_rows]),
                Step::Conv5(s) => regions.extend([s.kept, s.output]),
                Step::Classify(s) => regions.push(s.output),
            }
        }
        regions.sort_by_key(|region| region.offset);
        assert!(regions.windows(2).all(|pair| pair[0].range().end <= pair[1].offset));
        assert!(regions.last().unwrap().range().end <= schedule.arena);
    }
}
