//! Reading files that may be anything, and writing whole ones.

use crate::failure::{self, Failure};
use shufflenet::weights::StateDict;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
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

/// Writes a model as safetensors, and returns the file's size.
pub fn write_safetensors(state: &StateDict<'_>, path: &Path) -> Result<u64, Failure> {
    let write = |file: &mut BufWriter<File>| {
        state.write_safetensors(file).map_err(|error| io::Error::other(error.to_string()))
    };
    replace(path, write).map_err(|error| failure::at(path, error))
}

/// Writes a file beside `path` that takes its place once it is complete, and returns its size.
fn replace(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<u64> {
    // The file behind a link is replaced, not the link; and a device must stay one.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(io::Error::other("not a file"));
    }
    let Some(name) = path.file_name() else { return Err(io::Error::other("not a file name")) };
    let mut temporary = name.to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(temporary);

    let file = File::create_new(&temporary)?;
    let complete = |file| {
        let mut writer = BufWriter::new(file);
        write(&mut writer)?;
        writer.flush()?;
        // On the disk before the name points to it.
        writer.get_ref().sync_all()?;
        let size = writer.get_ref().metadata()?.len();
        fs::rename(&temporary, path)?;
        Ok(size)
    };
    complete(file).inspect_err(|_| drop(fs::remove_file(&temporary)))
}
