//! From a picture of any size to the square that a network looks at.

use super::frame::Frame;
use super::{Pixels, Resizer, Rotation, Yuv420};
use crate::Error;
use crate::model::{Fit, Preprocessing};

/// Torchvision's evaluation transform on a Pillow image, up to the 8-bit crop: the picture is resized
/// (bilinear, antialiased) as its [`Fit`] says, the middle is cut out, and what the resized picture does not
/// cover is black; with [`Fit::Pad`] it is the mean, rounded. Made for one source size and rotation; weights
/// and buffers are kept between pictures, and only the pixels of the crop are computed.
///
/// The rotation comes first: the square has the bytes that the turned picture would give.
pub struct Preprocessor {
    resizer: Resizer,
    crop: usize,
    /// Columns on the left and rows on top that the picture does not cover.
    padding: (usize, usize),
    /// What is there.
    colour: [u8; 3],
}

impl Preprocessor {
    /// A preprocessor for pictures of `width` x `height` pixels.
    ///
    /// # Errors
    /// [`Error::Argument`] for a picture, a `resize` or a `crop` of size 0, a side above 2^20 pixels,
    /// sizes that would take more than 1 GiB, or a wrong `SHUFFLENET_CPU`.
    pub fn new(
        preprocessing: &Preprocessing,
        width: usize,
        height: usize,
    ) -> Result<Preprocessor, Error> {
        Preprocessor::rotated(preprocessing, width, height, Rotation::None)
    }

    /// A preprocessor for pictures of `width` x `height` pixels that are not upright before they are
    /// turned by `rotation`.
    ///
    /// # Errors
    /// Those of [`Preprocessor::new`].
    pub fn rotated(
        preprocessing: &Preprocessing,
        width: usize,
        height: usize,
        rotation: Rotation,
    ) -> Result<Preprocessor, Error> {
        let Preprocessing { fit, resize, crop, mean, .. } = *preprocessing;
        for (name, size) in [("width", width), ("height", height), ("resize", resize)] {
            if size == 0 {
                return Err(Error::argument(name, size, "at least 1"));
            }
        }
        let too_large = || Error::argument("crop", crop, "a smaller size, at least 1");
        if crop == 0 || crop.checked_mul(crop).and_then(|area| area.checked_mul(3)).is_none() {
            return Err(too_large());
        }
        let (shorter, longer) = (width.min(height), width.max(height));
        let resized = |side: usize| match fit {
            // Rounded down, as torchvision does.
            Fit::Crop => {
                let size = resize as u128 * side as u128 / shorter as u128;
                usize::try_from(size).map_err(|_| {
                    let expected = format!("less, for {width} x {height} pixels");
                    Error::argument("resize", resize, expected)
                })
            }
            Fit::Stretch => Ok(resize),
            // Rounded in floating point, as timm does.
            Fit::Pad if side == longer => Ok(resize),
            Fit::Pad => {
                let size = side as f64 / (longer as f64 / resize as f64);
                Ok((size.round_ties_even() as usize).max(1))
            }
        };
        let resized = rotation.turn((resized(width)?, resized(height)?));
        let (columns, rows) = (centre(resized.0, crop), centre(resized.1, crop));
        Ok(Preprocessor {
            resizer: Resizer::turned(
                (width, height),
                rotation,
                resized,
                columns..columns + crop.min(resized.0),
                rows..rows + crop.min(resized.1),
            )?,
            crop,
            padding: (crop.saturating_sub(resized.0) / 2, crop.saturating_sub(resized.1) / 2),
            colour: match fit {
                Fit::Pad => mean.map(|mean| (255.0 * mean).round_ties_even() as u8),
                Fit::Crop | Fit::Stretch => [0; 3],
            },
        })
    }

    /// Height and width of the square, in pixels.
    pub fn crop(&self) -> usize {
        self.crop
    }

    /// Writes the square into `out`: crop x crop x 3 bytes, RGB. Allocates nothing.
    ///
    /// # Errors
    /// [`Error::Argument`] for a picture of another size than the preprocessor was made for, or `out`
    /// of another length.
    pub fn run(&mut self, pixels: &Pixels<'_>, out: &mut [u8]) -> Result<(), Error> {
        self.run_frame(Frame::Pixels(pixels), out)
    }

    /// The same of a camera's frame: the bytes that its RGB pixels, as [`Yuv420`] defines them, would
    /// give. Rows are converted as they are needed, and only as far as the crop reaches.
    ///
    /// # Errors
    /// Those of [`Preprocessor::run`].
    pub fn run_yuv420(&mut self, frame: &Yuv420<'_>, out: &mut [u8]) -> Result<(), Error> {
        self.run_frame(Frame::Yuv420(frame), out)
    }

    fn run_frame(&mut self, frame: Frame<'_, '_>, out: &mut [u8]) -> Result<(), Error> {
        let stride = 3 * self.crop;
        if out.len() != self.crop * stride {
            return Err(Error::argument("output length", out.len(), self.crop * stride));
        }
        if self.resizer.output_size() != (self.crop, self.crop) {
            out.as_chunks_mut().0.fill(self.colour);
        }
        let (left, top) = self.padding;
        self.resizer.run_strided(frame, &mut out[top * stride + 3 * left..], stride)
    }
}

/// Where a centre crop begins: half of what is left over, a half rounded to even as Python does.
fn centre(size: usize, crop: usize) -> usize {
    let left_over = size.saturating_sub(crop);
    left_over / 2 + (left_over % 2) * (left_over / 2 % 2)
}
