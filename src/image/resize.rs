//! Antialiased bilinear resizing with Pillow's arithmetic, to the bit.
//!
//! An output pixel is a weighted mean of the source pixels under a triangle, which is as wide as two
//! output pixels (two source pixels when enlarging). Rows are resized in one pass and columns in
//! another. The weights are computed in f64 and rounded to 22 fractional bits; each pass rounds to
//! 8 bits, so that the order of the two counts.

use std::ops::Range;

use super::frame::Frame;
use super::{Pixels, Rotation};
use crate::Error;
use crate::cpu::Cpu;
use crate::kernels::{PixelRows, WEIGHT_BITS};

/// Longest side of a source. A triangle over n pixels adds up to at most 2^22 + n / 2 in weights, so
/// with this n every sum of weight times value stays below 2^31.
const MAX_SIDE: usize = 1 << 20;

/// Most memory that a resizer takes, in bytes.
const MAX_MEMORY: u64 = 1 << 30;

/// One direction of a resize: which source pixels each output pixel is the mean of.
struct Axis {
    /// The first source pixel and how many, for each output pixel.
    spans: Vec<(usize, usize)>,
    /// For each output pixel as many as for any, even, those after its span 0.
    weights: Vec<u32>,
}

impl Axis {
    /// The pixels `window` of the `resized` that `source` pixels become; with `mirrored`, source pixels
    /// count from the other end.
    fn new(source: usize, resized: usize, window: Range<usize>, mirrored: bool) -> Axis {
        let scale = source as f64 / resized as f64;
        let support = scale.max(1.0);
        let outputs = window.len();
        let mut spans = Vec::with_capacity(outputs);
        let mut packed = Vec::with_capacity(outputs * taps(source, resized));
        let mut triangle = Vec::with_capacity(taps(source, resized));
        for x in window {
            let centre = (x as f64 + 0.5) * scale;
            let low = (centre - support + 0.5).max(0.0) as usize;
            let high = ((centre + support + 0.5) as usize).min(source);
            triangle.clear();
            triangle.extend((low..high).map(|i| {
                let distance = (i as f64 - centre + 0.5) * (1.0 / support);
                (1.0 - distance.abs()).max(0.0)
            }));
            let sum: f64 = triangle.iter().sum();
            // Where the triangle just touches a pixel its weight is 0: nothing to read there.
            let leading = triangle.iter().take_while(|&&w| w == 0.0).count();
            let trailing = triangle[leading..].iter().rev().take_while(|&&w| w == 0.0).count();
            let inside = &mut triangle[leading..high - low - trailing];
            let mut first = low + leading;
            if mirrored {
                first = source - first - inside.len();
                inside.reverse();
            }
            let weight = |w: &f64| (0.5 + w / sum * f64::from(1 << WEIGHT_BITS)) as u32;
            packed.extend(inside.iter().map(weight));
            spans.push((first, inside.len()));
        }
        let taps = spans.iter().map(|span| span.1).max().unwrap_or(0).next_multiple_of(2);
        let mut weights = vec![0; outputs * taps];
        let mut packed = &packed[..];
        for (weights, &(_, length)) in weights.chunks_exact_mut(taps).zip(&spans) {
            let span;
            (span, packed) = packed.split_at(length);
            weights[..length].copy_from_slice(span);
        }
        Axis { spans, weights }
    }

    /// As many source pixels as an output pixel has weights.
    fn taps(&self) -> usize {
        self.weights.len() / self.spans.len()
    }

    /// The source pixels under an output pixel, and their weights.
    fn span(&self, output: usize) -> (Range<usize>, &[u32]) {
        let (first, length) = self.spans[output];
        (first..first + length, &self.weights[output * self.taps()..][..length])
    }

    /// The source pixels that are read at all.
    fn reach(&self) -> Range<usize> {
        let ends = |&(first, length): &(usize, usize)| first + length;
        let start = self.spans.iter().map(|span| span.0).min().unwrap_or(0);
        start..self.spans.iter().map(ends).max().unwrap_or(0)
    }
}

/// An upper bound of the source pixels under a triangle.
fn taps(source: usize, resized: usize) -> usize {
    (2 * source.div_ceil(resized) + 1).min(source)
}

/// Resizes pictures of one size to another, or to a part of it, as Pillow 13's
/// `Image.resize(..., Resampling.BILINEAR)` does to an RGB image. Weights and buffers are made once.
///
/// Like Pillow 13, it resizes columns first where the height shrinks by more than twice the pixels
/// that the width does. Pillow 12 and before always begin with rows: a difference of 1 at most.
pub struct Resizer {
    /// Width and height of a frame, before it is turned.
    source: (usize, usize),
    rotation: Rotation,
    /// Along a row and along a column of the frame, before it is turned.
    columns: Axis,
    rows: Axis,
    /// Which of the frame's columns are read.
    reach: Range<usize>,
    /// For each output pixel in a frame's row, where in its reach the first pixel is.
    firsts: Vec<u32>,
    /// Of the frame, before it is turned.
    vertical_first: bool,
    /// One row of RGB and a byte of padding: the reach, and pixels of no weight after it.
    row: Vec<[u8; 4]>,
    /// What lies between the passes: as many rows as an output row needs, row `y` at
    /// `y % self.rows.taps()`. Vertical first: of source pixels, else of resized ones.
    ring: Vec<u8>,
    /// Where in the ring an output row's source rows are.
    offsets: Vec<usize>,
    /// An output row, where it becomes a column.
    line: Vec<[u8; 3]>,
    kernels: PixelRows,
}

impl Resizer {
    /// A resizer from `source` (width, height) to `resized` (width, height), in pixels.
    ///
    /// # Errors
    /// [`Error::Argument`] for a size of 0, a source side above 2^20, sizes whose weights and
    /// buffers would take more than 1 GiB, or a wrong `SHUFFLENET_CPU`.
    pub fn new(source: (usize, usize), resized: (usize, usize)) -> Result<Resizer, Error> {
        Resizer::cropped(source, resized, 0..resized.0, 0..resized.1)
    }

    /// A resizer that computes only the given columns and rows of the resized picture.
    ///
    /// # Errors
    /// Those of [`Resizer::new`], and [`Error::Argument`] for a range that is empty or leaves the
    /// resized picture.
    pub fn cropped(
        source: (usize, usize),
        resized: (usize, usize),
        columns: Range<usize>,
        rows: Range<usize>,
    ) -> Result<Resizer, Error> {
        Resizer::turned(source, Rotation::None, resized, columns, rows)
    }

    /// A resizer that turns the picture first; sizes but the source's, and ranges, are of the turned one.
    pub(super) fn turned(
        source: (usize, usize),
        rotation: Rotation,
        resized: (usize, usize),
        columns: Range<usize>,
        rows: Range<usize>,
    ) -> Result<Resizer, Error> {
        for (name, size) in [("source width", source.0), ("source height", source.1)] {
            if !(1..=MAX_SIDE).contains(&size) {
                return Err(Error::argument(name, size, format!("1 to {MAX_SIDE}")));
            }
        }
        for (name, window, size) in [("columns", &columns, resized.0), ("rows", &rows, resized.1)] {
            if window.is_empty() || window.end > size {
                let expected = format!("a range of pixels within 0..{size}");
                return Err(Error::argument(name, format!("{window:?}"), expected));
            }
        }
        let shrinks = |source: usize, resized: usize| source as i128 - resized as i128;
        let upright = rotation.turn(source);
        let fewer_rows = shrinks(upright.1, resized.1);
        let vertical_first = fewer_rows > 0 && fewer_rows > 2 * shrinks(upright.0, resized.0);

        // From here on all is as in the frame, whose rows lie together in memory: a turned picture's rows
        // are the frame's columns, maybe from the other end.
        let swap = rotation.swaps_sides();
        let (resized, [columns, rows]) = match swap {
            true => ((resized.1, resized.0), [rows, columns]),
            false => (resized, [columns, rows]),
        };
        let vertical_first = vertical_first != swap;

        // In f64, which cannot overflow; the bound is far below where it would round.
        let (width, height) = (columns.len() as f64, rows.len() as f64);
        let across = taps(source.0, resized.0) as f64 + 1.0;
        let down = taps(source.1, resized.1) as f64 + 1.0;
        // While an axis is made, its weights are there twice.
        let weights = 8.0 * (width * across + height * down) + 8.0 * (across + down);
        let spans = 24.0 * (width + height);
        let row = 4.0 * (source.0 as f64 + across);
        let ring = down * if vertical_first { row } else { 3.0 * width };
        let lines = row + 3.0 * width;
        if weights + spans + ring + lines > MAX_MEMORY as f64
            || width * height * 3.0 > isize::MAX as f64
        {
            let (width, height) = (columns.len(), rows.len());
            let found = format!("{width} x {height} pixels from {} x {}", source.0, source.1);
            return Err(Error::argument("resized picture", found, "a smaller size"));
        }

        let [mirrored_columns, mirrored_rows] = rotation.mirrors();
        let columns = Axis::new(source.0, resized.0, columns, mirrored_columns);
        let rows = Axis::new(source.1, resized.1, rows, mirrored_rows);
        let mut reach = columns.reach();
        // Chroma comes in pairs of pixels, and whole vectors of pixels are faster than what is left over.
        reach.start -= reach.start % 2;
        reach.end = source.0.min(reach.start + reach.len().next_multiple_of(32));
        let firsts = columns.spans.iter().map(|span| (span.0 - reach.start) as u32).collect();
        let row = vec![[0; 4]; reach.len() + columns.taps()];
        let length = if vertical_first { 4 * row.len() } else { 3 * columns.spans.len() };
        Ok(Resizer {
            ring: vec![0; length * rows.taps()],
            offsets: vec![0; rows.taps()],
            line: vec![[0; 3]; columns.spans.len()],
            source,
            rotation,
            columns,
            rows,
            reach,
            firsts,
            vertical_first,
            row,
            kernels: PixelRows::for_level(Cpu::from_env()?.level()),
        })
    }

    /// Width and height of what [`Resizer::run`] writes, in pixels.
    pub fn output_size(&self) -> (usize, usize) {
        self.rotation.turn((self.columns.spans.len(), self.rows.spans.len()))
    }

    /// Resizes a picture into `out`: height x width x 3 bytes, RGB. Allocates nothing.
    ///
    /// # Errors
    /// [`Error::Argument`] for a picture that is not of the source size, or `out` of another length.
    pub fn run(&mut self, pixels: &Pixels<'_>, out: &mut [u8]) -> Result<(), Error> {
        let (width, height) = self.output_size();
        if out.len() != width * height * 3 {
            return Err(Error::argument("output length", out.len(), width * height * 3));
        }
        self.run_strided(Frame::Pixels(pixels), out, width * 3)
    }

    /// The same with `stride` bytes from one output row to the next, and `out` at least long enough.
    pub(super) fn run_strided(
        &mut self,
        frame: Frame<'_, '_>,
        out: &mut [u8],
        stride: usize,
    ) -> Result<(), Error> {
        let (width, height) = self.source;
        if frame.size() != self.source {
            let found = format!("{} x {}", frame.size().0, frame.size().1);
            return Err(Error::argument("picture size", found, format!("{width} x {height}")));
        }
        let [_, from_below] = self.rotation.mirrors();
        let outputs = self.rows.spans.len();
        let mut next = 0;
        for i in 0..outputs {
            // Downwards in the frame.
            let output = if from_below { outputs - 1 - i } else { i };
            let span = self.rows.span(output).0;
            for y in next.max(span.start)..span.end {
                self.source_row(frame, y);
            }
            next = span.end;
            if self.rotation.swaps_sides() {
                let mut line = std::mem::take(&mut self.line);
                self.output_row(output, &mut line);
                for (out, pixel) in out[3 * output..].chunks_mut(stride).zip(&line) {
                    out[..3].copy_from_slice(pixel);
                }
                self.line = line;
            } else {
                let row = &mut out[output * stride..][..3 * self.columns.spans.len()];
                self.output_row(output, row.as_chunks_mut().0);
            }
        }
        Ok(())
    }

    /// Brings a row of the frame into the ring.
    fn source_row(&mut self, frame: Frame<'_, '_>, y: usize) {
        let taps = self.rows.taps();
        let length = self.ring.len() / taps;
        let slot = &mut self.ring[y % taps * length..][..length];
        if self.vertical_first {
            frame.write_row(&self.kernels, y, self.reach.clone(), slot.as_chunks_mut().0);
        } else {
            frame.write_row(&self.kernels, y, self.reach.clone(), &mut self.row);
            let out = slot.as_chunks_mut().0;
            self.kernels.resize(&self.row, &self.firsts, &self.columns.weights, out);
        }
    }

    /// Makes an output row of those in the ring.
    fn output_row(&mut self, output: usize, out: &mut [[u8; 3]]) {
        let (span, weights) = self.rows.span(output);
        let taps = self.rows.taps();
        let length = self.ring.len() / taps;
        let offsets = &mut self.offsets[..span.len()];
        for (offset, y) in offsets.iter_mut().zip(span) {
            *offset = y % taps * length;
        }
        if self.vertical_first {
            self.kernels.mix(&self.ring, offsets, weights, self.row.as_flattened_mut());
            self.kernels.resize(&self.row, &self.firsts, &self.columns.weights, out);
        } else {
            self.kernels.mix(&self.ring, offsets, weights, out.as_flattened_mut());
        }
    }
}
