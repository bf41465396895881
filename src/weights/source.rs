//! Where a file's bytes are: in memory, or still in the file.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::Path;

use crate::Error;

/// A regular file, open for reading, or a part of one.
#[derive(Debug)]
pub(super) struct OpenFile<'a> {
    file: File,
    path: &'a Path,
    /// Where the part begins.
    start: u64,
    /// Its size in bytes; of a whole file, when it was opened.
    pub(super) len: usize,
}

impl<'a> OpenFile<'a> {
    pub(super) fn open(path: &'a Path) -> Result<OpenFile<'a>, Error> {
        let open = || {
            // Before it is opened: that would wait for whoever writes into a pipe.
            let len = regular(&fs::metadata(path)?)?;
            let len = usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
            Ok(OpenFile { file: File::open(path)?, path, start: 0, len })
        };
        open().map_err(|source| Error::Io { path: path.to_owned(), source })
    }

    /// `len` bytes from `start` on of a file that is open, of which errors speak as `path`.
    #[cfg(all(unix, feature = "capi"))]
    pub(super) fn part(
        file: File,
        path: &'a Path,
        (start, len): (u64, u64),
    ) -> Result<OpenFile<'a>, Error> {
        let size = file.metadata().and_then(|metadata| regular(&metadata));
        let size = size.map_err(|source| Error::Io { path: path.to_owned(), source })?;
        match usize::try_from(len) {
            Ok(bytes) if start.checked_add(len).is_some_and(|end| end <= size) => {
                Ok(OpenFile { file, path, start, len: bytes })
            }
            _ => {
                let found = format!("{len} bytes at {start}");
                let expected = format!("a part of the file's {size} bytes");
                Err(Error::argument("part of the file", found, expected))
            }
        }
    }

    /// Reads a part of it over what `bytes` held.
    pub(super) fn read(&self, place: Range<usize>, bytes: &mut Vec<u8>) -> Result<(), Error> {
        let mut read = || {
            bytes.try_reserve_exact(place.len().saturating_sub(bytes.len()))?;
            bytes.resize(place.len(), 0);
            self.read_at(self.start + place.start as u64, bytes)
        };
        read().map_err(|source| Error::Io { path: self.path.to_owned(), source })
    }

    /// Whoever shares the open file does not see it move.
    #[cfg(unix)]
    fn read_at(&self, start: u64, bytes: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, bytes, start)
    }

    #[cfg(not(unix))]
    fn read_at(&self, start: u64, bytes: &mut [u8]) -> io::Result<()> {
        use std::io::{Read, Seek, SeekFrom};
        let mut file = &self.file;
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(bytes)
    }
}

/// The size of a regular file.
fn regular(metadata: &fs::Metadata) -> io::Result<u64> {
    match metadata.is_file() {
        true => Ok(metadata.len()),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
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
