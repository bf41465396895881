//! A folder for each class.

use super::class_order::ClassOrder;
use super::matching::{by_name, by_order, few, part_of_data_set};
use crate::failure;
use crate::labels::Labels;
use crate::picture_files::{Found, PictureFile, is_foreign};
use std::fs;
use std::path::{Path, PathBuf};

/// The class of each picture in the folders at a path, and the pictures.
pub fn list(
    path: &Path,
    labels: &Labels,
    order: Option<ClassOrder>,
) -> Result<(Vec<usize>, Vec<PictureFile>), String> {
    let folders = class_folders(path)?;
    let names: Vec<&str> = folders.iter().map(|(name, _)| name.as_str()).collect();
    let numbers = match (by_name(&names, labels), part_of_data_set(&names)) {
        (Some(classes), _) if order.is_none() => classes,
        (None, Some(part)) => {
            let part = path.join(part);
            return Err(format!(
                "expected a folder for each class, found parts of a data set: {}; run `shufflenet evaluate {}`",
                few(&names),
                part.display()
            ));
        }
        _ => {
            let (classes, note) = by_order(&names, labels, order)?;
            if let Some(note) = note {
                failure::note(&format!("{}: {note}", path.display()));
            }
            classes
        }
    };

    let (mut classes, mut found, mut empty) = (Vec::new(), Found::default(), Vec::new());
    for ((name, folder), class) in folders.iter().zip(numbers) {
        if found.add_folder(folder) == 0 {
            empty.push(name.as_str());
        }
        classes.resize(found.pictures.len(), class);
    }
    found.note_left_out();
    if found.pictures.is_empty() {
        return Err(format!("no JPEG, PNG or WebP file in its folders {}", few(&names)));
    }
    if !empty.is_empty() {
        failure::note(&format!("{}: no pictures in {}", path.display(), few(&empty)));
    }
    Ok((classes, found.pictures))
}

/// The names of the folders, sorted as text, and their paths.
fn class_folders(path: &Path) -> Result<Vec<(String, PathBuf)>, String> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(path).map_err(|error| error.to_string())? {
        let entry = entry.map_err(|error| error.to_string())?;
        let name = entry.file_name();
        if entry.path().is_dir() && !is_foreign(&name) {
            folders.push((name.to_string_lossy().into_owned(), entry.path()));
        }
    }
    folders.sort();
    match folders.is_empty() {
        true => Err("expected a folder for each class, or idx files".to_owned()),
        false => Ok(folders),
    }
}
