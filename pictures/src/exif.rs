//! Which way up a picture is.

use super::Picture;

const ORIENTATION: u16 = 0x112;
const SHORT: u16 = 3;

impl Picture {
    /// Turns and mirrors the picture as EXIF data asks; a value that means nothing leaves it as it is.
    pub fn upright(self, exif: &[u8]) -> Picture {
        let (width, height) = (self.width, self.height);
        let (right, bottom) = (width - 1, height - 1);
        // Which pixel comes to column x and row y.
        let source: fn(usize, usize, usize, usize) -> (usize, usize) = match orientation(exif) {
            Some(2) => |x, y, right, _| (right - x, y),
            Some(3) => |x, y, right, bottom| (right - x, bottom - y),
            Some(4) => |x, y, _, bottom| (x, bottom - y),
            Some(5) => |x, y, _, _| (y, x),
            Some(6) => |x, y, _, bottom| (y, bottom - x),
            Some(7) => |x, y, right, bottom| (right - y, bottom - x),
            Some(8) => |x, y, right, _| (right - y, x),
            _ => return self,
        };
        let on_its_side = matches!(orientation(exif), Some(5..));
        let (upright_width, upright_height) = match on_its_side {
            true => (height, width),
            false => (width, height),
        };
        let mut rgb = Vec::with_capacity(self.rgb.len());
        for y in 0..upright_height {
            for x in 0..upright_width {
                let (x, y) = source(x, y, right, bottom);
                let at = 3 * (y * width + x);
                rgb.extend_from_slice(&self.rgb[at..at + 3]);
            }
        }
        Picture { width: upright_width, height: upright_height, rgb }
    }
}

/// The orientation in EXIF data: an entry of the first directory of a TIFF file.
fn orientation(exif: &[u8]) -> Option<u16> {
    // Some writers leave JPEG's prefix before the EXIF data of PNG and WebP.
    let exif = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    let little = match exif.first_chunk()? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes = *exif.get(at..)?.first_chunk()?;
        Some(if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let (a, b) = (usize::from(short(4)?), usize::from(short(6)?));
    let directory = if little { b << 16 | a } else { a << 16 | b };
    let entries = usize::from(short(directory)?);
    let mut entries = (0..entries).map(|i| directory + 2 + 12 * i);
    let entry = entries.find(|&at| short(at) == Some(ORIENTATION))?;
    if short(entry + 2) != Some(SHORT) {
        return None;
    }
    short(entry + 8)
}
