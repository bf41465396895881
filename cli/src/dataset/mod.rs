//! Pictures whose classes are known: a folder for each class, or a pair of idx files.

mod class_order;
mod folders;
mod idx;
mod idx_pair;
mod matching;

pub use class_order::ClassOrder;

use crate::failure::{self, Failure};
use crate::labels::Labels;
use crate::picture_files::PictureFile;
use shufflenet_pictures::Picture;
use std::path::Path;

pub struct Dataset {
    pub pictures: Vec<Labelled>,
    source: Source,
}

/// A picture by its number in the source, and its class.
pub struct Labelled {
    pub class: usize,
    index: usize,
}

enum Source {
    Files(Vec<PictureFile>),
    Idx(idx_pair::Pictures),
}

impl Dataset {
    /// Looks what there is at a path. Classes are those that `labels` names; for folders that have other
    /// names, an order may be given.
    pub fn open(
        path: &Path,
        labels: &Labels,
        order: Option<ClassOrder>,
    ) -> Result<Dataset, Failure> {
        let (classes, source) = if let Some(pair) = idx_pair::find(path)? {
            if order.is_some() {
                return Err(failure::at(
                    path,
                    "--class-order is for folders, and these are idx files",
                ));
            }
            let (classes, pictures) = idx_pair::read(&pair, labels.names().len())?;
            (classes, Source::Idx(pictures))
        } else {
            let (classes, files) =
                folders::list(path, labels, order).map_err(|error| failure::at(path, error))?;
            (classes, Source::Files(files))
        };
        let labelled = |(index, class)| Labelled { class, index };
        Ok(Dataset { pictures: classes.into_iter().enumerate().map(labelled).collect(), source })
    }

    pub fn picture(&self, labelled: &Labelled) -> Result<Picture, String> {
        match &self.source {
            Source::Files(files) => files[labelled.index].open(),
            Source::Idx(pictures) => Ok(pictures.get(labelled.index)),
        }
    }

    /// What to call a picture.
    pub fn name(&self, labelled: &Labelled) -> String {
        match &self.source {
            Source::Files(files) => files[labelled.index].path.to_string_lossy().into_owned(),
            Source::Idx(pictures) => format!("{}: picture {}", pictures.file(), labelled.index),
        }
    }
}
