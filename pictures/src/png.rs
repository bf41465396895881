//! PNG.

use super::{MAX_BYTES, Picture, check_size};
use png::{BitDepth, ColorType, Decoder, DecodingError, Limits, Transformations};
use std::io::Cursor;

pub fn decode(bytes: &[u8]) -> Result<Picture, String> {
    let message = |error: DecodingError| error.to_string();
    let limits = Limits { bytes: MAX_BYTES as usize };
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    // Colours for palettes, and 8 bits for fewer.
    decoder.set_transformations(Transformations::EXPAND);
    let header = decoder.read_header_info().map_err(message)?;
    // The palette's and the transparent colours' are not known yet, and at most this.
    check_size(header.width, header.height, header.bytes_per_pixel())?;

    let mut reader = decoder.read_info().map_err(message)?;
    let (width, height) = (reader.info().width, reader.info().height);
    let (colour, depth) = reader.output_color_type();
    let grey = reader.info().color_type == ColorType::Grayscale;
    let channels = colour.samples();
    let sample = if depth == BitDepth::Sixteen { 2 } else { 1 };
    check_size(width, height, channels * sample)?;
    let (width, height) = (width as usize, height as usize);
    let mut pixels = vec![0; width * height * channels * sample];
    reader.next_frame(&mut pixels).map_err(message)?;

    let to_byte: fn(&[u8]) -> u8 = match sample {
        1 => |sample| sample[0],
        _ if grey => |sample| if sample[0] == 0 { sample[1] } else { 255 },
        _ => |sample| sample[0],
    };
    let colours = if channels < 3 { [0; 3] } else { [0, 1, 2] };
    let rgb = match (channels, sample) {
        (3, 1) => pixels,
        _ => (pixels.chunks_exact(channels * sample))
            .flat_map(|pixel| colours.map(|c| to_byte(&pixel[c * sample..])))
            .collect(),
    };
    // Some writers put it after the pixels. Whatever else is wrong there, they are read.
    let _ = reader.finish();
    let exif = reader.info().exif_metadata.clone().unwrap_or_default();
    Ok(Picture { width, height, rgb }.upright(&exif))
}
