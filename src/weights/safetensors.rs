//! The safetensors format: an 8-byte length, a JSON header of that length, and the tensors' bytes.
//!
//! The header is read by a parser of just the JSON that the format allows: its two levels of objects
//! are the grammar, so nothing nests deeper, and a key that the format does not know is an error.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::state_dict::check_count;
use super::tensor::MAX_RANK;
use super::{Dtype, StateDict, Tensor};
use crate::Error;

/// The limit of the format's own implementation.
const MAX_HEADER: usize = 100_000_000;

pub(super) fn read(bytes: &[u8]) -> Result<StateDict<'_>, Error> {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else {
        return Err(error("shorter than the 8 bytes of a header length"));
    };
    let length = u64::from_le_bytes(*length);
    let Some(length) = usize::try_from(length).ok().filter(|&n| n <= rest.len()) else {
        return Err(error(format!("header of {length} bytes in a file of {}", bytes.len())));
    };
    if length > MAX_HEADER {
        return Err(error(format!("header of {length} bytes, expected at most {MAX_HEADER}")));
    }
    let (header, data) = rest.split_at(length);
    let header = std::str::from_utf8(header)
        .map_err(|e| error(format!("header is not UTF-8 at byte {}", e.valid_up_to())))?;

    // Counted before anything is stored: the memory is then known, and in proportion to the header.
    let mut count = 0;
    Parser::new(header).header(|_, _| {
        count += 1;
        Ok(())
    })?;
    check_count("safetensors", count, length)?;
    let mut tensors: Vec<Tensor<'_>> = Vec::with_capacity(count);
    let mut metadata = BTreeMap::new();
    Parser::new(header).header(|name, entry| {
        match entry {
            Entry::Metadata(text) => {
                if metadata.contains_key(name.as_ref()) {
                    return Err(error(format!("metadata `{name}` stands twice")));
                }
                metadata.insert(name.into_owned(), text.into_owned());
            }
            Entry::Tensor { dtype, shape, offsets: [begin, end] } => {
                let Some(bytes) = data.get(begin..end) else {
                    let found = format!("tensor `{name}` stands at {begin} to {end}");
                    return Err(error(format!("{found} of {} bytes of data", data.len())));
                };
                let Some(dtype) = Dtype::from_safetensors(&dtype) else {
                    let (name, found) = (name.into_owned(), dtype.into_owned());
                    return Err(Error::TensorType { name, found });
                };
                let (shape, size) = (shape.dims(), bytes.len());
                tensors.push(Tensor::contiguous(name, dtype, shape, bytes).map_err(|name| {
                    error(format!("tensor `{name}` of {dtype} {shape:?} has {size} bytes of data"))
                })?);
            }
        }
        Ok(())
    })?;

    // The format wants every byte of the data to belong to one tensor.
    tensors.sort_unstable_by_key(|t| (t.address(), t.size()));
    let mut end = 0;
    for tensor in &tensors {
        let begin = tensor.address() - data.as_ptr().addr();
        if begin != end {
            let what = if begin < end { "overlaps another" } else { "leaves a hole before it" };
            return Err(error(format!("tensor `{}` {what}", tensor.name())));
        }
        end += tensor.size();
    }
    if end != data.len() {
        return Err(error(format!("{} bytes of data belong to no tensor", data.len() - end)));
    }
    StateDict::new("safetensors", tensors, metadata, bytes.len())
}

/// The length and the header for tensors that stand in this order, padded with spaces to a multiple
/// of 8 bytes.
pub(super) fn header(tensors: &[&Tensor<'_>], metadata: &BTreeMap<String, String>) -> Vec<u8> {
    let mut json = String::from("{");
    if !metadata.is_empty() {
        json.push_str("\"__metadata__\":{");
        for (key, text) in metadata {
            string(&mut json, key);
            json.push(':');
            string(&mut json, text);
            json.push(',');
        }
        json.pop();
        json.push_str("},");
    }
    let mut begin = 0;
    for tensor in tensors {
        string(&mut json, tensor.name());
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

/// Appends a JSON string.
fn string(json: &mut String, text: &str) {
    json.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            '\0'..' ' => _ = write!(json, "\\u{:04x}", u32::from(c)),
            _ => json.push(c),
        }
    }
    json.push('"');
}

fn error(message: impl Into<String>) -> Error {
    Error::format("safetensors", message)
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

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Parser<'a> {
        Parser { text, at: 0 }
    }

    /// The whole header; `visit` gets each entry in the order of the file.
    fn header(
        mut self,
        mut visit: impl FnMut(Cow<'a, str>, Entry<'a>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        // The format wants the brace first, and allows spaces only at the end.
        if !self.text.starts_with('{') {
            return Err(self.wrong("`{`"));
        }
        let mut metadata = false;
        self.object(|p, name| {
            if name != "__metadata__" {
                let entry = p.tensor()?;
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
        if self.peek().is_some() {
            return Err(self.wrong("the end of the header"));
        }
        Ok(())
    }

    fn tensor(&mut self) -> Result<Entry<'a>, Error> {
        let (mut dtype, mut shape, mut offsets) = (None, None, None);
        self.object(|p, key| {
            let twice = match key.as_ref() {
                "dtype" => dtype.replace(p.string()?).is_some(),
                "shape" => shape.replace(p.numbers::<MAX_RANK>()?).is_some(),
                "data_offsets" => offsets.replace(p.numbers::<2>()?).is_some(),
                _ => return Err(p.wrong("`dtype`, `shape` or `data_offsets`")),
            };
            if twice { Err(p.wrong("each key once")) } else { Ok(()) }
        })?;
        match (dtype, shape, offsets) {
            (Some(dtype), Some((rank, dims)), Some((2, offsets))) => {
                Ok(Entry::Tensor { dtype, shape: Shape { rank, dims }, offsets })
            }
            _ => Err(self.wrong("`dtype`, `shape` and two `data_offsets` before this")),
        }
    }

    fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, Cow<'a, str>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.expect(b'{')?;
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            let key = self.string()?;
            self.expect(b':')?;
            member(self, key)?;
            if !self.take(b',') {
                return self.expect(b'}');
            }
        }
    }

    /// An array of at most `N` numbers.
    fn numbers<const N: usize>(&mut self) -> Result<(usize, [usize; N]), Error> {
        let mut numbers = [0; N];
        self.expect(b'[')?;
        if self.take(b']') {
            return Ok((0, numbers));
        }
        for (count, number) in numbers.iter_mut().enumerate() {
            *number = self.number()?;
            if !self.take(b',') {
                self.expect(b']')?;
                return Ok((count + 1, numbers));
            }
        }
        Err(self.wrong(&format!("at most {N} numbers")))
    }

    fn number(&mut self) -> Result<usize, Error> {
        self.peek();
        let digits = self.text[self.at..].bytes().take_while(u8::is_ascii_digit).count();
        let digits = &self.text[self.at..self.at + digits];
        let canonical = digits == "0" || !digits.starts_with('0');
        match digits.parse().ok().filter(|_| canonical) {
            Some(number) => {
                self.at += digits.len();
                Ok(number)
            }
            None => Err(self.wrong("a whole number of at most the address size")),
        }
    }

    /// Borrowed unless it has escapes.
    fn string(&mut self) -> Result<Cow<'a, str>, Error> {
        self.expect(b'"')?;
        let text = self.text;
        let mut owned: Option<String> = None;
        let mut begin = self.at;
        loop {
            match text.as_bytes().get(self.at) {
                Some(b'"') => {
                    let rest = &text[begin..self.at];
                    self.at += 1;
                    return Ok(match owned {
                        None => Cow::Borrowed(rest),
                        Some(text) => Cow::Owned(text + rest),
                    });
                }
                Some(b'\\') => {
                    let owned = owned.get_or_insert_default();
                    owned.push_str(&text[begin..self.at]);
                    self.at += 1;
                    owned.push(self.escape()?);
                    begin = self.at;
                }
                Some(0x20..) => self.at += 1,
                _ => return Err(self.wrong("a character of a string")),
            }
        }
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Result<char, Error> {
        let kind = self.text.as_bytes().get(self.at).copied();
        self.at += usize::from(kind.is_some_and(|k| k.is_ascii()));
        let c = match kind {
            Some(c @ (b'"' | b'\\' | b'/')) => Some(c.into()),
            Some(b'b') => Some('\u{8}'),
            Some(b'f') => Some('\u{c}'),
            Some(b'n') => Some('\n'),
            Some(b'r') => Some('\r'),
            Some(b't') => Some('\t'),
            Some(b'u') => match self.hex()? {
                high @ 0xd800..0xdc00 if self.text[self.at..].starts_with("\\u") => {
                    self.at += 2;
                    let low = self.hex()?.wrapping_sub(0xdc00);
                    let pair = 0x10000 + ((high - 0xd800) << 10) + low;
                    (low < 0x400).then_some(pair).and_then(char::from_u32)
                }
                unit => char::from_u32(unit),
            },
            _ => None,
        };
        c.ok_or_else(|| self.wrong("an escape sequence"))
    }

    fn hex(&mut self) -> Result<u32, Error> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4).unwrap_or_default();
        let value = digits.iter().try_fold(0, |n, &d| Some(n * 16 + char::from(d).to_digit(16)?));
        match value.filter(|_| digits.len() == 4) {
            Some(value) => {
                self.at += 4;
                Ok(value)
            }
            None => Err(self.wrong("four hexadecimal digits")),
        }
    }

    /// The next character after white space.
    fn peek(&mut self) -> Option<u8> {
        let space = |b: &u8| matches!(b, b' ' | b'\n' | b'\r' | b'\t');
        self.at += self.text[self.at..].bytes().take_while(space).count();
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), Error> {
        if self.take(byte) { Ok(()) } else { Err(self.wrong(&format!("`{}`", char::from(byte)))) }
    }

    fn wrong(&self, expected: &str) -> Error {
        error(format!("header at byte {}: expected {expected}", self.at))
    }
}
