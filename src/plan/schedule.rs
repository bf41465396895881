//! Steps over an arena, for one input size: geometry only, no kernels and no weights.

use super::Plan;
use crate::kernels::ColumnRange;
use crate::model::Architecture;
use std::ops::Range;

/// Part of the arena, in floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Region {
    pub offset: usize,
    pub len: usize,
}

impl Region {
    pub fn range(self) -> Range<usize> {
        self.offset..self.offset + self.len
    }
}

/// How many rows a step computes before the next layer reads them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bands {
    /// As many as make the least move between caches.
    Auto,
    /// This many output rows, at least 1.
    Rows(usize),
    /// All of them, and every layer's output is kept until the next image.
    Unfused,
}

/// Floats of scratch rows that fit most of a 32 KiB first-level data cache, and a share of a small second
/// level beside weights and the stage.
const FIRST_LEVEL: usize = 7 * 1024;
const SECOND_LEVEL: usize = 48 * 1024;

/// Floats of scratch rows that no band of more than a row exceeds.
const LARGEST: usize = 128 * 1024;

/// Stem convolution and max pool.
#[derive(Clone, Debug)]
pub(crate) struct StemStep {
    /// Height and width of the image, of the convolution's output and of the pool's.
    pub image: [usize; 2],
    pub conv: [usize; 2],
    pub pool: [usize; 2],
    pub channels: usize,
    /// Output rows of the pool in a band.
    pub band: usize,
    /// A ring of three normalised image rows.
    pub image_ring: Region,
    /// A ring of the convolution's rows.
    pub conv_ring: Region,
    pub output: Region,
}

/// A stage's unit 0.
#[derive(Clone, Debug)]
pub(crate) struct DownsampleStep {
    /// Number of the unit's first layer; its five layers follow each other.
    pub layer: usize,
    pub input_size: [usize; 2],
    pub output_size: [usize; 2],
    /// Columns of the input and of the output.
    pub inputs: usize,
    pub outputs: usize,
    pub half: usize,
    pub band: usize,
    pub input: Region,
    pub output: Region,
    /// A ring of the first pointwise convolution's rows.
    pub ring: Region,
    /// One band of branch 1's depthwise output, and of branch 2's.
    pub branch1_rows: Region,
    pub branch2_rows: Region,
    pub reads: Vec<ColumnRange>,
    pub branch1_writes: Vec<ColumnRange>,
    pub branch2_writes: Vec<ColumnRange>,
}

/// A unit of stride 1, in place.
#[derive(Clone, Debug)]
pub(crate) struct UnitStep {
    /// Number of the unit's first layer; its three layers follow each other.
    pub layer: usize,
    pub size: [usize; 2],
    pub columns: usize,
    pub half: usize,
    pub band: usize,
    pub stage: Region,
    /// A ring of the first pointwise convolution's rows.
    pub ring: Region,
    /// One band of the depthwise output.
    pub rows: Region,
    pub reads: Vec<ColumnRange>,
    pub writes: Vec<ColumnRange>,
}

/// The last convolution, the pooled mean, and then the fully connected layer.
#[derive(Clone, Debug)]
pub(crate) struct HeadStep {
    /// Number of the convolution's layer; the fully connected one follows.
    pub layer: usize,
    pub size: [usize; 2],
    pub columns: usize,
    pub features: usize,
    pub input: Region,
    /// The convolution's output where it is kept, else empty.
    pub kept: Region,
}

/// One entry of the list that a run executes.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Stem(StemStep),
    Downsample(DownsampleStep),
    Unit(UnitStep),
    Head(HeadStep),
}

/// The steps for one input size, and the arena they need.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pub steps: Vec<Step>,
    /// Length of the arena, in floats.
    pub arena: usize,
}

/// Rows of its input that a 3x3 window of the given stride needs for output rows `band` and has not
/// needed for the rows before them.
pub(crate) fn window_rows(band: Range<usize>, stride: usize, height: usize) -> Range<usize> {
    let end = |rows: usize| if rows == 0 { 0 } else { ((rows - 1) * stride + 2).min(height) };
    end(band.start)..end(band.end)
}

/// Rows that a ring must hold at once for a band of output rows.
fn ring_rows(band: usize, stride: usize, height: usize) -> usize {
    ((band - 1) * stride + 3).min(height)
}

/// Hands out regions. In fused schedules a stage's buffer gives its place to the next but one, and all
/// steps share one scratch area; in unfused ones every region is its own.
struct Allocator {
    shared: bool,
    /// Where the two areas for buffers begin, and the scratch area.
    buffers: [usize; 2],
    scratch: usize,
    /// The end of what was handed out.
    end: usize,
}

/// Regions start at a cache line.
fn aligned(len: usize) -> usize {
    len.saturating_add(15) & !15
}

/// A size in floats. Absurd ones saturate, so that the arena is refused as too large.
fn volume<const N: usize>(sizes: [usize; N]) -> usize {
    sizes.into_iter().fold(1, usize::saturating_mul)
}

impl Allocator {
    fn new(buffer_lens: &[usize], bands: Bands) -> Allocator {
        let largest = |parity: usize| {
            buffer_lens.iter().skip(parity).step_by(2).map(|&len| aligned(len)).max().unwrap_or(0)
        };
        let (even, odd) = (largest(0), largest(1));
        let shared = bands != Bands::Unfused;
        let end = if shared { even.saturating_add(odd) } else { 0 };
        Allocator { shared, buffers: [0, even], scratch: end, end }
    }

    fn bump(&mut self, len: usize) -> Region {
        let region = Region { offset: self.end, len };
        self.end = self.end.saturating_add(aligned(len));
        region
    }

    /// The `index`-th buffer.
    fn buffer(&mut self, index: usize, len: usize) -> Region {
        match self.shared {
            true => Region { offset: self.buffers[index % 2], len },
            false => self.bump(len),
        }
    }

    /// The scratch regions of one step.
    fn scratch<const N: usize>(&mut self, lens: [usize; N]) -> [Region; N] {
        let mut end = if self.shared { self.scratch } else { self.end };
        let regions = lens.map(|len| {
            let region = Region { offset: end, len };
            end = end.saturating_add(aligned(len));
            region
        });
        self.end = self.end.max(end);
        regions
    }
}

impl Bands {
    /// Output rows in a band; `floats(rows)` is the scratch that a band of so many rows takes, and every
    /// band reads all `weights`.
    fn height(self, rows: usize, weights: usize, floats: impl Fn(usize) -> usize) -> usize {
        // What comes from beyond the first level: the weights once a band, and scratch rows that do not
        // fit it, written and read, dearer still where they do not fit the second either.
        let cost = |band: &usize| {
            let dearness = match floats(*band) {
                scratch if scratch <= FIRST_LEVEL => 0,
                scratch if scratch <= SECOND_LEVEL => 2,
                _ => 8,
            };
            let moved = floats(rows).saturating_mul(dearness);
            rows.div_ceil(*band).saturating_mul(weights).saturating_add(moved)
        };
        // In large images bands stay small: scratch grows with the width alone.
        let fits = |band: &usize| *band == 1 || floats(*band) <= LARGEST;
        match self {
            Bands::Auto => (1..=rows).take_while(fits).min_by_key(cost).unwrap_or(1),
            Bands::Rows(n) => n.clamp(1, rows),
            Bands::Unfused => rows,
        }
    }
}

impl Schedule {
    /// For images of `height` x `width`, both at least 1.
    pub fn new(
        architecture: &Architecture,
        plan: &Plan,
        [height, width]: [usize; 2],
        bands: Bands,
    ) -> Schedule {
        let halved = |[h, w]: [usize; 2]| [h.div_ceil(2), w.div_ceil(2)];
        let image = [height, width];
        let conv = halved(image);
        let pool = halved(conv);

        // Buffers: the pool's output, then the stages'.
        let mut size = pool;
        let mut lens = vec![volume([pool[0], pool[1], architecture.stem_channels])];
        for stage in &architecture.stages {
            size = halved(size);
            lens.push(volume([size[0], size[1], stage.channels]));
        }
        let mut allocator = Allocator::new(&lens, bands);

        let channels = architecture.stem_channels;
        let conv_rows = |band| volume([ring_rows(band, 2, conv[0]), conv[1], channels]);
        let stem_floats = |band| conv_rows(band).saturating_add(9 * width);
        let band = bands.height(pool[0], 27 * channels, stem_floats);
        let [image_ring, conv_ring] = allocator.scratch([9 * width, conv_rows(band)]);
        let mut input = allocator.buffer(0, lens[0]);
        let mut steps = vec![Step::Stem(StemStep {
            image,
            conv,
            pool,
            channels,
            band,
            image_ring,
            conv_ring,
            output: input,
        })];

        let (mut size, mut inputs, mut layer) = (pool, channels, 1);
        for (s, (stage, planned)) in architecture.stages.iter().zip(plan.stages()).enumerate() {
            let (columns, half) = (stage.channels, stage.channels / 2);
            let (input_size, output_size) = (size, halved(size));
            size = output_size;
            let [rows, width] = size;
            let output = allocator.buffer(s + 1, lens[s + 1]);
            for (u, unit) in planned.units.iter().enumerate() {
                if u == 0 {
                    let scratch = |band| {
                        [
                            volume([ring_rows(band, 2, input_size[0]), input_size[1], half]),
                            volume([band, width, inputs]),
                            volume([band, width, half]),
                        ]
                    };
                    let floats = |band| scratch(band).into_iter().fold(0, usize::saturating_add);
                    let weights = half * (2 * inputs + half);
                    let band = bands.height(rows, weights, floats);
                    let [ring, branch1_rows, branch2_rows] = allocator.scratch(scratch(band));
                    steps.push(Step::Downsample(DownsampleStep {
                        layer,
                        input_size,
                        output_size,
                        inputs,
                        outputs: columns,
                        half,
                        band,
                        input,
                        output,
                        ring,
                        branch1_rows,
                        branch2_rows,
                        reads: unit.reads.clone(),
                        branch1_writes: unit.branch1_writes.clone(),
                        branch2_writes: unit.branch2_writes.clone(),
                    }));
                    layer += 5;
                } else {
                    let scratch = |band| {
                        [
                            volume([ring_rows(band, 1, rows), width, half]),
                            volume([band, width, half]),
                        ]
                    };
                    let floats = |band| scratch(band).into_iter().fold(0, usize::saturating_add);
                    let band = bands.height(rows, 2 * half * half, floats);
                    let [ring, band_rows] = allocator.scratch(scratch(band));
                    steps.push(Step::Unit(UnitStep {
                        layer,
                        size,
                        columns,
                        half,
                        band,
                        stage: output,
                        ring,
                        rows: band_rows,
                        reads: unit.reads.clone(),
                        writes: unit.branch2_writes.clone(),
                    }));
                    layer += 3;
                }
            }
            (input, inputs) = (output, columns);
        }

        let features = architecture.feature_channels;
        let kept = if bands == Bands::Unfused { volume([size[0], size[1], features]) } else { 0 };
        let [kept] = allocator.scratch([kept]);
        steps.push(Step::Head(HeadStep { layer, size, columns: inputs, features, input, kept }));
        Schedule { steps, arena: allocator.end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn bands_of_large_images_are_small() {
        for (architecture, size) in [
            (Architecture::X1_0, [2048, 2048]),
            (Architecture::X2_0, [1080, 1920]),
            (Architecture::X2_0, [224, 224]),
        ] {
            let plan = Plan::new(&architecture);
            for step in Schedule::new(&architecture, &plan, size, Bands::Auto).steps {
                let (band, scratch) = match step {
                    Step::Stem(s) => (s.band, s.image_ring.len + s.conv_ring.len),
                    Step::Downsample(s) => {
                        (s.band, s.ring.len + s.branch1_rows.len + s.branch2_rows.len)
                    }
                    Step::Unit(s) => (s.band, s.ring.len + s.rows.len),
                    Step::Head(_) => (1, 0),
                };
                assert!(band == 1 || scratch <= LARGEST, "{size:?}: {band} rows, {scratch}");
            }
        }
    }

    #[test]
    fn unfused_regions_are_disjoint() {
        let architecture = Architecture::X0_5;
        let plan = Plan::new(&architecture);
        let schedule = Schedule::new(&architecture, &plan, [75, 53], Bands::Unfused);
        let mut regions: Vec<Region> = Vec::new();
        for step in &schedule.steps {
            match step {
                Step::Stem(s) => regions.extend([s.image_ring, s.conv_ring, s.output]),
                Step::Downsample(s) => {
                    regions.extend([s.ring, s.branch1_rows, s.branch2_rows, s.output]);
                }
                Step::Unit(s) => regions.extend([s.ring, s.rows]),
                Step::Head(s) => regions.push(s.kept),
            }
        }
        regions.sort_by_key(|region| region.offset);
        assert!(regions.windows(2).all(|pair| pair[0].range().end <= pair[1].offset));
        assert!(regions.last().unwrap().range().end <= schedule.arena);
    }
}
