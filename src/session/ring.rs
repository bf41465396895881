//! A few rows of an image, the newest in place of the oldest.

use super::arena::Part;
use crate::Error;
use crate::kernels::{ImageRows, View};
use std::ops::Range;

/// Rows of `width` pixels in an area that holds a few; row `y` lies at `y` modulo their number.
#[derive(Clone, Copy)]
pub(super) struct Ring {
    area: usize,
    held: usize,
    width: usize,
}

impl Ring {
    /// In an area of so many pixels.
    pub fn new(area: usize, pixels: usize, width: usize) -> Ring {
        Ring { area, held: pixels / width, width }
    }

    /// All that it holds.
    pub fn all(self) -> Part {
        (self.area, 0..self.held * self.width)
    }

    /// The image whose first row is row `first`, of that height, in a view of all that it holds.
    #[inline(always)]
    pub fn image<'a>(
        self,
        view: View<'a>,
        first: usize,
        height: usize,
    ) -> Result<ImageRows<'a>, Error> {
        ImageRows::ring(view, self.width, first, height)
    }

    /// Where rows lie that are one of the [`pieces`](Ring::pieces).
    pub fn rows(self, rows: Range<usize>) -> Part {
        let start = rows.start % self.held;
        (self.area, start * self.width..(start + rows.len()) * self.width)
    }

    /// Rows in as few pieces as lie together.
    pub fn pieces(self, rows: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let mut y = rows.start;
        std::iter::from_fn(move || {
            let end = rows.end.min(y - y % self.held + self.held);
            let piece = y..end;
            y = end.max(y);
            (!piece.is_empty()).then_some(piece)
        })
    }
}
