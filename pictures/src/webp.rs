//! WebP.

use super::{MAX_BYTES, Picture, check_size};
use image_webp::{DecodingError, WebPDecoder};
use std::io::Cursor;

pub fn decode(bytes: &[u8]) -> Result<Picture, String> {
    let message = |error: DecodingError| error.to_string();
    let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(message)?;
    decoder.set_memory_limit(MAX_BYTES as usize);
    let (width, height) = decoder.dimensions();
    let channels = if decoder.has_alpha() { 4 } else { 3 };
    check_size(width, height, channels)?;
    let exif = decoder.exif_metadata().map_err(message)?.unwrap_or_default();
    let (width, height) = (width as usize, height as usize);
    let mut pixels = vec![0; width * height * channels];
    decoder.read_image(&mut pixels).map_err(message)?;
    let rgb = match channels {
        3 => pixels,
        _ => pixels.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect(),
    };
    Ok(Picture { width, height, rgb }.upright(&exif))
}
