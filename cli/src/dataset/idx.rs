//! The idx format of MNIST: four bytes that tell the type and the number of dimensions, each dimension
//! in four bytes, and the elements.

use crate::files;
use flate2::bufread::MultiGzDecoder;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// Most bytes of elements; decompressed, a small file could have any number.
const MAX_BYTES: usize = 1 << 30;

/// Unsigned bytes in an array.
pub struct Array {
    pub sizes: Vec<usize>,
    pub bytes: Vec<u8>,
}

/// Reads an idx file of unsigned bytes, compressed with gzip or not.
pub fn read(path: &Path) -> Result<Array, String> {
    let mut file = BufReader::new(files::open(path)?);
    let start = file.fill_buf().map_err(|error| error.to_string())?;
    match start.starts_with(b"\x1F\x8B") {
        true => parse(MultiGzDecoder::new(file)),
        false => parse(file),
    }
}

fn parse(mut reader: impl Read) -> Result<Array, String> {
    let mut four = || -> Result<[u8; 4], String> {
        let mut four = [0; 4];
        reader.read_exact(&mut four).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => "cut short in its header".to_owned(),
            _ => error.to_string(),
        })?;
        Ok(four)
    };
    let rank = match four()? {
        [0, 0, 8, rank @ 1..=4] => rank,
        [0, 0, 8, rank] => return Err(format!("{rank} dimensions, expected 1 to 4")),
        [0, 0, kind @ 9..=14, _] => {
            return Err(format!("elements of type {kind}, expected 8: unsigned bytes"));
        }
        _ => return Err("not an idx file".to_owned()),
    };
    let sizes = (0..rank).map(|_| Ok(u32::from_be_bytes(four()?) as usize));
    let sizes = sizes.collect::<Result<Vec<_>, String>>()?;
    let shape = crate::text::sizes(&sizes);
    let length = sizes.iter().try_fold(1usize, |length, &size| length.checked_mul(size));
    let Some(length) = length.filter(|&length| length <= MAX_BYTES) else {
        return Err(format!("{shape} bytes, expected at most {MAX_BYTES}"));
    };

    let mut bytes = Vec::new();
    let read = reader.take(length as u64 + 1).read_to_end(&mut bytes);
    let found =
        read.map_err(|error| format!("after {} of {length} bytes: {error}", bytes.len()))?;
    match found == length {
        true => Ok(Array { sizes, bytes }),
        false if found > length => Err(format!("more than the {shape} bytes of its header")),
        false => Err(format!("{found} bytes, expected the {shape} of its header")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(bytes: &[u8]) -> String {
        parse(bytes).err().expect("an error")
    }

    #[test]
    fn headers_are_not_believed() {
        let file = b"\0\0\x08\x02\0\0\0\x02\0\0\0\x03abcdef";
        let array = parse(&file[..]).ok().unwrap();
        assert_eq!((array.sizes, array.bytes), (vec![2, 3], b"abcdef".to_vec()));
        for length in 0..12 {
            assert_eq!(error(&file[..length]), "cut short in its header");
        }
        assert_eq!(error(&file[..17]), "5 bytes, expected the 2x3 of its header");
        assert_eq!(error(&[&file[..], b"g"].concat()), "more than the 2x3 bytes of its header");
        assert_eq!(error(b"\0\0\x08\0"), "0 dimensions, expected 1 to 4");
        assert_eq!(error(b"\0\0\x08\xFF"), "255 dimensions, expected 1 to 4");
        assert_eq!(
            error(b"\0\0\x0D\x01\0\0\0\0"),
            "elements of type 13, expected 8: unsigned bytes"
        );
        assert_eq!(error(b"\x89PNG"), "not an idx file");
        let huge = [&b"\0\0\x08\x04"[..], &[0xFF; 16]].concat();
        assert!(error(&huge).ends_with(" bytes, expected at most 1073741824"));
        // Neither is memory taken for what is not there.
        assert_eq!(
            error(b"\0\0\x08\x01\x40\0\0\0abc"),
            "3 bytes, expected the 1073741824 of its header"
        );
    }
}
