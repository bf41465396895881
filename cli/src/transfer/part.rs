//! The file while it is incomplete.

use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// A file on its way, and the hash of what there is of it. An empty one is removed in the end.
pub struct Part {
    path: PathBuf,
    file: File,
    size: u64,
    sha256: Sha256,
    /// Held so that no other process writes the same file. Its file stays: were it removed, one process
    /// could lock the removed file, and another a new one.
    _lock: File,
}

impl Part {
    /// Opens what there is of the file that is to be at `target`, if anything.
    pub fn open(target: &Path) -> Result<Part, String> {
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).map_err(at(folder))?;
        }
        let lock_path = target.with_added_extension("lock");
        let lock = open(&lock_path).map_err(at(&lock_path))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => {
                format!("{}: another process is downloading it", target.display())
            }
            TryLockError::Error(error) => at(&lock_path)(error),
        })?;
        let path = target.with_added_extension("part");
        let mut file = open(&path).map_err(at(&path))?;
        let (size, sha256) = hash(&mut file).map_err(at(&path))?;
        Ok(Part { path, file, size, sha256, _lock: lock })
    }

    /// Bytes so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    pub fn append(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.file.write_all(bytes).map_err(at(&self.path))?;
        self.sha256.update(bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Forgets all bytes.
    pub fn clear(&mut self) -> Result<(), String> {
        self.file.set_len(0).and_then(|()| self.file.rewind()).map_err(at(&self.path))?;
        (self.size, self.sha256) = (0, Sha256::new());
        Ok(())
    }

    /// The hash of the bytes so far, in hexadecimal digits.
    pub fn sha256(&self) -> String {
        digits(self.sha256.clone())
    }

    pub fn matches(&self, sha256: &str) -> bool {
        self.sha256().starts_with(sha256)
    }

    /// Gives the file its name.
    pub fn finish(self, target: &Path) -> Result<(), String> {
        // On the disk before the name points to it.
        self.file.sync_all().map_err(at(&self.path))?;
        fs::rename(&self.path, target).map_err(at(target))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if self.size == 0 {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether a file is there and has the hash that begins with these digits.
pub fn is_whole(path: &Path, sha256: &str) -> Result<bool, String> {
    if !path.is_file() {
        return Ok(false);
    }
    let (_, found) = File::open(path).and_then(|mut file| hash(&mut file)).map_err(at(path))?;
    Ok(digits(found).starts_with(sha256))
}

fn at(path: &Path) -> impl Fn(io::Error) -> String {
    move |error| format!("{}: {error}", path.display())
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

/// Reads a file to its end.
fn hash(file: &mut File) -> io::Result<(u64, Sha256)> {
    let (mut size, mut sha256) = (0, Sha256::new());
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((size, sha256)),
            n => {
                sha256.update(&buffer[..n]);
                size += n as u64;
            }
        }
    }
}

fn digits(sha256: Sha256) -> String {
    sha256.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
