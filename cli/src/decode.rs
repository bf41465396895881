//! From a picture file to upright RGB pixels.

use std::io::Cursor;
use std::panic::catch_unwind;
use std::path::Path;

use crate::files;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};

/// Most bytes in a picture file.
const MAX_FILE: u64 = 512 << 20;

/// Longest side of a picture, in pixels.
const MAX_SIDE: u32 = 1 << 15;

/// Most bytes of decoded pixels, as the file stores them or as RGB.
pub const MAX_BYTES: u64 = 512 << 20;

/// An upright picture: height x width x 3 bytes, RGB.
pub struct Picture {
    pub width: usize,
    pub height: usize,
    pub rgb: Vec<u8>,
}

/// Reads and decodes a picture file.
pub fn open(path: &Path) -> Result<Picture, String> {
    let bytes = files::read(path, MAX_FILE)?;
    // A decoder's panic is that picture's fault, and no reason to leave the others undone.
    catch_unwind(|| decode(&bytes)).unwrap_or_else(|_| Err("its decoder failed".to_owned()))
}

/// Decodes a JPEG, PNG or WebP file to what Pillow's `convert("RGB")` gives after
/// `ImageOps.exif_transpose`: alpha is dropped and the colour under it stays, palettes are looked up,
/// and of 16-bit samples the high byte is taken. But 16-bit grey without alpha saturates at 255, as it
/// does there.
fn decode(bytes: &[u8]) -> Result<Picture, String> {
    let format = match image::guess_format(bytes) {
        Ok(format @ (ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP)) => format,
        _ => return Err("not a picture that can be read: JPEG, PNG and WebP are".to_owned()),
    };
    if format == ImageFormat::Jpeg && !jpeg_has_end(bytes) {
        // The decoder would fill what is missing with grey.
        return Err("the JPEG file is cut short".to_owned());
    }
    let image = read(bytes, format).map_err(|error| error.to_string())?;
    Ok(Picture {
        width: image.width() as usize,
        height: image.height() as usize,
        rgb: image.into_raw(),
    })
}

fn read(bytes: &[u8], format: ImageFormat) -> image::ImageResult<RgbImage> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_BYTES);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    limits.clone().reserve(decoder.total_bytes())?;
    limits.reserve(u64::from(width) * u64::from(height) * 3)?;

    let orientation = orientation(&mut decoder)?;
    let grey_saturates = format == ImageFormat::Png && png_colour_type(bytes) == Some(0);
    let rgb = match DynamicImage::from_decoder(decoder)? {
        DynamicImage::ImageRgb8(image) => image.into_raw(),
        DynamicImage::ImageRgba8(image) => to_rgb(&image, 4, |v| v),
        DynamicImage::ImageLuma8(image) => to_rgb(&image, 1, |v| v),
        DynamicImage::ImageLumaA8(image) => to_rgb(&image, 2, |v| v),
        DynamicImage::ImageRgb16(image) => to_rgb(&image, 3, high_byte),
        DynamicImage::ImageRgba16(image) => to_rgb(&image, 4, high_byte),
        DynamicImage::ImageLuma16(image) => to_rgb(&image, 1, saturate),
        // Grey with one transparent value arrives as grey and alpha.
        DynamicImage::ImageLumaA16(image) if grey_saturates => to_rgb(&image, 2, saturate),
        DynamicImage::ImageLumaA16(image) => to_rgb(&image, 2, high_byte),
        other => other.into_rgb8().into_raw(),
    };
    let image = RgbImage::from_raw(width, height, rgb).expect("three bytes for each pixel");
    let mut image = DynamicImage::ImageRgb8(image);
    image.apply_orientation(orientation);
    Ok(image.into_rgb8())
}

/// The EXIF orientation; a value that means nothing leaves the picture as it is.
fn orientation(decoder: &mut impl ImageDecoder) -> image::ImageResult<Orientation> {
    let exif = decoder.exif_metadata()?.unwrap_or_default();
    // Some writers leave JPEG's prefix before the EXIF data of PNG and WebP.
    let exif = exif.strip_prefix(b"Exif\0\0").unwrap_or(&exif);
    Ok(Orientation::from_exif_chunk(exif).unwrap_or(Orientation::NoTransforms))
}

/// Samples of 1 (grey), 2 (grey and alpha), 3 or 4 (RGB, RGB and alpha) channels to RGB.
fn to_rgb<T: Copy>(samples: &[T], channels: usize, to_byte: impl Fn(T) -> u8) -> Vec<u8> {
    let colour = if channels < 3 { [0; 3] } else { [0, 1, 2] };
    samples.chunks_exact(channels).flat_map(|pixel| colour.map(|c| to_byte(pixel[c]))).collect()
}

fn high_byte(value: u16) -> u8 {
    (value >> 8) as u8
}

fn saturate(value: u16) -> u8 {
    value.min(255) as u8
}

/// The colour type of a PNG's header; 0 is grey without alpha.
fn png_colour_type(bytes: &[u8]) -> Option<u8> {
    bytes.get(25).copied()
}

/// Whether a JPEG's end marker follows its last scan.
fn jpeg_has_end(bytes: &[u8]) -> bool {
    const END: u8 = 0xD9;
    const SCAN: u8 = 0xDA;
    let mut rest = &bytes[2..];
    let mut in_scan = false;
    loop {
        // In a scan, FF 00 is data and FF D0 to FF D7 are restarts; between segments, FF may be filler.
        let Some(at) = rest.windows(2).position(|pair| {
            pair[0] == 0xFF && pair[1] != 0xFF && !(in_scan && matches!(pair[1], 0 | 0xD0..=0xD7))
        }) else {
            return false;
        };
        let marker = rest[at + 1];
        if marker == END {
            return true;
        }
        rest = &rest[at + 2..];
        let Some(&[high, low]) = rest.first_chunk::<2>() else { return false };
        let Some(after) = rest.get(usize::from(u16::from_be_bytes([high, low]))..) else {
            return false;
        };
        rest = after;
        in_scan |= marker == SCAN;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> Vec<u8> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    #[test]
    fn pictures_are_pillows() {
        let expected = file("pictures.u8");
        let mut expected = &expected[..];
        for line in String::from_utf8(file("pictures.txt")).unwrap().lines() {
            let fields: Vec<&str> = line.split(' ').collect();
            let size = [1, 2].map(|i| fields[i].parse::<usize>().unwrap());
            let picture = decode(&file(fields[0])).unwrap_or_else(|e| panic!("{line}: {e}"));
            assert_eq!([picture.width, picture.height], size, "{line}");
            let (values, rest) = expected.split_at(size[0] * size[1] * 3);
            expected = rest;
            assert_eq!(picture.rgb.len(), values.len(), "{line}");
            let worst = picture.rgb.iter().zip(values).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
            // JPEG leaves the rounding of its transforms to the decoder.
            let tolerance = match fields[0] {
                "grey.jpg" | "cmyk.jpg" => 1,
                name if name.ends_with(".jpg") => 3,
                _ => 0,
            };
            assert!(worst <= tolerance, "{line}: {worst} off");
        }
        assert!(expected.is_empty());
    }
    fn error(bytes: &[u8]) -> String {
        decode(bytes).err().expect("an error")
    }

    #[test]
    fn other_formats_are_refused_with_the_list_of_formats() {
        for bytes in [&b""[..], b"\xFF", b"GIF89a.........", b"BM..............", b"hello, world"] {
            assert_eq!(error(bytes), "not a picture that can be read: JPEG, PNG and WebP are");
        }
    }

    #[test]
    fn huge_sizes_are_refused_before_memory_is_taken() {
        // The size is at byte 16 of a PNG, and its header's checksum at byte 29.
        let resized = |name: &str, width: u32, height: u32| {
            let mut png = file(name);
            png[16..20].copy_from_slice(&width.to_be_bytes());
            png[20..24].copy_from_slice(&height.to_be_bytes());
            let checksum = crc32(&png[12..29]).to_be_bytes();
            png[29..33].copy_from_slice(&checksum);
            error(&png)
        };
        assert_eq!(resized("rgb8.png", MAX_SIDE + 1, 1), "Image size exceeds limit");
        assert_eq!(resized("rgb8.png", 1, MAX_SIDE + 1), "Image size exceeds limit");
        // Too much as the file stores it, and too much as RGB.
        assert_eq!(resized("rgba16.png", 10_000, 10_000), "Memory limit exceeded");
        assert_eq!(resized("grey8.png", 16_384, 16_384), "Memory limit exceeded");

        // Height and width follow the frame marker, its length and the sample size.
        let mut jpeg = file("grey.jpg");
        let frame = jpeg.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
        jpeg[frame + 5..frame + 9].copy_from_slice(&[0x7F, 0xFF, 0x7F, 0xFF]);
        assert_eq!(error(&jpeg), "Memory limit exceeded");
    }

    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |crc, _| {
                (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 }
            })
        })
    }

    #[test]
    fn damage_gives_an_error_or_a_picture() {
        let names =
            ["420.jpg", "progressive.jpg", "orientation6.png", "lossless.webp", "lossy_alpha.webp"];
        for name in names {
            let whole = file(name);
            // Cut before the last pixels, whatever follows them.
            for length in 0..whole.len() {
                let result = decode(&whole[..length]);
                if name.ends_with(".jpg") || length < whole.len() * 9 / 10 {
                    assert!(result.is_err(), "{name} cut to {length} bytes");
                }
            }
            for at in 0..whole.len() {
                for flip in [0xFF, 0x01, 0x80] {
                    let mut bytes = whole.clone();
                    bytes[at] ^= flip;
                    if let Ok(picture) = decode(&bytes) {
                        assert_eq!(picture.rgb.len(), picture.width * picture.height * 3);
                    }
                }
            }
        }
    }
}
