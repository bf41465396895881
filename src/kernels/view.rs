//! Checked views of the matrices that kernels read and write.

use super::args::{ColumnRange, RawView};
use crate::Error;
use std::marker::PhantomData;
use std::ops::Range;

/// Ranges by reference, or a single one inline.
#[derive(Clone, Copy, Debug)]
enum Ranges<'a> {
    One([ColumnRange; 1]),
    Many(&'a [ColumnRange]),
}

impl Ranges<'_> {
    fn as_slice(&self) -> &[ColumnRange] {
        match self {
            Ranges::One(range) => range,
            Ranges::Many(ranges) => ranges,
        }
    }
}

/// Shape of a view: rows, the step between them, and the columns that belong to it.
#[derive(Clone, Copy, Debug)]
struct Shape<'a> {
    rows: usize,
    stride: usize,
    columns: usize,
    ranges: Ranges<'a>,
}

impl<'a> Shape<'a> {
    /// Inlined, so that a shape is made where it is used and not copied there.
    #[inline(always)]
    fn new(len: usize, rows: usize, stride: usize, ranges: Ranges<'a>) -> Result<Self, Error> {
        let (mut end, mut columns) = (0, 0);
        for range in ranges.as_slice() {
            match end_of(range, end, stride) {
                Some(next) => (end, columns) = (next, columns + range.len),
                None => return Err(misplaced(range, end, stride)),
            }
        }
        if columns == 0 {
            return Err(Error::argument("number of columns", 0, "at least 1"));
        }
        let needed = match rows {
            0 => Some(0),
            _ => (rows - 1).checked_mul(stride).and_then(|n| n.checked_add(end)),
        };
        match needed {
            Some(needed) if needed <= len => Ok(Shape { rows, stride, columns, ranges }),
            _ => Err(too_short(len, rows, stride, end)),
        }
    }

    /// The shape of some of the rows, and how many elements of the data come before them.
    fn slice(self, rows: &Range<usize>) -> Option<(usize, Self)> {
        let count = rows.end.checked_sub(rows.start).filter(|_| rows.end <= self.rows)?;
        // Of a view without rows, the stride may be anything.
        let before = if count == 0 { 0 } else { rows.start * self.stride };
        Some((before, Shape { rows: count, ..self }))
    }

    #[inline(always)]
    fn one_range(len: usize, rows: usize, stride: usize, columns: usize) -> Result<Self, Error> {
        Shape::new(len, rows, stride, Ranges::One([ColumnRange { start: 0, len: columns }]))
    }
}

/// The end of a range that is not empty, starts at `from` or later and ends within the stride.
#[inline(always)]
fn end_of(range: &ColumnRange, from: usize, stride: usize) -> Option<usize> {
    let end = range.start.checked_add(range.len)?;
    (range.start >= from && range.len > 0 && end <= stride).then_some(end)
}

#[cold]
fn misplaced(range: &ColumnRange, from: usize, stride: usize) -> Error {
    let end = range.start.checked_add(range.len).filter(|&end| end <= stride);
    Error::argument(
        "column range",
        format!("{} to {end:?}", range.start),
        format!("not empty, from {from} or later, within the row stride {stride}"),
    )
}

#[cold]
fn too_short(len: usize, rows: usize, stride: usize, end: usize) -> Error {
    let expected = format!("room for {rows} rows of stride {stride} that end at column {end}");
    Error::argument("length of the data", len, expected)
}

/// Columns of a row-major matrix to read: `rows` rows (pixels), `stride` elements apart, of which
/// only the columns in the ranges belong to the view.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    data: *const f32,
    shape: Shape<'a>,
    lifetime: PhantomData<&'a [f32]>,
}

// SAFETY: a view is a shared borrow of floats.
unsafe impl Send for View<'_> {}
// SAFETY: as above.
unsafe impl Sync for View<'_> {}

impl<'a> View<'a> {
    /// The given columns of `data`; ranges must be ascending, disjoint and not empty.
    ///
    /// # Errors
    /// [`Error::Argument`] when a range or the data does not fit.
    #[inline]
    pub fn new(
        data: &'a [f32],
        rows: usize,
        stride: usize,
        ranges: &'a [ColumnRange],
    ) -> Result<View<'a>, Error> {
        // SAFETY: the borrow promises it.
        unsafe { View::from_raw(data.as_ptr(), data.len(), rows, stride, ranges) }
    }

    /// The first `columns` columns of rows that are `stride` elements apart.
    ///
    /// # Errors
    /// As for [`View::new`].
    #[inline]
    pub fn strided(
        data: &'a [f32],
        rows: usize,
        stride: usize,
        columns: usize,
    ) -> Result<View<'a>, Error> {
        let shape = Shape::one_range(data.len(), rows, stride, columns)?;
        Ok(View { data: data.as_ptr(), shape, lifetime: PhantomData })
    }

    /// Rows of `columns` elements with nothing between them.
    ///
    /// # Errors
    /// As for [`View::new`].
    #[inline]
    pub fn dense(data: &'a [f32], rows: usize, columns: usize) -> Result<View<'a>, Error> {
        View::strided(data, rows, columns, columns)
    }

    /// As [`View::new`], of `len` floats that threads may share.
    ///
    /// # Errors
    /// As for [`View::new`].
    ///
    /// # Safety
    /// For `'a`, the columns in the ranges may be read, and nothing writes to them.
    #[inline(always)]
    pub(crate) unsafe fn from_raw(
        data: *const f32,
        len: usize,
        rows: usize,
        stride: usize,
        ranges: &'a [ColumnRange],
    ) -> Result<View<'a>, Error> {
        let shape = Shape::new(len, rows, stride, Ranges::Many(ranges))?;
        Ok(View { data, shape, lifetime: PhantomData })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.shape.rows
    }

    /// Number of columns, over all ranges.
    pub fn columns(&self) -> usize {
        self.shape.columns
    }

    /// Elements from one row to the next.
    pub fn stride(&self) -> usize {
        self.shape.stride
    }

    /// The columns.
    pub fn ranges(&self) -> &[ColumnRange] {
        self.shape.ranges.as_slice()
    }

    /// Some of the rows, or `None` where the view has not all of them.
    pub fn slice(&self, rows: Range<usize>) -> Option<View<'a>> {
        let (before, shape) = self.shape.slice(&rows)?;
        // SAFETY: the data covers every row of the view.
        let data = unsafe { self.data.add(before) };
        Some(View { data, shape, lifetime: PhantomData })
    }

    pub(super) fn as_ptr(&self) -> *const f32 {
        self.data
    }

    pub(super) fn raw(&self) -> RawView<*const f32> {
        let ranges = self.ranges();
        RawView {
            data: self.data,
            stride: self.shape.stride,
            ranges: ranges.as_ptr(),
            range_count: ranges.len(),
        }
    }
}

/// Columns of a row-major matrix to write; see [`View`]. Nothing else of the matrix is touched.
#[derive(Debug)]
pub struct ViewMut<'a> {
    data: *mut f32,
    shape: Shape<'a>,
    lifetime: PhantomData<&'a mut [f32]>,
}

// SAFETY: a view is a unique borrow of floats.
unsafe impl Send for ViewMut<'_> {}
// SAFETY: as above.
unsafe impl Sync for ViewMut<'_> {}

impl<'a> ViewMut<'a> {
    /// As [`View::new`].
    ///
    /// # Errors
    /// As for [`View::new`].
    #[inline]
    pub fn new(
        data: &'a mut [f32],
        rows: usize,
        stride: usize,
        ranges: &'a [ColumnRange],
    ) -> Result<ViewMut<'a>, Error> {
        // SAFETY: the borrow promises it.
        unsafe { ViewMut::from_raw(data.as_mut_ptr(), data.len(), rows, stride, ranges) }
    }

    /// As [`View::strided`].
    ///
    /// # Errors
    /// As for [`View::new`].
    #[inline]
    pub fn strided(
        data: &'a mut [f32],
        rows: usize,
        stride: usize,
        columns: usize,
    ) -> Result<ViewMut<'a>, Error> {
        let shape = Shape::one_range(data.len(), rows, stride, columns)?;
        Ok(ViewMut { data: data.as_mut_ptr(), shape, lifetime: PhantomData })
    }

    /// As [`View::dense`].
    ///
    /// # Errors
    /// As for [`View::new`].
    #[inline]
    pub fn dense(data: &'a mut [f32], rows: usize, columns: usize) -> Result<ViewMut<'a>, Error> {
        ViewMut::strided(data, rows, columns, columns)
    }

    /// As [`View::from_raw`].
    ///
    /// # Errors
    /// As for [`View::new`].
    ///
    /// # Safety
    /// For `'a`, the columns in the ranges may be written, and nothing else reads or writes them.
    #[inline(always)]
    pub(crate) unsafe fn from_raw(
        data: *mut f32,
        len: usize,
        rows: usize,
        stride: usize,
        ranges: &'a [ColumnRange],
    ) -> Result<ViewMut<'a>, Error> {
        let shape = Shape::new(len, rows, stride, Ranges::Many(ranges))?;
        Ok(ViewMut { data, shape, lifetime: PhantomData })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.shape.rows
    }

    /// Number of columns, over all ranges.
    pub fn columns(&self) -> usize {
        self.shape.columns
    }

    /// Elements from one row to the next.
    pub fn stride(&self) -> usize {
        self.shape.stride
    }

    /// The columns.
    pub fn ranges(&self) -> &[ColumnRange] {
        self.shape.ranges.as_slice()
    }

    /// Some of the rows, or `None` where the view has not all of them.
    pub fn slice(&mut self, rows: Range<usize>) -> Option<ViewMut<'_>> {
        let (before, shape) = self.shape.slice(&rows)?;
        // SAFETY: the data covers every row of the view.
        let data = unsafe { self.data.add(before) };
        Some(ViewMut { data, shape, lifetime: PhantomData })
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut f32 {
        self.data
    }

    pub(super) fn raw(&mut self) -> RawView<*mut f32> {
        let ranges = self.shape.ranges.as_slice();
        RawView {
            data: self.data,
            stride: self.shape.stride,
            ranges: ranges.as_ptr(),
            range_count: ranges.len(),
        }
    }
}

/// # Errors
/// [`Error::Argument`] if a number is not the one expected.
#[inline(always)]
pub(super) fn expect(name: &'static str, found: usize, expected: usize) -> Result<(), Error> {
    match found == expected {
        true => Ok(()),
        false => Err(Error::argument(name, found, expected)),
    }
}

/// Walks two equally long lists of ranges together: `(column here, column there, length, columns
/// before)` of every piece that is contiguous in both. Inlined, as a closure would not be.
pub(super) struct ZipRanges<'a> {
    lists: [&'a [ColumnRange]; 2],
    /// Columns of the lists' first ranges that are done.
    done: [usize; 2],
    before: usize,
}

impl<'a> ZipRanges<'a> {
    #[inline(always)]
    pub fn new(here: &'a [ColumnRange], there: &'a [ColumnRange]) -> ZipRanges<'a> {
        ZipRanges { lists: [here, there], done: [0, 0], before: 0 }
    }
}

impl Iterator for ZipRanges<'_> {
    type Item = (usize, usize, usize, usize);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let [[x, ..], [y, ..]] = self.lists else { return None };
        let [in_x, in_y] = self.done;
        let len = (x.len - in_x).min(y.len - in_y);
        let piece = (x.start + in_x, y.start + in_y, len, self.before);
        self.before += len;
        for (i, range) in [x, y].into_iter().enumerate() {
            self.done[i] += len;
            if self.done[i] == range.len {
                (self.lists[i], self.done[i]) = (&self.lists[i][1..], 0);
            }
        }
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: usize, len: usize) -> ColumnRange {
        ColumnRange { start, len }
    }

    #[test]
    fn only_views_that_fit_are_made() {
        let data = [0.0; 20];
        let view =
            |rows, stride, ranges: &[ColumnRange]| View::new(&data, rows, stride, ranges).is_ok();
        assert!(view(2, 10, &[range(0, 4), range(4, 6)]));
        assert!(view(3, 8, &[range(1, 3)])); // the last row ends at element 20
        assert!(!view(3, 8, &[range(1, 4)]));
        assert!(view(0, 8, &[range(0, 8)]));
        assert!(!view(2, 10, &[]));
        assert!(!view(2, 10, &[range(3, 0)]));
        assert!(!view(2, 10, &[range(0, 4), range(3, 2)]));
        assert!(!view(2, 10, &[range(4, 4), range(0, 2)]));
        assert!(!view(2, 10, &[range(8, 3)]));
        assert!(!view(2, 10, &[range(usize::MAX, 2)]));
        assert!(!view(usize::MAX, 10, &[range(0, 2)]));
    }

    #[test]
    fn ranges_are_cut_where_either_list_ends() {
        let (a, b) = ([range(0, 3), range(5, 4)], [range(2, 1), range(10, 6)]);
        let pieces: Vec<_> = ZipRanges::new(&a, &b).collect();
        assert_eq!(pieces, [(0, 2, 1, 0), (1, 10, 2, 1), (5, 12, 4, 3)]);
    }
}
