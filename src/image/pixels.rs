//! A checked view of 8-bit interleaved pixels.

use crate::Error;
use crate::kernels::PixelRows;
use std::ops::Range;

/// The order of the channels in a pixel, one byte each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
    /// Red, green, blue, and an alpha that is ignored.
    Rgba,
    /// Blue, green, red, and an alpha that is ignored.
    Bgra,
    /// One grey value, which is red, green and blue: Pillow's `L`, converted to `RGB`.
    Grey8,
}

impl PixelFormat {
    /// All of them.
    pub const ALL: [PixelFormat; 5] = [
        PixelFormat::Rgb,
        PixelFormat::Bgr,
        PixelFormat::Rgba,
        PixelFormat::Bgra,
        PixelFormat::Grey8,
    ];

    /// Size of a pixel: 1, 3 or 4.
    pub const fn bytes_per_pixel(self) -> usize {
        match self {
            PixelFormat::Grey8 => 1,
            PixelFormat::Rgb | PixelFormat::Bgr => 3,
            PixelFormat::Rgba | PixelFormat::Bgra => 4,
        }
    }

    /// Where in a pixel red, green and blue are.
    pub(crate) const fn rgb_offsets(self) -> [usize; 3] {
        match self {
            PixelFormat::Rgb | PixelFormat::Rgba => [0, 1, 2],
            PixelFormat::Bgr | PixelFormat::Bgra => [2, 1, 0],
            PixelFormat::Grey8 => [0; 3],
        }
    }
}

/// A picture in the caller's memory: `height` rows of `width` pixels, the top row first, each row
/// `row_stride` bytes after the one before. Colour under a transparent pixel counts like any other.
#[derive(Clone, Copy, Debug)]
pub struct Pixels<'a> {
    data: &'a [u8],
    width: usize,
    height: usize,
    row_stride: usize,
    format: PixelFormat,
}

/// Checks that `data` has all rows of a picture of that width and height, at least 1: `row` bytes, if that
/// is a number, `row_stride` apart. Names are of the size, the stride and the data.
pub(super) fn check_rows(
    [size, stride, name]: [&'static str; 3],
    data: &[u8],
    (width, height): (usize, usize),
    row: Option<usize>,
    row_stride: usize,
) -> Result<(), Error> {
    let too_large = || {
        let found = format!("{width} x {height} pixels with rows of {row_stride} bytes");
        Error::argument(size, found, "a size that fits in memory")
    };
    let row = row.ok_or_else(too_large)?;
    if row_stride < row {
        return Err(Error::argument(stride, row_stride, format!("at least {row} bytes")));
    }
    let above = (height - 1).checked_mul(row_stride).ok_or_else(too_large)?;
    let needed = above.checked_add(row).ok_or_else(too_large)?;
    if data.len() < needed {
        let found = format!("{} bytes", data.len());
        return Err(Error::argument(name, found, format!("at least {needed} bytes")));
    }
    Ok(())
}

impl<'a> Pixels<'a> {
    /// A view of `width` x `height` pixels; `row_stride` is in bytes, and the last row may end where
    /// its pixels end.
    ///
    /// # Errors
    /// [`Error::Argument`] for a width or height of 0, a stride shorter than a row, or `data` that
    /// ends before the last pixel.
    pub fn new(
        data: &'a [u8],
        width: usize,
        height: usize,
        row_stride: usize,
        format: PixelFormat,
    ) -> Result<Pixels<'a>, Error> {
        for (name, size) in [("picture width", width), ("picture height", height)] {
            if size == 0 {
                return Err(Error::argument(name, size, "at least 1"));
            }
        }
        let row = width.checked_mul(format.bytes_per_pixel());
        let names = ["picture size", "row stride", "pixel data"];
        check_rows(names, data, (width, height), row, row_stride)?;
        Ok(Pixels { data, width, height, row_stride, format })
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The order of the channels.
    pub fn format(&self) -> PixelFormat {
        self.format
    }

    /// Row `y`, which is below the height: `width * bytes_per_pixel` bytes, without padding.
    pub(crate) fn row(&self, y: usize) -> &'a [u8] {
        debug_assert!(y < self.height, "row {y} of a picture of {} rows", self.height);
        &self.data[y * self.row_stride..][..self.width * self.format.bytes_per_pixel()]
    }

    /// Some pixels of row `y` as RGB and a byte without meaning.
    pub(super) fn write_row(
        &self,
        rows: &PixelRows,
        y: usize,
        columns: Range<usize>,
        out: &mut [[u8; 4]],
    ) {
        let bytes = self.format.bytes_per_pixel();
        let row = &self.row(y)[columns.start * bytes..columns.end * bytes];
        rows.swizzle(row, bytes, self.format.rgb_offsets()[0] == 2, out);
    }
}
