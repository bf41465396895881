//! Reading files that may be anything.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// Opens a regular file. Of others it is not even tried: to open a pipe is to wait for its writer.
pub fn open(path: &Path) -> Result<File, String> {
    let file = || match fs::metadata(path)? {
        found if found.is_file() => File::open(path).map(Some),
        _ => Ok(None),
    };
    let file = file().map_err(|error| error.to_string())?;
    file.ok_or_else(|| "not a regular file".to_owned())
}

/// Reads a file whole, unless it has more than so many bytes.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let file = open(path)?;
    file.take(most + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    match bytes.len() as u64 <= most {
        true => Ok(bytes),
        false => Err(format!("more than {} MiB", most >> 20)),
    }
}
