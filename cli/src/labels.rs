//! What the classes are called.

use crate::files;
use shufflenet::Network;
use shufflenet::weights::StateDict;
use std::path::Path;

/// The categories of ImageNet's 1000 classes as torchvision names them, one a line.
const IMAGENET: &str = include_str!("imagenet_classes.txt");

/// Where a file has the names of its model's classes.
const KEY: &str = "shufflenet.labels";

/// A name for each class.
pub struct Labels(Vec<String>);

impl Labels {
    /// The model's own names, or else ImageNet's for 1000 classes, and numbers otherwise.
    pub fn new(network: &Network) -> Labels {
        let classes = network.architecture().classes;
        if !network.labels().is_empty() {
            return Labels(network.labels().iter().map(|name| name.to_string()).collect());
        }
        Labels(match lines(IMAGENET) {
            names if names.len() == classes => names,
            _ => (0..classes).map(|class| format!("class {class}")).collect(),
        })
    }

    pub fn name(&self, class: usize) -> &str {
        &self.0[class]
    }

    /// The names in the order of the classes.
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

/// Puts names into what is known of a model, as if its file had them.
pub fn set(state: &mut StateDict<'_>, names: &[String]) {
    let names = serde_json::Value::from(names).to_string();
    state.metadata_mut().insert(KEY.to_owned(), names);
}

/// Gives ImageNet's names to a model of 1000 classes without names. Whether it did.
pub fn set_imagenet(state: &mut StateDict<'_>) -> Result<bool, shufflenet::Error> {
    let names = lines(IMAGENET);
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
    let names = lines(&text);
    match names.len() == classes {
        true => Ok(names),
        false => Err(format!(
            "found {} names, expected {classes}: one line for each class of the model",
            names.len()
        )),
    }
}

/// One name a line; editors may leave a byte order mark before them and empty lines after them.
fn lines(text: &str) -> Vec<String> {
    let text = text.trim_start_matches('\u{feff}').trim_end();
    text.lines().map(|line| line.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_names() {
        assert_eq!(lines("\u{feff}a\r\n b c \n\nd\n\n"), ["a", "b c", "", "d"]);
        assert!(lines("\n").is_empty());
    }

    #[test]
    fn imagenet_has_1000_different_names() {
        let mut names = lines(IMAGENET);
        assert_eq!((names[0].as_str(), names[285].as_str()), ("tench", "Egyptian cat"));
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 1000);
    }
}
