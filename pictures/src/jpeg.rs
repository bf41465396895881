//! JPEG.

use super::jpeg_headers::Headers;
use super::{Picture, check_size};
use jpeg_decoder::{Decoder, Error, PixelFormat};
use std::io::{self, Read};
use std::iter::Peekable;
use std::vec::IntoIter;

/// Motion JPEG's mark, with which the decoder takes the standard's Huffman tables where a file has none.
const MOTION: &[u8] = b"\xFF\xE0\0\x10AVI1\0\0\0\0\0\0\0\0\0\0";

/// Ones, which are no Huffman code, for after a scan: where it ends too early, the decoder would go on with
/// zeros.
const NO_CODE: &[u8] = b"\xFF\0\xFF\0\xFF\0\xFF\0\xFF\0\xFF\0\xFF\0\xFF\0";

pub fn decode(bytes: &[u8]) -> Result<Picture, String> {
    let message = |error: Error| error.to_string();
    let headers = Headers::read(bytes)?;
    if let Some(fault) = headers.unreadable() {
        let advice = "convert it with another program";
        return Err(format!("a JPEG that is not read, for {fault}; {advice}"));
    }
    let mut pieces = vec![&bytes[..2], MOTION];
    let mut from = 2;
    for &end in &headers.scan_ends {
        pieces.extend([&bytes[from..end], NO_CODE]);
        from = end;
    }
    pieces.push(&bytes[from..]);
    let mut decoder = Decoder::new(Pieces(pieces.into_iter().peekable()));
    decoder.read_info().map_err(message)?;
    let info = decoder.info().expect("was read");
    check_size(info.width.into(), info.height.into(), info.pixel_format.pixel_bytes())?;
    decoder.set_color_transform(headers.colours());
    let pixels = decoder.decode().map_err(message)?;
    let rgb = match info.pixel_format {
        PixelFormat::L8 => pixels.iter().flat_map(|&grey| [grey; 3]).collect(),
        PixelFormat::RGB24 => pixels,
        PixelFormat::CMYK32 => (pixels.chunks_exact(4))
            .flat_map(|ink| [0, 1, 2].map(|i| without(ink[i], ink[3])))
            .collect(),
        PixelFormat::L16 => return Err("its samples have 16 bits".to_owned()),
    };
    let picture = Picture { width: info.width.into(), height: info.height.into(), rgb };
    Ok(picture.upright(headers.exif))
}

/// Reads one piece after the other.
struct Pieces<'a>(Peekable<IntoIter<&'a [u8]>>);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.0.next_if(|piece| piece.is_empty()).is_some() {}
        self.0.peek_mut().map_or(Ok(0), |piece| piece.read(buffer))
    }
}

/// What an ink and black leave of white.
fn without(ink: u8, black: u8) -> u8 {
    let left = u32::from(255 - ink) * u32::from(255 - black);
    ((left + 127) / 255) as u8
}
