//! Which pictures the user means: files, and all that folders hold.

use crate::failure;
use crate::files;
use shufflenet_pictures::{Format, Picture};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Endings of pictures that can be read, in lower case. Under any other, the content decides.
const READ: [&str; 6] = ["jpg", "jpeg", "jpe", "jfif", "png", "webp"];

/// Endings of pictures that cannot, which are not left out without a word.
const NOT_READ: [&str; 27] = [
    "arw", "avif", "bmp", "cr2", "cr3", "dib", "dng", "exr", "gif", "heic", "heif", "hdr", "ico",
    "j2k", "jp2", "jxl", "nef", "pbm", "pgm", "pnm", "ppm", "psd", "qoi", "svg", "tga", "tif",
    "tiff",
];

/// What ends the endings of copies that programs leave beside a picture, such as `a.jpg_original`.
const COPIES: [&str; 3] = ["~", "_original", "bak"];

/// Folders that file managers and storage devices make beside the user's: copies and scraps. So are those
/// whose names begin with a dot.
const FOREIGN: [&str; 5] =
    ["__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information"];

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
            None => {
                let bytes = files::read(&self.path, shufflenet_pictures::MAX_FILE)?;
                shufflenet_pictures::decode(&bytes)
            }
        }
    }
}

/// The pictures at the given paths, in their order; those of a folder and its subfolders are sorted.
/// What is left out in folders is said.
pub fn list(paths: &[PathBuf]) -> Vec<PictureFile> {
    let mut found = Found::default();
    for path in paths {
        if !path.is_dir() {
            found.pictures.push(PictureFile { path: path.clone(), fault: None });
        } else if found.add_folder(path) == 0 {
            let fault = Some("no JPEG, PNG or WebP file here".to_owned());
            found.pictures.push(PictureFile { path: path.clone(), fault });
        }
    }
    found.note_left_out();
    found.pictures
}

/// Whether a folder of this name is none that the user made.
pub fn is_foreign(folder: &OsStr) -> bool {
    let name = folder.to_string_lossy();
    name.starts_with('.') || FOREIGN.contains(&name.as_ref())
}

/// What there is in folders.
#[derive(Default)]
pub struct Found {
    pub pictures: Vec<PictureFile>,
    /// How many pictures that cannot be read there are, by their ending.
    left_out: BTreeMap<String, usize>,
}

impl Found {
    /// Adds the pictures of a folder and its subfolders, sorted, and says how many they are.
    pub fn add_folder(&mut self, folder: &Path) -> usize {
        let before = self.pictures.len();
        let mut folders = vec![folder.to_owned()];
        while let Some(path) = folders.pop() {
            if let Err(error) = self.read_folder(&path, &mut folders) {
                self.pictures.push(PictureFile { path, fault: Some(error.to_string()) });
            }
        }
        self.pictures[before..].sort_by(|a, b| a.path.cmp(&b.path));
        self.pictures.len() - before
    }

    fn read_folder(&mut self, path: &Path, folders: &mut Vec<PathBuf>) -> std::io::Result<()> {
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let (path, name) = (entry.path(), entry.file_name());
            // A link to a folder is not followed: it may lead back up.
            if entry.file_type()?.is_dir() {
                if !is_foreign(&name) {
                    folders.push(path);
                }
                continue;
            }
            // On other systems' disks, macOS writes what else it knows of `a.png` into `._a.png`.
            if name.as_encoded_bytes().starts_with(b"._") || path.is_dir() {
                continue;
            }
            match Kind::of(&path) {
                Kind::Read => self.pictures.push(PictureFile { path, fault: None }),
                Kind::NotRead(ending) => *self.left_out.entry(ending).or_default() += 1,
                Kind::Other => {}
            }
        }
        Ok(())
    }

    /// Says what was left out, if anything.
    pub fn note_left_out(&self) {
        if self.left_out.is_empty() {
            return;
        }
        let mut endings: Vec<(&String, &usize)> = self.left_out.iter().collect();
        endings.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        let endings = endings.iter().map(|(ending, count)| format!("{count} {ending}"));
        let endings = endings.collect::<Vec<_>>().join(", ");
        let count: usize = self.left_out.values().sum();
        let files = if count == 1 { "file is" } else { "files are" };
        failure::note(&format!("{count} {files} left out: {endings}; JPEG, PNG and WebP are read"));
    }
}

enum Kind {
    /// A picture.
    Read,
    /// A picture of a kind that cannot be read, by its ending.
    NotRead(String),
    /// No picture.
    Other,
}

impl Kind {
    fn of(path: &Path) -> Kind {
        let ending = path.extension().map(|it| it.to_string_lossy().to_lowercase());
        match ending.as_deref() {
            Some(ending) if READ.contains(&ending) => return Kind::Read,
            Some(ending) if COPIES.iter().any(|end| ending.ends_with(end)) => return Kind::Other,
            _ => {}
        }
        let first = first_bytes(path).unwrap_or_default();
        match ending {
            _ if Format::of(&first).is_some() => Kind::Read,
            Some(ending) if NOT_READ.contains(&ending.as_str()) => {
                Kind::NotRead(format!(".{ending}"))
            }
            None if begins_as_picture(&first) => Kind::NotRead("without an ending".to_owned()),
            _ => Kind::Other,
        }
    }
}

fn first_bytes(path: &Path) -> Option<Vec<u8>> {
    let mut first = Vec::new();
    files::open(path).ok()?.take(12).read_to_end(&mut first).ok()?;
    Some(first)
}

/// Whether a file is a GIF, TIFF, BMP, HEIC or AVIF.
fn begins_as_picture(first: &[u8]) -> bool {
    matches!(
        first,
        [b'G', b'I', b'F', b'8', ..]
            | [b'I', b'I', b'*', 0, ..]
            | [b'M', b'M', 0, b'*', ..]
            | [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..]
            | [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', b'f']
            | [_, _, _, _, b'f', b't', b'y', b'p', b'h', b'e', b'i', _]
    )
}
