//! Antialiased bilinear resizing with Pillow's arithmetic, to the bit.
//!
//! An output pixel is a weighted mean of the source pixels under a triangle, which is as wide as two
//! output pixels (two source pixels when enlarging). Rows are resized in one pass and columns in
//! another. The weights are computed in f64 and rounded to 22 fractional bits; each pass rounds to
//! 8 bits, so that the order of the two counts.

use std::ops::Range;

use super::Pixels;
use crate::Error;

/// Fractional bits of a weight (Pillow: 32 less 8 for the value and 2 for overshoot).
const BITS: u32 = 22;

/// What every sum starts from, so that dropping the fraction rounds.
const HALF: u32 = 1 << (BITS - 1);

/// Longest side of a source. A triangle over n pixels adds up to at most 2^22 + n / 2 in weights, so
/// with this n every sum of weight times value stays below 2^31.
const MAX_SIDE: usize = 1 << 20;

/// Most memory that a resizer takes, in bytes.
const MAX_MEMORY: u64 = 1 << 30;

/// The source pixels under one output pixel's triangle.
struct Span {
    /// Index of the first one.
    first: usize,
    /// Their weights, as a range of [`Axis::weights`].
    weights: Range<usize>,
}

/// One direction of a resize: the spans of consecutive output pixels.
struct Axis {
    spans: Vec<Span>,
    weights: Vec<u32>,
}

impl Axis {
    /// The pixels `window` of the `resized` that `source` pixels become.
    fn new(source: usize, resized: usize, window: Range<usize>) -> Axis {
        let scale = source as f64 / resized as f64;
        let support = scale.max(1.0);
        let mut spans = Vec::with_capacity(window.len());
        let mut weights = Vec::with_capacity(window.len() * taps(source, resized));
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
            let start = weights.len();
            let inside = &triangle[leading..triangle.len() - trailing];
            weights.extend(inside.iter().map(|w| (0.5 + w / sum * f64::from(1 << BITS)) as u32));
            spans.push(Span { first: low + leading, weights: start..weights.len() });
        }
        Axis { spans, weights }
    }

    /// Each output pixel's first source pixel and weights.
    fn iter(&self) -> impl Iterator<Item = (usize, &[u32])> {
        self.spans.iter().map(|span| (span.first, &self.weights[span.weights.clone()]))
    }

    /// The source pixels that are read at all.
    fn reach(&self) -> Range<usize> {
        let end = self.spans.last().map_or(0, |span| span.first + span.weights.len());
        self.spans.first().map_or(0, |span| span.first)..end
    }

    /// The most source pixels that an output pixel reads.
    fn longest(&self) -> usize {
        self.spans.iter().map(|span| span.weights.len()).max().unwrap_or(0)
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
    source: (usize, usize),
    columns: Axis,
    rows: Axis,
    vertical_first: bool,
    /// What lies between the passes. Horizontal first: as many resized source rows as an output row
    /// needs, row `y` at `y % rows.longest()`. Vertical first: one row of source pixels.
    between: Vec<u8>,
    /// The vertical pass's sums of one row.
    sums: Vec<u32>,
}

impl Resizer {
    /// A resizer from `source` (width, height) to `resized` (width, height), in pixels.
    ///
    /// # Errors
    /// [`Error::Argument`] for a size of 0, a source side above 2^20, or sizes whose weights and
    /// buffers would take more than 1 GiB.
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
        let fewer_rows = shrinks(source.1, resized.1);
        let vertical_first = fewer_rows > 0 && fewer_rows > 2 * shrinks(source.0, resized.0);

        // In f64, which cannot overflow; the bound is far below where it would round.
        let (width, height) = (columns.len() as f64, rows.len() as f64);
        let (across, down) = (taps(source.0, resized.0) as f64, taps(source.1, resized.1) as f64);
        let weights = 4.0 * (width * across + height * down) + 8.0 * (across + down);
        let spans = size_of::<Span>() as f64 * (width + height);
        let rows_between = match vertical_first {
            true => (1.0 + 4.0) * 4.0 * source.0 as f64,
            false => (down + 4.0) * 3.0 * width,
        };
        if weights + spans + rows_between > MAX_MEMORY as f64
            || width * height * 3.0 > isize::MAX as f64
        {
            let found = format!("{width} x {height} pixels from {} x {}", source.0, source.1);
            return Err(Error::argument("resized picture", found, "a smaller size"));
        }

        let columns = Axis::new(source.0, resized.0, columns);
        let rows = Axis::new(source.1, resized.1, rows);
        let (row, kept) = match vertical_first {
            true => (4 * source.0, 1),
            false => (3 * columns.spans.len(), rows.longest()),
        };
        let (between, sums) = (vec![0; row * kept], vec![0; row]);
        Ok(Resizer { source, columns, rows, vertical_first, between, sums })
    }

    /// Width and height of what [`Resizer::run`] writes, in pixels.
    pub fn output_size(&self) -> (usize, usize) {
        (self.columns.spans.len(), self.rows.spans.len())
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
        self.run_strided(pixels, out, width * 3)
    }

    /// The same with `stride` bytes from one output row to the next, and `out` at least long enough.
    pub(super) fn run_strided(
        &mut self,
        pixels: &Pixels<'_>,
        out: &mut [u8],
        stride: usize,
    ) -> Result<(), Error> {
        let (width, height) = self.source;
        if (pixels.width(), pixels.height()) != self.source {
            let found = format!("{} x {}", pixels.width(), pixels.height());
            return Err(Error::argument("picture size", found, format!("{width} x {height}")));
        }
        let offsets = pixels.format().rgb_offsets();
        let resize_row = match pixels.format().bytes_per_pixel() {
            3 => resize_row::<3>,
            _ => resize_row::<4>,
        };
        let out = out.chunks_mut(stride).map(|row| &mut row[..3 * self.columns.spans.len()]);
        if self.vertical_first {
            let bytes = self.columns.reach();
            let bytes = bytes.start * pixels.format().bytes_per_pixel()
                ..bytes.end * pixels.format().bytes_per_pixel();
            for ((first, weights), out) in self.rows.iter().zip(out) {
                let rows = (first..first + weights.len()).map(|y| &pixels.row(y)[bytes.clone()]);
                mix_rows(rows.zip(weights), &mut self.sums, &mut self.between[bytes.clone()]);
                resize_row(&self.columns, &self.between, offsets, out);
            }
        } else {
            let length = self.sums.len();
            let slot = |y: usize| (y % self.rows.longest() * length)..;
            let mut next = 0;
            for ((first, weights), out) in self.rows.iter().zip(out) {
                let end = first + weights.len();
                for y in next.max(first)..end {
                    let row = &mut self.between[slot(y)][..length];
                    resize_row(&self.columns, pixels.row(y), offsets, row);
                }
                next = end;
                let rows = (first..end).map(|y| &self.between[slot(y)][..length]);
                mix_rows(rows.zip(weights), &mut self.sums, out);
            }
        }
        Ok(())
    }
}

/// The vertical pass: rows and their weights to one row, byte by byte.
fn mix_rows<'a>(rows: impl Iterator<Item = (&'a [u8], &'a u32)>, sums: &mut [u32], out: &mut [u8]) {
    let sums = &mut sums[..out.len()];
    sums.fill(HALF);
    for (row, &weight) in rows {
        for (sum, &value) in sums.iter_mut().zip(row) {
            *sum += weight * u32::from(value);
        }
    }
    for (out, &sum) in out.iter_mut().zip(&*sums) {
        *out = round(sum);
    }
}

/// The horizontal pass: one source row of `BYTES` per pixel to one RGB row.
fn resize_row<const BYTES: usize>(
    columns: &Axis,
    source: &[u8],
    [r, g, b]: [usize; 3],
    out: &mut [u8],
) {
    let source = source.as_chunks::<BYTES>().0;
    for ((first, weights), out) in columns.iter().zip(out.as_chunks_mut::<3>().0) {
        let mut sums = [HALF; BYTES];
        for (pixel, &weight) in source[first..].iter().zip(weights) {
            for (sum, &value) in sums.iter_mut().zip(pixel) {
                *sum += weight * u32::from(value);
            }
        }
        *out = [round(sums[r]), round(sums[g]), round(sums[b])];
    }
}

/// Rounded weights may add up to a little more than 1, hence the limit.
fn round(sum: u32) -> u8 {
    (sum >> BITS).min(255) as u8
}
