//! JSON as far as files of weights use it, read in place: what follows next is the caller's to say, so
//! nothing nests deeper than the caller asks for.

use std::borrow::Cow;
use std::fmt::Write;

use super::decimal;

/// What a text should have held, and where.
pub(super) struct Unexpected {
    /// Byte of the text.
    pub at: usize,
    pub expected: String,
}

pub(super) struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    pub fn new(text: &'a str) -> Parser<'a> {
        Parser { text, at: 0 }
    }

    /// `member` reads the value behind each key.
    pub fn object<E: From<Unexpected>>(
        &mut self,
        mut member: impl FnMut(&mut Self, Cow<'a, str>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.list(b'{', b'}', |p| {
            let key = p.string()?;
            p.expect(b':')?;
            member(p, key)
        })
    }

    /// `element` reads each element.
    pub fn array<E: From<Unexpected>>(
        &mut self,
        element: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.list(b'[', b']', element)
    }

    fn list<E: From<Unexpected>>(
        &mut self,
        open: u8,
        close: u8,
        mut item: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.expect(open)?;
        if self.take(close) {
            return Ok(());
        }
        loop {
            item(self)?;
            if !self.take(b',') {
                return Ok(self.expect(close)?);
            }
        }
    }

    /// An array of at most `N` whole numbers.
    pub fn numbers<const N: usize>(&mut self) -> Result<(usize, [usize; N]), Unexpected> {
        let (mut count, mut numbers) = (0, [0; N]);
        self.array(|p| {
            let Some(number) = numbers.get_mut(count) else {
                return Err(p.unexpected(format!("at most {N} numbers")));
            };
            *number = p.number()?;
            count += 1;
            Ok(())
        })?;
        Ok((count, numbers))
    }

    /// A whole number.
    pub fn number(&mut self) -> Result<usize, Unexpected> {
        self.peek();
        let begin = self.at;
        if self.digits()
            && let Ok(number) = self.text[begin..self.at].parse()
        {
            return Ok(number);
        }
        self.at = begin;
        Err(self.unexpected("a whole number of at most the address size"))
    }

    /// A number of any form, rounded to the nearest float, if it is one that [`decimal`] reads.
    pub fn float(&mut self) -> Result<f64, Unexpected> {
        self.peek();
        let begin = self.at;
        self.skip(b"-");
        let mut valid = self.digits();
        if self.skip(b".") {
            valid &= self.skip_digits() > 0;
        }
        if self.skip(b"eE") {
            self.skip(b"+-");
            valid &= self.skip_digits() > 0;
        }
        match decimal::parse(&self.text[begin..self.at]) {
            Some(number) if valid => Ok(number),
            _ => {
                self.at = begin;
                Err(self.unexpected("a number of at most 19 digits"))
            }
        }
    }

    /// Passes over digits, and tells whether there were any and no 0 in front of others.
    fn digits(&mut self) -> bool {
        let zero = self.next() == Some(b'0');
        let count = self.skip_digits();
        count == 1 || count > 1 && !zero
    }

    fn skip_digits(&mut self) -> usize {
        let digits = self.text[self.at..].bytes().take_while(u8::is_ascii_digit).count();
        self.at += digits;
        digits
    }

    /// Borrowed unless it has escapes.
    pub fn string(&mut self) -> Result<Cow<'a, str>, Unexpected> {
        self.expect(b'"')?;
        let text = self.text;
        let mut owned: Option<String> = None;
        let mut begin = self.at;
        loop {
            match self.next() {
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
                _ => return Err(self.unexpected("a character of a string")),
            }
        }
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Result<char, Unexpected> {
        let kind = self.next();
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
                    match self.hex()? {
                        low @ 0xdc00..0xe000 => {
                            char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))
                        }
                        _ => None,
                    }
                }
                unit => char::from_u32(unit),
            },
            _ => None,
        };
        c.ok_or_else(|| self.unexpected("an escape sequence"))
    }

    fn hex(&mut self) -> Result<u32, Unexpected> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4).unwrap_or_default();
        let value = digits.iter().try_fold(0, |n, &d| Some(n * 16 + char::from(d).to_digit(16)?));
        match value.filter(|_| digits.len() == 4) {
            Some(value) => {
                self.at += 4;
                Ok(value)
            }
            None => Err(self.unexpected("four hexadecimal digits")),
        }
    }

    /// White space to the end of the text.
    pub fn end(&mut self, expected: &str) -> Result<(), Unexpected> {
        if self.peek().is_none() { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    pub fn unexpected(&self, expected: impl Into<String>) -> Unexpected {
        Unexpected { at: self.at, expected: expected.into() }
    }

    fn next(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next character after white space.
    fn peek(&mut self) -> Option<u8> {
        let space = |b: &u8| matches!(b, b' ' | b'\n' | b'\r' | b'\t');
        self.at += self.text[self.at..].bytes().take_while(space).count();
        self.next()
    }

    /// Passes over the next character if it is one of these.
    fn skip(&mut self, bytes: &[u8]) -> bool {
        let found = self.next().is_some_and(|next| bytes.contains(&next));
        self.at += usize::from(found);
        found
    }

    fn take(&mut self, byte: u8) -> bool {
        self.peek();
        self.skip(&[byte])
    }

    fn expect(&mut self, byte: u8) -> Result<(), Unexpected> {
        match self.take(byte) {
            true => Ok(()),
            false => Err(self.unexpected(format!("`{}`", char::from(byte)))),
        }
    }
}

/// Appends a JSON string.
pub(super) fn write_string(json: &mut String, text: &str) {
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
