//! Which pictures the user means: files, and all that folders hold.

use crate::decode::{self, Picture};
use std::fs;
use std::path::{Path, PathBuf};

/// File name endings of pictures in folders, in lower case. A file named by itself may have any.
const ENDINGS: [&str; 4] = ["jpg", "jpeg", "png", "webp"];

/// A picture to read, or a place where none could be found.
pub struct PictureFile {
    pub path: PathBuf,
    /// What is wrong with the path, where that is known before it is read.
    pub fault: Option<String>,
}

impl PictureFile {
    pub fn open(&self) -> Result<Picture, String> {
        match &self.fault {
            Some(fault) => Err(fault.clone()),
            None => decode::open(&self.path),
        }
    }
}

/// The pictures at the given paths, in their order; those of a folder and its subfolders are sorted.
pub fn list(paths: &[PathBuf]) -> Vec<PictureFile> {
    let mut pictures = Vec::new();
    for path in paths {
        match path.is_dir() {
            true => pictures.extend(list_folder(path)),
            false => pictures.push(PictureFile { path: path.clone(), fault: None }),
        }
    }
    pictures
}

fn list_folder(folder: &Path) -> Vec<PictureFile> {
    let mut pictures = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(path) = folders.pop() {
        if let Err(error) = read_folder(&path, &mut pictures, &mut folders) {
            pictures.push(PictureFile { path, fault: Some(error.to_string()) });
        }
    }
    if pictures.is_empty() {
        let fault = format!("no file here ends in {}", ENDINGS.map(|e| format!(".{e}")).join(", "));
        pictures.push(PictureFile { path: folder.to_owned(), fault: Some(fault) });
    }
    pictures.sort_by(|a, b| a.path.cmp(&b.path));
    pictures
}

fn read_folder(
    path: &Path,
    pictures: &mut Vec<PictureFile>,
    folders: &mut Vec<PathBuf>,
) -> std::io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let path = entry.path();
        // A link to a folder is not followed: it may lead back up.
        if entry.file_type()?.is_dir() {
            folders.push(path);
        } else if is_picture(&path) && !path.is_dir() {
            pictures.push(PictureFile { path, fault: None });
        }
    }
    Ok(())
}

fn is_picture(path: &Path) -> bool {
    path.extension().is_some_and(|found| ENDINGS.iter().any(|e| found.eq_ignore_ascii_case(e)))
}
