//! A few rows of an image, the newest in place of the oldest.

use crate::Error;
use crate::kernels::{ImageRows, View, ViewMut};
use std::ops::Range;

/// Rows of `width` pixels of `columns` channels; row `y` lies at `y` modulo the number held.
pub(super) struct Ring<'a> {
    data: &'a mut [f32],
    width: usize,
    columns: usize,
}

impl<'a> Ring<'a> {
    /// As many rows as the data holds.
    pub fn new(data: &'a mut [f32], width: usize, columns: usize) -> Ring<'a> {
        Ring { data, width, columns }
    }

    fn held(&self) -> usize {
        self.data.len() / (self.width * self.columns)
    }

    fn range(&self, y: usize) -> Range<usize> {
        let row = self.width * self.columns;
        let start = y % self.held() * row;
        start..start + row
    }

    /// Row `y`, to write.
    pub fn row_mut(&mut self, y: usize) -> &mut [f32] {
        let range = self.range(y);
        &mut self.data[range]
    }

    /// Hands out rows to write, in as few pieces as lie together: the rows, and their pixels.
    pub fn write(
        &mut self,
        rows: Range<usize>,
        mut each: impl FnMut(Range<usize>, &mut ViewMut<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let held = self.held();
        let mut y = rows.start;
        while y < rows.end {
            let end = rows.end.min(y - y % held + held);
            let pixels = (end - y) * self.width;
            let start = self.range(y).start;
            let data = &mut self.data[start..start + pixels * self.columns];
            each(y..end, &mut ViewMut::dense(data, pixels, self.columns)?)?;
            y = end;
        }
        Ok(())
    }

    /// The image whose first row is row `first`, of that height.
    #[inline]
    pub fn image(&self, first: usize, height: usize) -> Result<ImageRows<'_>, Error> {
        let pixels = View::dense(self.data, self.held() * self.width, self.columns)?;
        ImageRows::ring(pixels, self.width, first, height)
    }
}
