//! The zip archives that `torch.save` writes: stored entries, one after another.
//!
//! Entries are slices of the file. What could make a small archive stand for much data is refused:
//! compressed entries, and entries that share bytes.

use super::allowance::Allowance;
use crate::Error;

#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) name: &'a [u8],
    pub(super) data: &'a [u8],
    checksum: u32,
}

const SAVE_AGAIN: &str = "torch.save stores its entries; save the checkpoint again with it";
/// What a 32-bit field holds when the zip64 field has the number.
const IN_ZIP64: u64 = u32::MAX as u64;

/// The entries in the order of their names.
pub(super) fn read<'a>(file: &'a [u8], allowance: &mut Allowance) -> Result<Vec<Entry<'a>>, Error> {
    let (count, directory, directory_at) = directory(file)?;
    // An entry has at least 46 bytes here and 30 before.
    if count > directory.len() / 46 {
        let length = directory.len();
        return Err(error(format!("{count} entries in a directory of {length} bytes")));
    }
    let mut entries: Vec<Entry<'_>> = allowance.vec(count)?;
    let mut rest = directory;
    for _ in 0..count {
        entries.push(entry(file, &mut rest, directory_at)?);
    }
    if !rest.is_empty() {
        return Err(error("more entries than its directory counts"));
    }
    // Local headers stand between the data of two entries, so the data of entries that do not share
    // a header cannot be adjacent.
    entries.sort_unstable_by_key(|e| (e.data.as_ptr().addr(), e.data.len()));
    for pair in entries.windows(2) {
        let end = pair[0].data.as_ptr().addr() + pair[0].data.len();
        if pair[1].data.as_ptr().addr() < end + 30 + pair[1].name.len() {
            return Err(error(format!(
                "entries {} and {} overlap",
                show(&pair[0]),
                show(&pair[1])
            )));
        }
    }
    // Only now, for together they are as long as the file. torch.save writes 0 if it is told not to
    // compute the checksums.
    let damaged = |e: &&Entry<'_>| e.checksum != 0 && e.checksum != crc32fast::hash(e.data);
    if let Some(entry) = entries.iter().find(damaged) {
        return Err(error(format!("entry {} is damaged: its checksum is wrong", show(entry))));
    }
    entries.sort_unstable_by_key(|e| e.name);
    if let Some(pair) = entries.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(error(format!("entry {} stands twice", show(&pair[0]))));
    }
    Ok(entries)
}

/// Number of entries, bytes of the central directory, and where it begins.
fn directory(file: &[u8]) -> Result<(usize, &[u8], usize), Error> {
    let cut = || error("no directory at the end: the file is cut off or has bytes appended");
    let at = file.len().checked_sub(22).ok_or_else(cut)?;
    let end = &file[at..];
    if !end.starts_with(b"PK\x05\x06") || u16_at(end, 20)? != 0 {
        return Err(cut());
    }
    let (mut count, mut length, mut begin) =
        (u64::from(u16_at(end, 10)?), u32_at(end, 12)?, u32_at(end, 16)?);
    let locator = at.checked_sub(20).map(|at| &file[at..]).unwrap_or_default();
    if locator.starts_with(b"PK\x06\x07") {
        let zip64 = usize::try_from(u64_at(locator, 8)?).ok().and_then(|at| file.get(at..));
        let zip64 = zip64.filter(|z| z.starts_with(b"PK\x06\x06")).ok_or_else(cut)?;
        (count, length, begin) = (u64_at(zip64, 32)?, u64_at(zip64, 40)?, u64_at(zip64, 48)?);
    }
    let range = |count, begin: u64, length: u64| {
        let (count, begin) = (usize::try_from(count).ok()?, usize::try_from(begin).ok()?);
        let end = begin.checked_add(usize::try_from(length).ok()?)?;
        Some((count, file[..at].get(begin..end)?, begin))
    };
    range(count, begin, length).ok_or_else(|| error("its directory stands outside the file"))
}

/// Takes one entry from the directory and finds its data.
fn entry<'a>(file: &'a [u8], rest: &mut &'a [u8], end: usize) -> Result<Entry<'a>, Error> {
    let header = *rest;
    if !header.starts_with(b"PK\x01\x02") {
        return Err(error("no entry where its directory should have one"));
    }
    let lengths = [u16_at(header, 28)?, u16_at(header, 30)?, u16_at(header, 32)?].map(usize::from);
    let name = slice(header, 46, lengths[0])?;
    let extra = slice(header, 46 + lengths[0], lengths[1])?;
    let length = 46 + lengths.iter().sum::<usize>();
    *rest = slice(header, length, header.len().saturating_sub(length))?;

    let checksum = u32_at(header, 16)? as u32;
    let mut entry = Entry { name, data: &[], checksum };
    let (flags, method) = (u16_at(header, 8)?, u16_at(header, 10)?);
    if flags & 1 != 0 {
        return Err(error(format!("entry {} is encrypted", show(&entry))));
    }
    let mut sizes = [u32_at(header, 24)?, u32_at(header, 20)?, u32_at(header, 42)?];
    zip64(extra, &mut sizes)?;
    let [size, stored, local] = sizes;
    if method != 0 || size != stored {
        return Err(error(format!("entry {} is compressed; {SAVE_AGAIN}", show(&entry))));
    }
    let outside = || error(format!("entry {} stands outside the file", show(&entry)));
    let before = usize::try_from(local).ok().and_then(|at| file[..end].get(at..));
    let before = before.ok_or_else(outside)?;
    let begin = 30 + usize::from(u16_at(before, 26)?) + usize::from(u16_at(before, 28)?);
    if !before.starts_with(b"PK\x03\x04") || slice(before, 30, lengths[0])? != name {
        return Err(error(format!("entry {} is not where its directory says", show(&entry))));
    }
    let size = usize::try_from(size).map_err(|_| outside())?;
    let data = before.get(begin..).and_then(|data| data.get(..size)).ok_or_else(outside)?;
    entry.data = data;
    Ok(entry)
}

/// Replaces the numbers that did not fit 32 bits by those in the extra field.
fn zip64(mut extra: &[u8], numbers: &mut [u64; 3]) -> Result<(), Error> {
    while extra.len() >= 4 {
        let field = slice(extra, 4, u16_at(extra, 2)?.into())?;
        if u16_at(extra, 0)? == 1 {
            let missing = numbers.iter_mut().filter(|number| **number == IN_ZIP64);
            for (i, number) in missing.enumerate() {
                *number = u64_at(field, 8 * i)?;
            }
            return Ok(());
        }
        extra = &extra[4 + field.len()..];
    }
    Ok(())
}

fn error(message: impl Into<String>) -> Error {
    Error::format("zip", message)
}

/// The beginning of a name: all of it would let errors grow with the file.
fn show(entry: &Entry<'_>) -> String {
    format!("`{}`", entry.name[..entry.name.len().min(80)].escape_ascii())
}

fn slice(bytes: &[u8], at: usize, length: usize) -> Result<&[u8], Error> {
    bytes.get(at..).and_then(|b| b.get(..length)).ok_or_else(|| error("the file is cut off"))
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, Error> {
    slice(bytes, at, 2).map(|b| u16::from_le_bytes([b[0], b[1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u64, Error> {
    slice(bytes, at, 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]).into())
}

fn u64_at(bytes: &[u8], at: usize) -> Result<u64, Error> {
    Ok(u32_at(bytes, at)? | u32_at(bytes, at + 4)? << 32)
}
