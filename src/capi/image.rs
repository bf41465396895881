//! Images, as structs.

use super::args::{Versioned, slice};
use super::status::Failure;
use crate::Input;
use crate::image::{PixelFormat, Pixels, Plane, Rotation, Yuv420, YuvMatrix, YuvRange};

/// Order of the bytes of a pixel: one of `SN_RGB`, `SN_BGR`, `SN_RGBA`, `SN_BGRA`, `SN_GREY8`.
pub type sn_pixel_format = u32;
/// Red, green, blue.
pub const SN_RGB: sn_pixel_format = 0;
/// Blue, green, red.
pub const SN_BGR: sn_pixel_format = 1;
/// Red, green, blue, and an alpha that is ignored.
pub const SN_RGBA: sn_pixel_format = 2;
/// Blue, green, red, and an alpha that is ignored.
pub const SN_BGRA: sn_pixel_format = 3;
/// One grey value, which is red, green and blue.
pub const SN_GREY8: sn_pixel_format = 4;

/// How a picture becomes as large as the session's images: `SN_FIT_NONE` or `SN_FIT_CROP`.
pub type sn_fit = u32;
/// It has the session's size.
pub const SN_FIT_NONE: sn_fit = 0;
/// It has any size, and the session's images are square: it is resized to the model's `resize` as its `fit`
/// says, bilinear and antialiased, and the middle is cut out, to the bit as torchvision does it with Pillow.
/// Where the session's size is not the model's `crop`, `resize` follows in proportion.
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
    /// Degrees by which it is turned clockwise to stand upright: 0, 90, 180 or 270; 0 with `SN_FIT_NONE`.
    pub rotation: u32,
}

/// The standard by which RGB became YUV: `SN_BT601` or `SN_BT709`.
pub type sn_yuv_matrix = u32;
/// ITU-R BT.601: JPEG, and most phone cameras.
pub const SN_BT601: sn_yuv_matrix = 0;
/// ITU-R BT.709: HD video.
pub const SN_BT709: sn_yuv_matrix = 1;

/// The values of YUV: `SN_FULL_RANGE` or `SN_LIMITED_RANGE`.
pub type sn_yuv_range = u32;
/// Luma 0 to 255: JPEG, and Android's camera by default.
pub const SN_FULL_RANGE: sn_yuv_range = 0;
/// Luma 16 to 235, chroma 16 to 240: video.
pub const SN_LIMITED_RANGE: sn_yuv_range = 1;

/// One of a camera frame's planes, as Android's `Image.Plane` describes it. Planes may share memory.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sn_plane {
    /// The first pixel.
    pub data: *const u8,
    /// Bytes at `data`; the plane may end with its last pixel.
    pub size: usize,
    /// Bytes from one row to the next; 0 stands for rows without anything between them.
    pub row_stride: usize,
    /// Bytes from one pixel to the next: 1 for Y, 1 (I420, YV12) or 2 (NV12, NV21) for U and V. 0 stands
    /// for 1.
    pub pixel_stride: usize,
}

/// A camera's frame in YUV 4:2:0: a plane of luma, and two of chroma with half its width and height, rounded
/// up. It is turned, resized and cut as with `SN_FIT_CROP`, and normalised.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sn_yuv_image {
    /// `sizeof(sn_yuv_image)`.
    pub struct_size: u32,
    /// The standard by which RGB became YUV.
    pub matrix: sn_yuv_matrix,
    /// The values of luma and chroma.
    pub range: sn_yuv_range,
    /// Degrees by which it is turned clockwise to stand upright: 0, 90, 180 or 270; Android's
    /// `rotationDegrees`.
    pub rotation: u32,
    /// Pixels in a row of luma, before it is turned.
    pub width: u32,
    /// Rows of luma, before it is turned.
    pub height: u32,
    /// Y, U and V.
    pub planes: [sn_plane; 3],
}

/// Order of an image's floats: `SN_NHWC` or `SN_NCHW`.
pub type sn_layout = u32;
/// `[height][width][red, green, blue]`.
pub const SN_NHWC: sn_layout = 0;
/// `[red, green, blue][height][width]`.
pub const SN_NCHW: sn_layout = 1;

/// An image of normalised floats, of the session's size. All are finite: NaN or an infinity is
/// `SN_INVALID_ARGUMENT`, and the run has no results.
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
unsafe impl Versioned for sn_yuv_image {
    const NAME: &'static str = "sn_yuv_image";
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
            SN_GREY8 => PixelFormat::Grey8,
            other => return Err(Failure::argument("pixel format", other, "0 to 4")),
        };
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

    /// The rotation, if it is to be turned, resized and cut.
    pub(super) fn crop(&self) -> Result<Option<Rotation>, Failure> {
        let rotation = Rotation::from_degrees(self.rotation)?;
        match self.fit {
            SN_FIT_NONE if rotation == Rotation::None => Ok(None),
            SN_FIT_NONE => {
                let expected = "0, for a picture that is taken as it is";
                Err(Failure::argument("rotation", self.rotation, expected))
            }
            SN_FIT_CROP => Ok(Some(rotation)),
            other => Err(Failure::argument("fit", other, "0 or 1")),
        }
    }
}

impl sn_yuv_image {
    /// The frame, checked, and how it is turned.
    ///
    /// # Safety
    /// Each plane's `data` is NULL or points to `size` bytes, which outlive `'a` and which nobody writes.
    pub(super) unsafe fn frame<'a>(&self) -> Result<(Yuv420<'a>, Rotation), Failure> {
        let matrix = match self.matrix {
            SN_BT601 => YuvMatrix::Bt601,
            SN_BT709 => YuvMatrix::Bt709,
            other => return Err(Failure::argument("matrix", other, "0 or 1")),
        };
        let range = match self.range {
            SN_FULL_RANGE => YuvRange::Full,
            SN_LIMITED_RANGE => YuvRange::Limited,
            other => return Err(Failure::argument("range", other, "0 or 1")),
        };
        let rotation = Rotation::from_degrees(self.rotation)?;
        let (width, height) = (self.width as usize, self.height as usize);
        let plane = |index: usize, name, width: usize| {
            let plane = &self.planes[index];
            // SAFETY: promised by the caller.
            let data = unsafe { slice(plane.data, plane.size, name) }?;
            let pixel_stride = plane.pixel_stride.max(1);
            let row_stride = match plane.row_stride {
                // Of a row that does not fit in memory, the length is refused.
                0 => width.saturating_mul(pixel_stride),
                stride => stride,
            };
            Ok::<_, Failure>(Plane { data, row_stride, pixel_stride })
        };
        let chroma = width.div_ceil(2);
        let planes = [
            plane(0, "data of the Y plane", width)?,
            plane(1, "data of the U plane", chroma)?,
            plane(2, "data of the V plane", chroma)?,
        ];
        Ok((Yuv420::new(planes, width, height, matrix, range)?, rotation))
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
