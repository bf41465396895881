//! What the classes are called.

use crate::files;
use crate::label_file;
use shufflenet::Network;
use shufflenet::weights::StateDict;
use std::path::Path;

/// The categories of ImageNet's 1000 classes as torchvision names them, one a line.
const IMAGENET: &str = include_str!("imagenet_classes.txt");

/// Where a file has the names of its model's classes.
const KEY: &str = "shufflenet.labels";

/// A name for each class.
pub struct Labels {
    names: Vec<String>,
    /// Whether nobody has named the classes.
    are_numbers: bool,
}

impl Labels {
    /// The model's own names, or else ImageNet's for 1000 classes, and numbers otherwise.
    pub fn new(network: &Network) -> Labels {
        let classes = network.architecture().classes;
        let names = if !network.labels().is_empty() {
            network.labels().iter().map(|name| name.to_string()).collect()
        } else {
            imagenet()
        };
        match names.len() == classes {
            true => Labels { names, are_numbers: false },
            false => Labels {
                names: (0..classes).map(|class| format!("class {class}")).collect(),
                are_numbers: true,
            },
        }
    }

    pub fn name(&self, class: usize) -> &str {
        &self.names[class]
    }

    /// The names in the order of the classes.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether they are more than the classes' numbers.
    pub fn are_names(&self) -> bool {
        !self.are_numbers
    }

    #[cfg(test)]
    pub fn named(names: &[&str]) -> Labels {
        Labels { names: names.iter().map(|&name| name.to_owned()).collect(), are_numbers: false }
    }
}

fn imagenet() -> Vec<String> {
    IMAGENET.lines().map(str::to_owned).collect()
}

/// Puts names into what is known of a model, as if its file had them.
pub fn set(state: &mut StateDict<'_>, names: &[String]) {
    let names = serde_json::Value::from(names).to_string();
    state.metadata_mut().insert(KEY.to_owned(), names);
}

/// Gives ImageNet's names to a model of 1000 classes without names. Whether it did.
pub fn set_imagenet(state: &mut StateDict<'_>) -> Result<bool, shufflenet::Error> {
    let names = imagenet();
    let fit = state.architecture()?.classes == names.len() && !state.metadata().contains_key(KEY);
    if fit {
        set(state, &names);
    }
    Ok(fit)
}

/// Most bytes in a file of names.
const MAX_FILE: u64 = 16 << 20;

/// The names in a file.
pub fn read(path: &Path, classes: usize) -> Result<Vec<String>, String> {
    let text =
        String::from_utf8(files::read(path, MAX_FILE)?).map_err(|_| "not UTF-8 text".to_owned())?;
    let names = label_file::parse(&text)?;
    match names.len() == classes {
        true => Ok(names),
        false => Err(format!(
            "found {} names, expected {classes}: one for each class of the model",
            names.len()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imagenet_has_1000_different_names() {
        let mut names: Vec<&str> = IMAGENET.lines().collect();
        assert_eq!((names[0], names[285]), ("tench", "Egyptian cat"));
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 1000);
    }
}
