//! Images, as structs.

use super::args::{Versioned, slice};
use super::network::reserved;
use super::status::Failure;
use crate::Input;
use crate::image::{PixelFormat, Pixels};

/// Order of the bytes of a pixel: one of `SN_RGB`, `SN_BGR`, `SN_RGBA`, `SN_BGRA`.
pub type sn_pixel_format = u32;
/// Red, green, blue.
pub const SN_RGB: sn_pixel_format = 0;
/// Blue, green, red.
pub const SN_BGR: sn_pixel_format = 1;
/// Red, green, blue, and an alpha that is ignored.
pub const SN_RGBA: sn_pixel_format = 2;
/// Blue, green, red, and an alpha that is ignored.
pub const SN_BGRA: sn_pixel_format = 3;

/// How a picture becomes as large as the session's images: `SN_FIT_NONE` or `SN_FIT_CROP`.
pub type sn_fit = u32;
/// It has the session's size.
pub const SN_FIT_NONE: sn_fit = 0;
/// It has any size, and the session's images are square: its shorter side is resized to the model's
/// `resize`, bilinear and antialiased, and the middle is cut out, to the bit as torchvision does it with
/// Pillow. Where the session's size is not the model's `crop`, `resize` follows in proportion.
pub const SN_FIT_CROP: sn_fit = 1;

/// A picture of 8-bit pixels: the top row first. It is normalised with the model's mean and standard
/// deviation.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sn_image {
    /// `sizeof(sn_image)`.
    pub struct_size: u32,
    /// The order of the bytes of a pixel.
    pub format: sn_pixel_format,
    /// Pixels in a row, at least 1.
    pub width: u32,
    /// Rows, at least 1.
    pub height: u32,
    /// The first pixel.
    pub data: *const u8,
    /// Bytes at `data`; the last row may end where its pixels end.
    pub size: usize,
    /// Bytes from one row to the next; 0 stands for rows without anything between them.
    pub row_stride: usize,
    /// How it becomes as large as the session's images.
    pub fit: sn_fit,
    /// 0.
    pub reserved: u32,
}

/// Order of an image's floats: `SN_NHWC` or `SN_NCHW`.
pub type sn_layout = u32;
/// `[height][width][red, green, blue]`.
pub const SN_NHWC: sn_layout = 0;
/// `[red, green, blue][height][width]`.
pub const SN_NCHW: sn_layout = 1;

/// An image of normalised floats, of the session's size.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sn_float_image {
    /// `sizeof(sn_float_image)`.
    pub struct_size: u32,
    /// The order of the floats.
    pub layout: sn_layout,
    /// The first float.
    pub data: *const f32,
    /// Number of floats: 3 x height x width of the session.
    pub count: usize,
}

// SAFETY: `repr(C)`, begins with its size, integers and pointers only.
unsafe impl Versioned for sn_image {
    const NAME: &'static str = "sn_image";
}
// SAFETY: `repr(C)`, begins with its size, integers and pointers only.
unsafe impl Versioned for sn_float_image {
    const NAME: &'static str = "sn_float_image";
}

impl sn_image {
    /// The pixels, checked.
    ///
    /// # Safety
    /// `data` is NULL or points to `size` bytes, which outlive `'a` and which nobody writes.
    pub(super) unsafe fn pixels<'a>(&self) -> Result<Pixels<'a>, Failure> {
        let format = match self.format {
            SN_RGB => PixelFormat::Rgb,
            SN_BGR => PixelFormat::Bgr,
            SN_RGBA => PixelFormat::Rgba,
            SN_BGRA => PixelFormat::Bgra,
            other => return Err(Failure::argument("pixel format", other, "0 to 3")),
        };
        reserved(self.reserved)?;
        // SAFETY: promised by the caller.
        let data = unsafe { slice(self.data, self.size, "data of sn_image") }?;
        let (width, height) = (self.width as usize, self.height as usize);
        let row_stride = match self.row_stride {
            // Of a row that does not fit in memory, the length is refused.
            0 => width.saturating_mul(format.bytes_per_pixel()),
            stride => stride,
        };
        Ok(Pixels::new(data, width, height, row_stride, format)?)
    }

    /// Whether it is to be resized and cut.
    pub(super) fn is_cropped(&self) -> Result<bool, Failure> {
        match self.fit {
            SN_FIT_NONE => Ok(false),
            SN_FIT_CROP => Ok(true),
            other => Err(Failure::argument("fit", other, "0 or 1")),
        }
    }
}

impl sn_float_image {
    /// The image, checked but for its size.
    ///
    /// # Safety
    /// `data` is NULL or points to `count` floats, which outlive `'a` and which nobody writes.
    pub(super) unsafe fn input<'a>(&self) -> Result<Input<'a>, Failure> {
        // SAFETY: promised by the caller.
        let floats = unsafe { slice(self.data, self.count, "data of sn_float_image") }?;
        match self.layout {
            SN_NHWC => Ok(Input::Nhwc(floats)),
            SN_NCHW => Ok(Input::Nchw(floats)),
            other => Err(Failure::argument("layout", other, "0 or 1")),
        }
    }
}
