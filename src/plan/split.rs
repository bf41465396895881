//! One image for several threads: phases, of which each is split into pieces that can run at a time.

use super::Plan;
use super::schedule::{
    Bands, LARGEST, Stack, aligned, downsample_scratch, halved, stem_scratch, stem_sizes,
    unit_scratch, volume,
};
use super::step::{
    ClassifyStep, Conv5Step, DownsampleStep, EdgeRow, NextEdges, Region, StemStep, Step, UnitStep,
};
use crate::model::Architecture;
use std::ops::Range;

/// Which pieces of the phase before a piece needs to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    All,
    /// That of its own rows and those beside it.
    Neighbours,
}

/// What can run at a time.
#[derive(Clone, Debug)]
pub(crate) struct Phase {
    pub needs: Needs,
    pub pieces: Vec<Step>,
}

/// The phases for one input size, and the memory they need.
#[derive(Clone, Debug)]
pub(crate) struct Split {
    pub phases: Vec<Phase>,
    /// A row for each image of a run.
    pub features: Region,
    pub logits: Region,
    /// Floats that all threads share, and those that each has for itself.
    pub shared: usize,
    pub own: usize,
}

/// Even parts of `0..total`, each a multiple of `granule` but for the end of the last.
fn even(total: usize, granule: usize, most: usize) -> Vec<Range<usize>> {
    let granules = total.div_ceil(granule);
    let count = granules.min(most);
    let start = |i: usize| (i * granules / count * granule).min(total);
    (0..count).map(|i| start(i)..start(i + 1)).collect()
}

/// Scratch regions of one step after the other, all from the start of a thread's own memory.
#[derive(Default)]
struct Own {
    most: usize,
}

impl Own {
    fn regions<const N: usize>(&mut self, lens: [usize; N]) -> [Region; N] {
        let mut stack = Stack { end: 0 };
        let regions = lens.map(|len| stack.push(len));
        self.most = self.most.max(stack.end);
        regions
    }
}

/// Where the pieces of a stage leave the rows of a first pointwise convolution that others need too: for
/// even and odd units, each piece's first row and its last.
struct Edges<'a> {
    pieces: &'a [Range<usize>],
    /// A row's floats, and where they begin in memory.
    row: usize,
    memory: Region,
}

impl Edges<'_> {
    fn len(pieces: usize, row: usize) -> usize {
        volume([4, pieces, aligned(row)])
    }

    fn at(&self, unit: usize, piece: usize, last: bool) -> EdgeRow {
        let rows = &self.pieces[piece];
        // The only row of a piece is its first.
        let last = last && rows.len() > 1;
        let index = (unit % 2 * self.pieces.len() + piece) * 2 + usize::from(last);
        let offset = self.memory.offset + index * aligned(self.row);
        let row = if last { rows.end - 1 } else { rows.start };
        EdgeRow { row, region: Region { offset, len: self.row } }
    }

    /// The rows of a piece that others need.
    fn of(&self, unit: usize, piece: usize) -> Vec<EdgeRow> {
        let first = (piece > 0).then(|| self.at(unit, piece, false));
        let last = (piece + 1 < self.pieces.len()).then(|| self.at(unit, piece, true));
        first.into_iter().chain(last.filter(|&last| Some(last) != first)).collect()
    }

    /// The rows of others that a piece needs.
    fn beside(&self, unit: usize, piece: usize) -> Vec<EdgeRow> {
        let above = piece.checked_sub(1).map(|above| self.at(unit, above, true));
        let below = (piece + 1 < self.pieces.len()).then(|| self.at(unit, piece + 1, false));
        above.into_iter().chain(below).collect()
    }
}

impl Split {
    /// For images of `height` x `width` and runs of so many images. At most `most` pieces a phase; pieces
    /// of a layer's outputs are multiples of `granule`.
    pub fn new(
        architecture: &Architecture,
        plan: &Plan,
        [height, width]: [usize; 2],
        images: usize,
        (most, granule): (usize, usize),
        bands: Bands,
    ) -> Split {
        let [image, conv, pool] = stem_sizes([height, width]);
        let channels = architecture.stem_channels;

        // The pool's output and the stages' lie in two buffers by turns.
        let mut size = pool;
        let mut lens = vec![volume([size[0], size[1], channels])];
        let mut edges = 0;
        for (stage, planned) in architecture.stages.iter().zip(plan.stages()) {
            size = halved(size);
            lens.push(volume([size[0], size[1], planned.columns]));
            let row = volume([size[1], stage.channels / 2]);
            edges = edges.max(Edges::len(size[0].min(most), row));
        }
        let mut stack = Stack { end: 0 };
        let both = [lens[0].max(lens[2]), lens[1].max(lens[3])].map(|len| stack.push(len));
        let buffer = |i: usize| Region { len: lens[i], ..both[i % 2] };
        let edges = stack.push(edges);
        let (feature_channels, classes) = (architecture.feature_channels, architecture.classes);
        let features = stack.push(volume([images, feature_channels]));
        let logits = stack.push(volume([images, classes]));
        let (mut own, bands) = (Own::default(), (bands, LARGEST));
        let mut phases = Vec::new();

        let pieces = even(pool[0], 1, most).into_iter().map(|rows| {
            let (band, scratch) = stem_scratch(bands, (conv, width, channels), rows.len());
            let [image_ring, conv_ring] = own.regions(scratch);
            let output = buffer(0);
            Step::Stem(StemStep {
                image,
                conv,
                pool,
                channels,
                rows,
                band,
                image_ring,
                conv_ring,
                output,
            })
        });
        phases.push(Phase { needs: Needs::All, pieces: pieces.collect() });

        let (mut size, mut inputs, mut layer) = (pool, channels, 1);
        for (s, (stage, planned)) in architecture.stages.iter().zip(plan.stages()).enumerate() {
            let (columns, half) = (planned.columns, stage.channels / 2);
            let (input_size, output_size) = (size, halved(size));
            let pieces = even(output_size[0], 1, most);
            let row = output_size[1] * half;
            let edges = Edges { pieces: &pieces, row, memory: edges };
            for (u, unit) in planned.units.iter().enumerate() {
                let next = |piece: usize| match planned.units.get(u + 1) {
                    Some(next) => NextEdges {
                        reads: next.branches[0].reads.clone(),
                        rows: edges.of(u + 1, piece),
                    },
                    None => NextEdges::default(),
                };
                let steps = pieces.iter().cloned().enumerate().map(|(piece, rows)| {
                    if u > 0 {
                        let shape = (output_size, half);
                        let (band, scratch) = unit_scratch(bands, shape, rows.len());
                        let [ring, band_rows] = own.regions(scratch);
                        return Step::Unit(UnitStep {
                            layer,
                            size: output_size,
                            columns,
                            half,
                            rows,
                            band,
                            stage: buffer(s + 1),
                            ring,
                            band_rows,
                            reads: unit.branches[0].reads.clone(),
                            writes: unit.branches[0].writes.clone(),
                            edges: [edges.of(u, piece), edges.beside(u, piece)].concat(),
                            next: next(piece),
                        });
                    }
                    let shape = ((input_size, output_size[1]), (inputs, half));
                    let (band, scratch) = downsample_scratch(bands, shape.0, shape.1, rows.len());
                    let [ring, branch1_rows, branch2_rows] = own.regions(scratch);
                    Step::Downsample(DownsampleStep {
                        layer,
                        input_size,
                        output_size,
                        inputs,
                        outputs: columns,
                        half,
                        rows,
                        band,
                        input: buffer(s),
                        output: buffer(s + 1),
                        images: 1,
                        ring,
                        branch1_rows,
                        branch2_rows,
                        reads: unit.branches[0].reads.clone(),
                        branch1_writes: unit.branches[0].writes.clone(),
                        branch2_writes: unit.branches[1].writes.clone(),
                        next: next(piece),
                    })
                });
                let needs = if u == 0 { Needs::All } else { Needs::Neighbours };
                phases.push(Phase { needs, pieces: steps.collect() });
                layer += if u == 0 { 5 } else { 3 };
            }
            (size, inputs) = (output_size, columns);
        }

        let pieces = even(feature_channels, granule, most).into_iter().map(|part| {
            Step::Conv5(Conv5Step {
                layer,
                size,
                columns: inputs,
                features: feature_channels,
                part,
                input: buffer(3),
                images: 1,
                output: features,
                kept: Region::EMPTY,
            })
        });
        phases.push(Phase { needs: Needs::All, pieces: pieces.collect() });
        let pieces = even(classes, granule, most).into_iter().map(|part| {
            let (layer, features, input, output) = (layer + 1, feature_channels, features, logits);
            Step::Classify(ClassifyStep { layer, features, classes, part, input, output })
        });
        phases.push(Phase { needs: Needs::All, pieces: pieces.collect() });
        Split { phases, features, logits, shared: stack.end, own: own.most }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_even_and_whole_granules() {
        for total in 1..70 {
            for granule in [1, 3, 16] {
                for most in 1..20 {
                    let parts = even(total, granule, most);
                    let case = format!("{total}, {granule}, {most}: {parts:?}");
                    assert_eq!(parts.len(), most.min(total.div_ceil(granule)), "{case}");
                    assert_eq!((parts[0].start, parts[parts.len() - 1].end), (0, total), "{case}");
                    assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start), "{case}");
                    assert!(parts.iter().all(|part| part.start % granule == 0), "{case}");
                    let granules = |part: &Range<usize>| part.len().div_ceil(granule);
                    let (least, largest) =
                        (parts.iter().map(granules).min(), parts.iter().map(granules).max());
                    assert!(least >= Some(1) && largest <= least.map(|n| n + 1), "{case}");
                }
            }
        }
    }

    /// What a piece reads of a neighbour is what this one writes, and in the next unit it lies elsewhere.
    #[test]
    fn edges_meet_their_neighbours() {
        for (rows, count) in [(1, 1), (2, 2), (5, 2), (7, 4), (7, 7), (28, 3)] {
            let pieces = even(rows, 1, count);
            let (row, offset) = (18, 160);
            let memory = Region { offset, len: Edges::len(count, row) };
            let edges = Edges { pieces: &pieces, row, memory };
            let written: Vec<Vec<_>> = (1..4)
                .map(|unit| (0..count).flat_map(|piece| edges.of(unit, piece)).collect())
                .collect();
            for (unit, written) in (1..).zip(&written) {
                for (piece, of_piece) in pieces.iter().enumerate() {
                    let beside = edges.beside(unit, piece);
                    assert!(beside.iter().all(|edge| written.contains(edge)));
                    let (above, below) = (of_piece.start.wrapping_sub(1), of_piece.end);
                    let expected = [above, below].into_iter().filter(|&y| y < rows);
                    assert!(beside.iter().map(|edge| edge.row).eq(expected), "{rows}, {count}");
                }
                assert!(written.iter().all(|edge| edge.region.end() <= memory.end()));
            }
            // Rows of one unit and of the next do not meet; those of the one after lie where the first lay.
            let both: Vec<_> = written[0].iter().chain(&written[1]).collect();
            for (i, a) in both.iter().enumerate() {
                let apart = |b: &&EdgeRow| {
                    a.region.end() <= b.region.offset || b.region.end() <= a.region.offset
                };
                assert!(both[..i].iter().all(apart), "{rows}, {count}");
            }
            assert_eq!(written[0], written[2]);
        }
    }
}
