//! The safetensors format: an 8-byte length, a JSON header of that length, and the tensors' bytes.
//!
//! The header is read as just the JSON that the format allows: its two levels of objects are the
//! grammar, so nothing nests deeper, and a key that the format does not know is an error.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;

use super::json::{Parser, Unexpected, write_string};
use super::source::Source;
use super::state_dict::check_count;
use super::tensor::{self, MAX_RANK};
use super::{Dtype, StateDict, Tensor};
use crate::Error;

/// The limit of the format's own implementation.
const MAX_HEADER: usize = 100_000_000;

pub(super) fn read(bytes: &[u8]) -> Result<StateDict<'_>, Error> {
    let header = header_place(bytes, bytes.len())?;
    read_header(&bytes[header], Source::Memory(bytes))
}

/// Where the header stands in a file of `file_bytes` that begins with `bytes`.
pub(super) fn header_place(bytes: &[u8], file_bytes: usize) -> Result<Range<usize>, Error> {
    let Some((length, _)) = bytes.split_first_chunk::<8>() else {
        return Err(error("shorter than the 8 bytes of a header length"));
    };
    let length = u64::from_le_bytes(*length);
    let Some(length) = usize::try_from(length).ok().filter(|&n| n <= file_bytes - 8) else {
        return Err(error(format!("header of {length} bytes in a file of {file_bytes}")));
    };
    if length > MAX_HEADER {
        return Err(error(format!("header of {length} bytes, expected at most {MAX_HEADER}")));
    }
    Ok(8..8 + length)
}

/// Reads a file by its header.
pub(super) fn read_header<'a>(
    header: &'a [u8],
    source: Source<'a>,
) -> Result<StateDict<'a>, Error> {
    let (length, data) = (header.len(), 8 + header.len()..source.len());
    let header = std::str::from_utf8(header)
        .map_err(|e| error(format!("header is not UTF-8 at byte {}", e.valid_up_to())))?;

    // Counted before anything is stored: the memory is then known, and in proportion to the header.
    let (mut count, mut notes) = (0, 0);
    entries(header, |_, entry| {
        match entry {
            Entry::Tensor { .. } => count += 1,
            Entry::Metadata(_) => notes += 1,
        }
        Ok(())
    })?;
    // A map's entry takes about twice the memory of a tensor.
    check_count("safetensors", count + 2 * notes, length)?;
    let mut tensors: Vec<Tensor<'_>> = Vec::with_capacity(count);
    let mut metadata = BTreeMap::new();
    entries(header, |name, entry| {
        match entry {
            Entry::Metadata(text) => {
                if metadata.contains_key(name.as_ref()) {
                    return Err(error(format!("metadata `{name}` stands twice")));
                }
                let mut text = text.into_owned();
                // Escapes leave it with more room than it takes.
                text.shrink_to_fit();
                metadata.insert(name.into_owned(), text);
            }
            Entry::Tensor { dtype, shape, offsets: [begin, end] } => {
                if begin > end || end > data.len() {
                    let found = format!("tensor `{name}` stands at {begin} to {end}");
                    return Err(error(format!("{found} of {} bytes of data", data.len())));
                }
                let Some(dtype) = Dtype::from_safetensors(&dtype) else {
                    let (name, found) = (name.into_owned(), dtype.into_owned());
                    return Err(Error::TensorType { name, found });
                };
                let (shape, size) = (shape.dims(), end - begin);
                let place = data.start + begin..data.start + end;
                tensors.push(Tensor::contiguous(name, dtype, shape, place).map_err(|name| {
                    error(format!("tensor `{name}` of {dtype} {shape:?} has {size} bytes of data"))
                })?);
            }
        }
        Ok(())
    })?;

    // The format wants every byte of the data to belong to one tensor.
    let order = |t: &Tensor<'_>| (t.place().start, t.size());
    tensor::sort(&mut tensors, &|a, b| order(a).cmp(&order(b)));
    let mut end = data.start;
    for tensor in &tensors {
        let begin = tensor.place().start;
        if begin != end {
            let what = if begin < end { "overlaps another" } else { "leaves a hole before it" };
            return Err(error(format!("tensor `{}` {what}", tensor.name())));
        }
        end += tensor.size();
    }
    if end != data.end {
        return Err(error(format!("{} bytes of data belong to no tensor", data.end - end)));
    }
    StateDict::new("safetensors", tensors, metadata, source)
}

/// The length and the header for tensors that stand in this order, padded with spaces to a multiple
/// of 8 bytes.
pub(super) fn header(tensors: &[&Tensor<'_>], metadata: &BTreeMap<String, String>) -> Vec<u8> {
    let mut json = String::from("{");
    if !metadata.is_empty() {
        json.push_str("\"__metadata__\":{");
        for (key, text) in metadata {
            write_string(&mut json, key);
            json.push(':');
            write_string(&mut json, text);
            json.push(',');
        }
        json.pop();
        json.push_str("},");
    }
    let mut begin = 0;
    for tensor in tensors {
        write_string(&mut json, tensor.name());
        let (dtype, end) = (tensor.dtype().safetensors(), begin + tensor.size());
        _ = write!(json, ":{{\"dtype\":\"{dtype}\",\"shape\":[");
        for size in tensor.shape() {
            _ = write!(json, "{size},");
        }
        if !tensor.shape().is_empty() {
            json.pop();
        }
        _ = write!(json, "],\"data_offsets\":[{begin},{end}]}},");
        begin = end;
    }
    if json.ends_with(',') {
        json.pop();
    }
    json.push('}');
    while !json.len().is_multiple_of(8) {
        json.push(' ');
    }
    [&(json.len() as u64).to_le_bytes(), json.as_bytes()].concat()
}

fn error(message: impl Into<String>) -> Error {
    Error::format("safetensors", message)
}

impl From<Unexpected> for Error {
    fn from(Unexpected { at, expected }: Unexpected) -> Error {
        error(format!("header at byte {at}: expected {expected}"))
    }
}

enum Entry<'a> {
    Metadata(Cow<'a, str>),
    Tensor { dtype: Cow<'a, str>, shape: Shape, offsets: [usize; 2] },
}

struct Shape {
    rank: usize,
    dims: [usize; MAX_RANK],
}

impl Shape {
    fn dims(&self) -> &[usize] {
        &self.dims[..self.rank]
    }
}

/// The whole header; `visit` gets each entry in the order of the file.
fn entries<'a>(
    header: &'a str,
    mut visit: impl FnMut(Cow<'a, str>, Entry<'a>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut parser = Parser::new(header);
    // The format wants the brace first, and allows spaces only at the end.
    if !header.starts_with('{') {
        return Err(parser.unexpected("`{`").into());
    }
    let mut metadata = false;
    parser.object(|p, name| {
        if name != "__metadata__" {
            let entry = tensor(p)?;
            return visit(name, entry);
        }
        if std::mem::replace(&mut metadata, true) {
            return Err(error("`__metadata__` stands twice"));
        }
        p.object(|p, key| {
            let text = p.string()?;
            visit(key, Entry::Metadata(text))
        })
    })?;
    Ok(parser.end("the end of the header")?)
}

fn tensor<'a>(parser: &mut Parser<'a>) -> Result<Entry<'a>, Unexpected> {
    let (mut dtype, mut shape, mut offsets) = (None, None, None);
    parser.object(|p, key| {
        let twice = match key.as_ref() {
            "dtype" => dtype.replace(p.string()?).is_some(),
            "shape" => shape.replace(p.numbers::<MAX_RANK>()?).is_some(),
            "data_offsets" => offsets.replace(p.numbers::<2>()?).is_some(),
            _ => return Err(p.unexpected("`dtype`, `shape` or `data_offsets`")),
        };
        if twice { Err(p.unexpected("each key once")) } else { Ok(()) }
    })?;
    match (dtype, shape, offsets) {
        (Some(dtype), Some((rank, dims)), Some((2, offsets))) => {
            Ok(Entry::Tensor { dtype, shape: Shape { rank, dims }, offsets })
        }
        _ => Err(parser.unexpected("`dtype`, `shape` and two `data_offsets` before this")),
    }
}
