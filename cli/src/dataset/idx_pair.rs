//! Pictures in one idx file and their classes in another, as MNIST and its followers have them.

use super::idx::{self, Array};
use crate::failure::{self, Failure};
use shufflenet_pictures::{MAX_BYTES, Picture};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// What file names call the pictures, and the classes that belong to them.
const NAMES: [(&str, &str); 4] = [
    ("images-idx3", "labels-idx1"),
    ("images.idx3", "labels.idx1"),
    ("images-idx4", "labels-idx1"),
    ("images.idx4", "labels.idx1"),
];

/// Test pictures in a folder that has those for training too.
const TEST: &str = "t10k";

pub struct Pair {
    images: PathBuf,
    labels: PathBuf,
}

/// Grey or RGB pictures, all of one size.
pub struct Pictures {
    file: String,
    width: usize,
    height: usize,
    channels: usize,
    bytes: Vec<u8>,
}

/// The pair that is meant by a file of pictures, or by a folder with such files; `None` for a folder
/// without.
pub fn find(path: &Path) -> Result<Option<Pair>, Failure> {
    let images = match path.is_dir() {
        true => match choose(path).map_err(|error| failure::at(path, error))? {
            Some(name) => path.join(name),
            None => return Ok(None),
        },
        false => path.to_owned(),
    };
    let labels = labels_of(&images).map_err(|error| failure::at(&images, error))?;
    Ok(Some(Pair { images, labels }))
}

/// The file of pictures in a folder; of several the test pictures, which is said.
fn choose(folder: &Path) -> Result<Option<String>, String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| error.to_string())? {
        let name = entry.map_err(|error| error.to_string())?.file_name();
        names.extend(name.to_str().filter(|name| labels_name(name).is_some()).map(str::to_owned));
    }
    names.sort();
    // The same, not compressed and compressed.
    names.dedup_by(|second, first| plain(second) == plain(first));
    if names.len() < 2 {
        return Ok(names.pop());
    }
    let list = |names: &[String]| names.join(", ");
    match names.iter().position(|name| name.starts_with(TEST)) {
        Some(test) => {
            let test = names.remove(test);
            failure::note(&format!("{}: {test} is used, not {}", folder.display(), list(&names)));
            Ok(Some(test))
        }
        None => Err(format!(
            "expected one file of pictures, or one of them for tests: {}",
            list(&names)
        )),
    }
}

/// The file of classes beside a file of pictures.
fn labels_of(images: &Path) -> Result<PathBuf, String> {
    if !images.exists() {
        return Err("no such file or folder".to_owned());
    }
    let name = images.file_name().and_then(OsStr::to_str).and_then(labels_name);
    let Some(name) = name else {
        let expected = "a folder, or an idx file with `images-idx3` in its name";
        return Err(format!("expected {expected}, to find the one with `labels-idx1`"));
    };
    let plain = plain(&name);
    let names = [name.clone(), plain.to_owned(), format!("{plain}.gz")];
    let mut files = names.iter().map(|name| images.with_file_name(name));
    files.find(|file| file.exists()).ok_or_else(|| format!("no {name} beside it"))
}

fn labels_name(images: &str) -> Option<String> {
    let (pictures, classes) = NAMES.iter().find(|(pictures, _)| images.contains(pictures))?;
    Some(images.replace(pictures, classes))
}

fn plain(name: &str) -> &str {
    name.strip_suffix(".gz").unwrap_or(name)
}

/// The class of each picture, all below the number of `classes`, and the pictures.
pub fn read(pair: &Pair, classes: usize) -> Result<(Vec<usize>, Pictures), Failure> {
    let read = |path: &Path| idx::read(path).map_err(|error| failure::at(path, error));
    let pictures = Pictures::new(read(&pair.images)?, pair.images.display().to_string())
        .map_err(|error| failure::at(&pair.images, error))?;
    let labels = labels(read(&pair.labels)?, pictures.count(), classes);
    Ok((labels.map_err(|error| failure::at(&pair.labels, error))?, pictures))
}

fn labels(array: Array, pictures: usize, classes: usize) -> Result<Vec<usize>, String> {
    if array.sizes != [pictures] {
        let found = crate::text::sizes(&array.sizes);
        return Err(format!("{found} labels, expected {pictures}, one for each picture"));
    }
    let labels: Vec<usize> = array.bytes.into_iter().map(usize::from).collect();
    match labels.iter().position(|&label| label >= classes) {
        None => Ok(labels),
        Some(index) => {
            let label = labels[index];
            Err(format!(
                "label {label} of picture {index}, expected less than {classes}, the model's classes"
            ))
        }
    }
}

impl Pictures {
    fn new(array: Array, file: String) -> Result<Pictures, String> {
        let (height, width, channels) = match array.sizes[..] {
            _ if array.bytes.is_empty() => return Err("no pictures".to_owned()),
            [_, height, width] => (height, width, 1),
            [_, height, width, 3] => (height, width, 3),
            _ => {
                let found = crate::text::sizes(&array.sizes);
                return Err(format!("an array of {found}, expected NxHxW (grey) or NxHxWx3 (RGB)"));
            }
        };
        if 3 * height as u64 * width as u64 > MAX_BYTES {
            return Err(format!("pictures of {height}x{width}, expected smaller ones"));
        }
        Ok(Pictures { file, width, height, channels, bytes: array.bytes })
    }

    fn count(&self) -> usize {
        self.bytes.len() / (self.width * self.height * self.channels)
    }

    pub fn file(&self) -> &str {
        &self.file
    }

    pub fn get(&self, index: usize) -> Picture {
        let length = self.width * self.height * self.channels;
        let bytes = &self.bytes[index * length..][..length];
        let rgb = match self.channels {
            3 => bytes.to_vec(),
            _ => bytes.iter().flat_map(|&grey| [grey; 3]).collect(),
        };
        Picture { width: self.width, height: self.height, rgb }
    }
}
