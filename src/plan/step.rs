//! Steps: what is computed of an image at a time, and which memory that takes. Geometry only, no kernels
//! and no weights.

use crate::kernels::ColumnRange;
use std::ops::Range;

/// Part of the arena, in floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Region {
    pub offset: usize,
    pub len: usize,
}

impl Region {
    pub const EMPTY: Region = Region { offset: 0, len: 0 };

    #[cfg(test)]
    pub fn range(self) -> Range<usize> {
        self.offset..self.end()
    }

    pub fn end(self) -> usize {
        self.offset.saturating_add(self.len)
    }

    /// The smallest region that has both.
    pub fn and(self, other: Region) -> Region {
        let offset = self.offset.min(other.offset);
        Region { offset, len: self.end().max(other.end()) - offset }
    }
}

/// Whose memory it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// All threads'.
    Shared,
    /// The thread's that runs the step.
    Thread,
}

/// A matrix that a step reads or writes: rows from the region's start on, `stride` floats apart, of which
/// only the given columns are touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Area {
    pub owner: Owner,
    pub region: Region,
    pub rows: usize,
    pub stride: usize,
    pub columns: Vec<ColumnRange>,
    pub write: bool,
}

impl Area {
    /// Scratch: a whole region of the thread's, with nothing between the columns.
    fn scratch(region: Region, columns: usize) -> Area {
        let ranges = [ColumnRange { start: 0, len: columns }];
        Area { owner: Owner::Thread, ..Area::of(region, columns, &ranges, 0..region.len / columns) }
            .written()
    }

    /// Columns of some rows of a shared matrix, to read.
    fn of(region: Region, stride: usize, columns: &[ColumnRange], rows: Range<usize>) -> Area {
        let offset = region.offset + rows.start * stride;
        let (len, rows) = (rows.len() * stride, rows.len());
        let region = Region { offset, len };
        Area { owner: Owner::Shared, region, rows, stride, columns: columns.to_vec(), write: false }
    }

    /// Some rows of a shared matrix, to write.
    pub fn rows_to_write(region: Region, columns: usize, rows: Range<usize>) -> Area {
        let all = [ColumnRange { start: 0, len: columns }];
        Area::of(region, columns, &all, rows).written()
    }

    fn written(self) -> Area {
        Area { write: true, ..self }
    }

    /// The floats from its first element to its last.
    pub fn extent(&self) -> Range<usize> {
        let (first, last) = match (self.rows, self.columns.as_slice()) {
            (1.., [first, ..]) => (first.start, self.columns[self.columns.len() - 1].end()),
            _ => return self.region.offset..self.region.offset,
        };
        self.region.offset + first..self.region.offset + (self.rows - 1) * self.stride + last
    }

    /// Whether the two may have an element in common. They are told apart where one ends before the other
    /// begins, or by their columns if they are of one matrix.
    pub fn may_overlap(&self, other: &Area) -> bool {
        let (a, b) = (self.extent(), other.extent());
        if self.owner != other.owner || a.start.max(b.start) >= a.end.min(b.end) {
            return false;
        }
        let apart = self.region.offset.abs_diff(other.region.offset);
        let one_matrix = self.stride == other.stride && apart.is_multiple_of(self.stride);
        let meet = |a: &ColumnRange, b: &ColumnRange| a.start < b.end() && b.start < a.end();
        !one_matrix || self.columns.iter().any(|a| other.columns.iter().any(|b| meet(a, b)))
    }
}

/// A row of a unit's first pointwise convolution that lies by itself, for the piece that computes it and
/// for the piece beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EdgeRow {
    pub row: usize,
    pub region: Region,
}

/// The edge rows that a piece computes for the stage's next unit.
#[derive(Clone, Debug, Default)]
pub(crate) struct NextEdges {
    /// What the next unit reads of the stage.
    pub reads: Vec<ColumnRange>,
    pub rows: Vec<EdgeRow>,
}

impl NextEdges {
    /// An area for each row to write, and then that of the stage to read.
    fn areas(&self, stage: impl Fn(&[ColumnRange]) -> Area, half: usize) -> Vec<Area> {
        let mut areas = edge_areas(&self.rows, half, true);
        if !areas.is_empty() {
            areas.push(stage(&self.reads));
        }
        areas
    }
}

fn edge_areas(rows: &[EdgeRow], half: usize, write: bool) -> Vec<Area> {
    let area =
        |edge: &EdgeRow| Area { owner: Owner::Shared, write, ..Area::scratch(edge.region, half) };
    rows.iter().map(area).collect()
}

/// Stem convolution and max pool.
#[derive(Clone, Debug)]
pub(crate) struct StemStep {
    /// Height and width of the image, of the convolution's output and of the pool's.
    pub image: [usize; 2],
    pub conv: [usize; 2],
    pub pool: [usize; 2],
    pub channels: usize,
    /// The pool's rows to compute.
    pub rows: Range<usize>,
    /// Output rows of the pool in a band.
    pub band: usize,
    /// A ring of normalised image rows, as many as [`ROWS_OF_PIXELS`](super::schedule::ROWS_OF_PIXELS) read.
    pub image_ring: Region,
    /// A ring of the convolution's rows.
    pub conv_ring: Region,
    pub output: Region,
}

impl StemStep {
    pub const IMAGE_RING: usize = 0;
    pub const CONV_RING: usize = 1;
    pub const OUTPUT: usize = 2;

    fn areas(&self) -> Vec<Area> {
        let pixels = self.rows.start * self.pool[1]..self.rows.end * self.pool[1];
        let all = [ColumnRange { start: 0, len: self.channels }];
        vec![
            Area::scratch(self.image_ring, 3),
            Area::scratch(self.conv_ring, self.channels),
            Area::of(self.output, self.channels, &all, pixels).written(),
        ]
    }
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
    /// The output rows to compute: where there are several images, all.
    pub rows: Range<usize>,
    pub band: usize,
    /// It may share memory with the output: an output row then lies where only input rows lay that no
    /// later output row needs.
    pub input: Region,
    /// Of so many images, one after the other.
    pub output: Region,
    pub images: usize,
    /// A ring of the first pointwise convolution's rows.
    pub ring: Region,
    /// One band of branch 1's depthwise output, and of branch 2's.
    pub branch1_rows: Region,
    pub branch2_rows: Region,
    pub reads: Vec<ColumnRange>,
    pub branch1_writes: Vec<ColumnRange>,
    pub branch2_writes: Vec<ColumnRange>,
    pub next: NextEdges,
}

impl DownsampleStep {
    pub const INPUT: usize = 0;
    pub const BRANCH1_OUTPUT: usize = 1;
    pub const BRANCH2_OUTPUT: usize = 2;
    pub const RING: usize = 3;
    pub const BRANCH1_ROWS: usize = 4;
    pub const BRANCH2_ROWS: usize = 5;
    pub const NEXT: usize = 6;

    /// Rows of the input: all that its output rows need, and at least three where there are so many.
    pub fn input_rows(&self) -> Range<usize> {
        let end = (2 * self.rows.end + 1).min(self.input_size[0]);
        (2 * self.rows.start).saturating_sub(2)..end
    }

    fn areas(&self) -> Vec<Area> {
        let ([_, in_width], [height, width]) = (self.input_size, self.output_size);
        let input = self.input_rows();
        let input = input.start * in_width..input.end * in_width;
        let last = (self.images - 1) * height + self.rows.end;
        let stage = |columns: &[ColumnRange]| {
            Area::of(self.output, self.outputs, columns, self.rows.start * width..last * width)
        };
        let mut areas = vec![
            Area::of(self.input, self.inputs, &self.reads, input),
            stage(&self.branch1_writes).written(),
            stage(&self.branch2_writes).written(),
            Area::scratch(self.ring, self.half),
            Area::scratch(self.branch1_rows, self.inputs),
            Area::scratch(self.branch2_rows, self.half),
        ];
        areas.extend(self.next.areas(stage, self.half));
        areas
    }
}

/// A unit of stride 1, in place, of one image or of several whose stages follow each other.
#[derive(Clone, Debug)]
pub(crate) struct UnitStep {
    /// Number of the unit's first layer; its three layers follow each other.
    pub layer: usize,
    pub size: [usize; 2],
    pub columns: usize,
    pub half: usize,
    /// The rows to compute: where there are several images, all of all.
    pub rows: Range<usize>,
    pub band: usize,
    pub stage: Region,
    /// A ring of the first pointwise convolution's rows.
    pub ring: Region,
    /// One band of the depthwise output.
    pub band_rows: Region,
    pub reads: Vec<ColumnRange>,
    pub writes: Vec<ColumnRange>,
    /// Rows of the first pointwise convolution that are there already: the first and the last of this
    /// piece, and those beside them.
    pub edges: Vec<EdgeRow>,
    pub next: NextEdges,
}

impl UnitStep {
    pub const INPUT: usize = 0;
    pub const OUTPUT: usize = 1;
    pub const RING: usize = 2;
    pub const ROWS: usize = 3;
    pub const EDGES: usize = 4;

    /// The index of the first area of the next unit's edges.
    pub fn next(&self) -> usize {
        UnitStep::EDGES + self.edges.len()
    }

    fn areas(&self) -> Vec<Area> {
        let width = self.size[1];
        let stage = |columns: &[ColumnRange]| {
            let pixels = self.rows.start * width..self.rows.end * width;
            Area::of(self.stage, self.columns, columns, pixels)
        };
        let mut areas = vec![
            stage(&self.reads),
            stage(&self.writes).written(),
            Area::scratch(self.ring, self.half),
            Area::scratch(self.band_rows, self.half),
        ];
        areas.extend(edge_areas(&self.edges, self.half, false));
        areas.extend(self.next.areas(stage, self.half));
        areas
    }
}

/// The last convolution with the pooled mean.
#[derive(Clone, Debug)]
pub(crate) struct Conv5Step {
    pub layer: usize,
    pub size: [usize; 2],
    pub columns: usize,
    pub features: usize,
    /// The outputs to compute.
    pub part: Range<usize>,
    /// Of so many images, one after the other.
    pub input: Region,
    pub images: usize,
    /// A row for each image of a run.
    pub output: Region,
    /// The convolution's output where it is kept, else empty.
    pub kept: Region,
}

impl Conv5Step {
    pub const INPUT: usize = 0;
    pub const OUTPUT: usize = 1;
    pub const KEPT: usize = 2;

    fn areas(&self) -> Vec<Area> {
        let all = [ColumnRange { start: 0, len: self.columns }];
        let pixels = self.images * self.size[0] * self.size[1];
        let mut areas = vec![
            Area::of(self.input, self.columns, &all, 0..pixels),
            outputs(self.output, self.features, &self.part),
        ];
        if self.kept.len > 0 {
            areas.push(Area::scratch(self.kept, self.features));
        }
        areas
    }
}

/// The fully connected layer.
#[derive(Clone, Debug)]
pub(crate) struct ClassifyStep {
    pub layer: usize,
    pub features: usize,
    pub classes: usize,
    /// The outputs to compute.
    pub part: Range<usize>,
    /// A row for each image of a run.
    pub input: Region,
    pub output: Region,
}

impl ClassifyStep {
    pub const INPUT: usize = 0;
    pub const OUTPUT: usize = 1;

    fn areas(&self) -> Vec<Area> {
        let all = [ColumnRange { start: 0, len: self.features }];
        vec![
            Area::of(self.input, self.features, &all, 0..self.input.len / self.features),
            outputs(self.output, self.classes, &self.part),
        ]
    }
}

/// Some columns of every row of a matrix, to write.
fn outputs(region: Region, stride: usize, part: &Range<usize>) -> Area {
    let columns = [ColumnRange { start: part.start, len: part.len() }];
    Area::of(region, stride, &columns, 0..region.len / stride).written()
}

/// One entry of the list that a run executes.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Stem(StemStep),
    Downsample(DownsampleStep),
    Unit(UnitStep),
    Conv5(Conv5Step),
    Classify(ClassifyStep),
}

impl Step {
    /// What it reads and writes, in the order of its step's constants.
    pub fn areas(&self) -> Vec<Area> {
        match self {
            Step::Stem(step) => step.areas(),
            Step::Downsample(step) => step.areas(),
            Step::Unit(step) => step.areas(),
            Step::Conv5(step) => step.areas(),
            Step::Classify(step) => step.areas(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_told_apart_by_extent_or_by_columns() {
        let range = |start, len| ColumnRange { start, len };
        let region = Region { offset: 100, len: 60 };
        let area = |stride, columns: &[ColumnRange], rows| Area::of(region, stride, columns, rows);
        let left = area(10, &[range(0, 3), range(5, 2)], 0..6);
        assert_eq!(left.extent(), 100..157);
        assert!(!left.may_overlap(&area(10, &[range(3, 2), range(7, 3)], 0..6)));
        assert!(left.may_overlap(&area(10, &[range(6, 2)], 0..6)));
        assert!(left.may_overlap(&area(10, &[range(6, 2)], 3..6)));
        assert!(!area(10, &[range(0, 10)], 0..3).may_overlap(&area(10, &[range(0, 10)], 3..6)));
        // Of another stride, or another start: columns say nothing.
        assert!(left.may_overlap(&area(12, &[range(3, 2)], 0..5)));
        let shifted = Region { offset: 101, len: 50 };
        assert!(left.may_overlap(&Area::of(shifted, 10, &[range(3, 2)], 0..5)));
        let own = Area { owner: Owner::Thread, ..left.clone() };
        assert!(!left.may_overlap(&own));
        assert!(!left.may_overlap(&area(10, &[range(0, 10)], 2..2)));
    }
}
