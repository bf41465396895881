//! A checked view of a camera's YUV 4:2:0 frame, and what its values mean in RGB.

use super::pixels::check_rows;
use crate::Error;
use crate::kernels::{PixelRows, YuvRow, YuvToRgb};
use std::ops::Range;

/// The standard by which RGB became YUV.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum YuvMatrix {
    /// ITU-R BT.601: JPEG, and most phone cameras.
    Bt601,
    /// ITU-R BT.709: HD video.
    Bt709,
}

/// The values that luma and chroma take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum YuvRange {
    /// Luma 0 to 255, chroma 128 +- 127.5: JPEG, and Android's camera by default.
    Full,
    /// Luma 16 to 235, chroma 128 +- 112: video.
    Limited,
}

/// One of a frame's three planes in the caller's memory, as Android's `Image.Plane` describes it. The
/// bytes may end at the last pixel, and planes may share them: in NV21, U is V from its second byte on.
#[derive(Clone, Copy, Debug)]
pub struct Plane<'a> {
    /// The first pixel's byte, and all that follow.
    pub data: &'a [u8],
    /// Bytes from one row to the next.
    pub row_stride: usize,
    /// Bytes from one pixel to the next.
    pub pixel_stride: usize,
}

/// A YUV 4:2:0 frame in the caller's memory: a plane of luma, and two of chroma with half its width and
/// height, rounded up. I420, YV12, NV12 and NV21 are such frames.
///
/// Its RGB is defined to the bit. Each chroma sample counts for the 2 x 2 pixels that it stands for, as in
/// libyuv's and most phones' conversions. With `u` and `v` less 128, and `>>` rounding down,
///
/// ```text
/// luma  = (Y y >> 8) + offset
/// red   = (luma + (R v >> 8)) >> 6
/// green = (luma + (G u >> 8) + (H v >> 8)) >> 6
/// blue  = (luma + (B u >> 8)) >> 6
/// ```
///
/// limited to 0 and 255:
///
/// | | Y | offset | R | G | H | B |
/// |---|---|---|---|---|---|---|
/// | BT.601, full | 16384 | 33 | 22970 | -5638 | -11700 | 29032 |
/// | BT.601, limited | 19077 | -1159 | 26149 | -6419 | -13320 | 33050 |
/// | BT.709, full | 16384 | 33 | 25802 | -3069 | -7670 | 30402 |
/// | BT.709, limited | 19077 | -1159 | 29372 | -3494 | -8731 | 34610 |
///
/// These are the standards' factors with 14 fractional bits. The result is the exact one, rounded, or next
/// to it: it differs from the exact one by at most 0.54.
#[derive(Clone, Copy, Debug)]
pub struct Yuv420<'a> {
    planes: [Plane<'a>; 3],
    width: usize,
    height: usize,
    factors: YuvToRgb,
}

impl<'a> Yuv420<'a> {
    /// A view of `width` x `height` pixels in the planes Y, U and V. The pixel stride is 1 for Y, and 1
    /// (planar) or 2 (semi-planar) for U and V.
    ///
    /// # Errors
    /// [`Error::Argument`] for a width or height of 0, another pixel stride or two for U and V, a row
    /// stride shorter than a row, or a plane that ends before its last pixel.
    pub fn new(
        planes: [Plane<'a>; 3],
        width: usize,
        height: usize,
        matrix: YuvMatrix,
        range: YuvRange,
    ) -> Result<Yuv420<'a>, Error> {
        for (name, size) in [("frame width", width), ("frame height", height)] {
            if size == 0 {
                return Err(Error::argument(name, size, "at least 1"));
            }
        }
        let chroma = (width.div_ceil(2), height.div_ceil(2));
        let [y, u, v] = &planes;
        check("Y pixel stride", y.pixel_stride, y.pixel_stride == 1, "1")?;
        check("U pixel stride", u.pixel_stride, matches!(u.pixel_stride, 1 | 2), "1 or 2")?;
        let same = v.pixel_stride == u.pixel_stride;
        check("V pixel stride", v.pixel_stride, same, format_args!("{}, as in U", u.pixel_stride))?;
        y.check(["Y row stride", "Y plane"], (width, height))?;
        u.check(["U row stride", "U plane"], chroma)?;
        v.check(["V row stride", "V plane"], chroma)?;
        Ok(Yuv420 { planes, width, height, factors: factors(matrix, range) })
    }

    /// Pixels in a row of luma.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows of luma.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Row `y` from an even column on, as RGB and a byte without meaning.
    pub(super) fn write_row(
        &self,
        rows: &PixelRows,
        y: usize,
        columns: Range<usize>,
        out: &mut [[u8; 4]],
    ) {
        debug_assert!(columns.start.is_multiple_of(2), "chroma would be one pixel off");
        let chroma = columns.start / 2..columns.end.div_ceil(2);
        let [luma, u, v] = &self.planes;
        let row = YuvRow {
            y: luma.row(y, columns),
            u: u.row(y / 2, chroma.clone()),
            v: v.row(y / 2, chroma),
            pixel_stride: u.pixel_stride,
        };
        rows.convert(&self.factors, row, out);
    }
}

impl<'a> Plane<'a> {
    fn check(&self, [stride, plane]: [&'static str; 2], size: (usize, usize)) -> Result<(), Error> {
        let row = (size.0 - 1).checked_mul(self.pixel_stride).and_then(|n| n.checked_add(1));
        check_rows([plane, stride, plane], self.data, size, row, self.row_stride)
    }

    /// Some pixels of row `y`, with what follows the last one's byte as far as there is something.
    fn row(&self, y: usize, columns: Range<usize>) -> &'a [u8] {
        let from_start = &self.data[y * self.row_stride + columns.start * self.pixel_stride..];
        &from_start[..from_start.len().min(columns.len() * self.pixel_stride)]
    }
}

fn check(
    name: &'static str,
    found: usize,
    right: bool,
    expected: impl std::fmt::Display,
) -> Result<(), Error> {
    if right { Ok(()) } else { Err(Error::argument(name, found, expected)) }
}

/// The table of [`Yuv420`].
fn factors(matrix: YuvMatrix, range: YuvRange) -> YuvToRgb {
    // Of red and blue in luma.
    let (red, blue): (f64, f64) = match matrix {
        YuvMatrix::Bt601 => (0.299, 0.114),
        YuvMatrix::Bt709 => (0.2126, 0.0722),
    };
    let green = 1.0 - red - blue;
    let (black, luma, chroma) = match range {
        YuvRange::Full => (0.0, 1.0, 1.0),
        YuvRange::Limited => (16.0, 255.0 / 219.0, 255.0 / 224.0),
    };
    let fixed = |factor: f64| (factor * 16384.0).round() as i32;
    let v_to_red = fixed(2.0 * (1.0 - red) * chroma);
    let u_to_blue = fixed(2.0 * (1.0 - blue) * chroma);
    let u_to_green = fixed(-2.0 * (1.0 - blue) * blue / green * chroma);
    let v_to_green = fixed(-2.0 * (1.0 - red) * red / green * chroma);
    YuvToRgb {
        y_factor: fixed(luma) as u16,
        // A half to round, and a 64th for what is lost by rounding down before.
        offset: 33 - (black * luma * 64.0).round() as i16,
        v_to_red: v_to_red as i16,
        u_to_green: u_to_green as i16,
        v_to_green: v_to_green as i16,
        u_to_blue: (u_to_blue - (1 << 15)) as i16,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_those_of_the_documentation() {
        use YuvMatrix::{Bt601, Bt709};
        use YuvRange::{Full, Limited};
        let found = [(Bt601, Full), (Bt601, Limited), (Bt709, Full), (Bt709, Limited)].map(
            |(matrix, range)| {
                let f = factors(matrix, range);
                let blue = i32::from(f.u_to_blue) + (1 << 15);
                [
                    i32::from(f.y_factor),
                    f.offset.into(),
                    f.v_to_red.into(),
                    f.u_to_green.into(),
                    f.v_to_green.into(),
                    blue,
                ]
            },
        );
        assert_eq!(
            found,
            [
                [16384, 33, 22970, -5638, -11700, 29032],
                [19077, -1159, 26149, -6419, -13320, 33050],
                [16384, 33, 25802, -3069, -7670, 30402],
                [19077, -1159, 29372, -3494, -8731, 34610],
            ]
        );
    }
}
