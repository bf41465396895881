//! From a picture file to upright RGB pixels: what the program `shufflenet` reads.

mod exif;
mod jpeg;
mod jpeg_headers;
mod png;
mod quiet;
#[cfg(test)]
mod tests;
mod webp;

/// Most bytes in a picture file.
pub const MAX_FILE: u64 = 512 << 20;

/// Longest side of a picture, in pixels.
const MAX_SIDE: u32 = 1 << 15;

/// Most bytes of decoded pixels, as the file stores them or as RGB.
pub const MAX_BYTES: u64 = 512 << 20;

/// An upright picture: height x width x 3 bytes, RGB.
pub struct Picture {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// Row by row.
    pub rgb: Vec<u8>,
}

/// The kinds of files that are read.
pub enum Format {
    /// JPEG in several scans, too; not arithmetic, lossless or hierarchical, nor of 12 bits.
    Jpeg,
    /// PNG, and the first picture of an animated one.
    Png,
    /// WebP, and the first picture of an animated one.
    WebP,
}

impl Format {
    /// What a file is, by its first bytes (12 will do).
    pub fn of(bytes: &[u8]) -> Option<Format> {
        match bytes {
            [0xFF, 0xD8, 0xFF, ..] => Some(Format::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Some(Format::Png),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Format::WebP),
            _ => None,
        }
    }
}

/// Decodes a JPEG, PNG or WebP file, recognised by its content, to what Pillow's `convert("RGB")` gives
/// after `ImageOps.exif_transpose`: alpha is dropped and the colour under it stays, palettes are looked
/// up, and of 16-bit samples the high byte is taken. But 16-bit grey without alpha saturates at 255, as
/// it does there. An error is a sentence about the file.
pub fn decode(bytes: &[u8]) -> Result<Picture, String> {
    let decode = match Format::of(bytes) {
        Some(Format::Jpeg) => jpeg::decode,
        Some(Format::Png) => png::decode,
        Some(Format::WebP) => webp::decode,
        None => return Err("not a picture that can be read: JPEG, PNG and WebP are".to_owned()),
    };
    // A decoder's panic is that picture's fault, and no reason to leave the others undone.
    quiet::catch_panic(|| decode(bytes)).unwrap_or_else(|| Err("its decoder failed".to_owned()))
}

/// Refuses too large pictures, before memory is taken for them.
fn check_size(width: u32, height: u32, bytes_per_pixel: usize) -> Result<(), String> {
    let size = format!("{width} pixels wide and {height} high");
    if width.max(height) > MAX_SIDE {
        return Err(format!("{size}: each may be {MAX_SIDE} at most"));
    }
    let bytes = u64::from(width) * u64::from(height) * bytes_per_pixel.max(3) as u64;
    if bytes > MAX_BYTES {
        return Err(format!(
            "{size}, {bytes_per_pixel} bytes a pixel as stored and 3 as RGB: {} MiB, more than {} MiB",
            bytes.div_ceil(1 << 20),
            MAX_BYTES >> 20
        ));
    }
    Ok(())
}
