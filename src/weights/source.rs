//! Where a file's bytes are: in memory, or still in the file.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use crate::Error;

/// A regular file, open for reading.
#[derive(Debug)]
pub(super) struct OpenFile<'a> {
    file: File,
    path: &'a Path,
    /// Its size in bytes when it was opened.
    pub(super) len: usize,
}

impl<'a> OpenFile<'a> {
    pub(super) fn open(path: &'a Path) -> Result<OpenFile<'a>, Error> {
        let open = || {
            // Before it is opened: that would wait for whoever writes into a pipe.
            let metadata = fs::metadata(path)?;
            if !metadata.is_file() {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
            }
            let len = usize::try_from(metadata.len()).map_err(|_| io::ErrorKind::OutOfMemory)?;
            Ok(OpenFile { file: File::open(path)?, path, len })
        };
        open().map_err(|source| Error::Io { path: path.to_owned(), source })
    }

    /// Reads a part of the file over what `bytes` held.
    pub(super) fn read(&self, place: Range<usize>, bytes: &mut Vec<u8>) -> Result<(), Error> {
        let mut read = || {
            let mut file = &self.file;
            file.seek(SeekFrom::Start(place.start as u64))?;
            bytes.try_reserve_exact(place.len().saturating_sub(bytes.len()))?;
            bytes.resize(place.len(), 0);
            file.read_exact(bytes)
        };
        read().map_err(|source| Error::Io { path: self.path.to_owned(), source })
    }
}

/// The bytes that a state dict's tensors stand in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    Memory(&'a [u8]),
    File(&'a OpenFile<'a>),
}

impl<'a> Source<'a> {
    /// Size of the file in bytes.
    pub(super) fn len(self) -> usize {
        match self {
            Source::Memory(bytes) => bytes.len(),
            Source::File(file) => file.len,
        }
    }

    pub(super) fn reader(self) -> Reader<'a> {
        Reader { source: self, window: Vec::new(), begin: 0 }
    }
}

/// Bytes read from a file at once: so many that a call costs little, and few enough to stay in a
/// second-level cache until they are used.
const WINDOW: usize = 1 << 15;

/// Gives pieces of a file, and keeps what it read from the disk around the last one.
pub(super) struct Reader<'a> {
    source: Source<'a>,
    window: Vec<u8>,
    /// Where in the file the window begins.
    begin: usize,
}

impl Reader<'_> {
    /// The bytes of a place inside the file.
    pub(super) fn bytes(&mut self, place: Range<usize>) -> Result<&[u8], Error> {
        let file = match self.source {
            Source::Memory(bytes) => return Ok(&bytes[place]),
            Source::File(file) => file,
        };
        if place.start < self.begin || place.end > self.begin + self.window.len() {
            let len = place.len().max(WINDOW.min(file.len - place.start));
            self.begin = place.start;
            if let Err(error) = file.read(place.start..place.start + len, &mut self.window) {
                self.window.clear();
                return Err(error);
            }
        }
        Ok(&self.window[place.start - self.begin..place.end - self.begin])
    }
}
