//! A folder for each class.

use crate::failure;
use crate::labels::Labels;
use crate::picture_files::{self, PictureFile};
use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// The class of each picture in the folders at a path, and the pictures.
pub fn list(path: &Path, labels: &Labels) -> Result<(Vec<usize>, Vec<PictureFile>), String> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(path).map_err(|error| error.to_string())? {
        let entry = entry.map_err(|error| error.to_string())?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && !name.starts_with('.') {
            folders.push((name, entry.path()));
        }
    }
    if folders.is_empty() {
        return Err("expected a folder for each class, or idx files".to_owned());
    }
    folders.sort();
    let names: Vec<&str> = folders.iter().map(|(name, _)| name.as_str()).collect();
    let numbers = match match_classes(&names, labels.names())? {
        Matched::Known(classes) => classes,
        Matched::InOrder => {
            let first = format!("`{}` is `{}`", names[0], labels.name(0));
            let message = "folders are taken for the classes in the order of their names";
            failure::note(&format!("{}: {message}: {first}", path.display()));
            (0..names.len()).collect()
        }
    };
    let (mut classes, mut files) = (Vec::new(), Vec::new());
    for ((_, folder), class) in folders.into_iter().zip(numbers) {
        files.extend(picture_files::list(&[folder]));
        classes.resize(files.len(), class);
    }
    Ok((classes, files))
}

#[derive(Debug, PartialEq)]
enum Matched {
    /// The class of each folder.
    Known(Vec<usize>),
    /// Nothing matches, but there is a folder for each class.
    InOrder,
}

/// What classes folders stand for, by the classes' names or numbers.
fn match_classes(folders: &[&str], labels: &[String]) -> Result<Matched, String> {
    let (exact, loose) = (Index::new(labels, str::to_owned), Index::new(labels, simplified));
    let by_name = |name: &&str| exact.class(name).or_else(|| loose.class(name));
    let by_number = |name: &&str| name.parse().ok().filter(|&class: &usize| class < labels.len());
    let names: Option<Vec<usize>> = folders.iter().map(by_name).collect();
    if let Some(classes) = names.or_else(|| folders.iter().map(by_number).collect()) {
        return Ok(Matched::Known(classes));
    }
    let unknown: Vec<&&str> = folders.iter().filter(|name| by_name(name).is_none()).collect();
    if unknown.len() == folders.len() && folders.len() == labels.len() {
        return Ok(Matched::InOrder);
    }
    let few = unknown.iter().take(3).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let more = if unknown.len() > 3 { ", ..." } else { "" };
    let (count, all, classes) = (unknown.len(), folders.len(), labels.len());
    Err(format!(
        "{count} of {all} folders are no class of the model: {few}{more}; expected names such as `{}`, or \
         numbers below {classes}",
        labels[0]
    ))
}

/// Classes by a form of their names.
struct Index<F> {
    form: F,
    /// None where two classes have the same.
    classes: HashMap<String, Option<usize>>,
}

impl<F: Fn(&str) -> String> Index<F> {
    fn new(labels: &[String], form: F) -> Index<F> {
        let mut classes = HashMap::new();
        for (class, label) in labels.iter().enumerate() {
            classes.entry(form(label)).and_modify(|class| *class = None).or_insert(Some(class));
        }
        Index { form, classes }
    }

    fn class(&self, name: &str) -> Option<usize> {
        *self.classes.get(&(self.form)(name))?
    }
}

/// Letters and digits only, in lower case: `T-shirt/top` can be no folder's name, but `t_shirt_top` can.
fn simplified(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(folders: &[&str], labels: &[&str]) -> Result<Matched, String> {
        match_classes(folders, &labels.iter().map(|&label| label.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn names_go_before_numbers_and_numbers_before_order() {
        let labels = ["T-shirt/top", "Bag", "bag", "Ankle boot"];
        let known = |classes: &[usize]| Ok(Matched::Known(classes.to_vec()));
        assert_eq!(
            matched(&["Bag", "ankle_boot", "bag", "tshirt top"], &labels),
            known(&[1, 3, 2, 0])
        );
        assert_eq!(matched(&["0", "003", "1"], &labels), known(&[0, 3, 1]));
        assert_eq!(matched(&["1", "2"], &["2", "1"]), known(&[1, 0]));
        assert_eq!(matched(&["n01", "n02", "n03", "n04"], &labels), Ok(Matched::InOrder));

        let error = |folders: &[&str]| matched(folders, &labels).unwrap_err();
        let expected = "expected names such as `T-shirt/top`, or numbers below 4";
        let start = "folders are no class of the model";
        assert_eq!(error(&["n01", "n02"]), format!("2 of 2 {start}: `n01`, `n02`; {expected}"));
        assert_eq!(error(&["0", "4"]), format!("2 of 2 {start}: `0`, `4`; {expected}"));
        // Two classes could be meant, and a name that is wrong does not put all in order.
        assert_eq!(error(&["BAG"]), format!("1 of 1 {start}: `BAG`; {expected}"));
        assert_eq!(
            error(&["Bag", "a", "b", "c"]),
            format!("3 of 4 {start}: `a`, `b`, `c`; {expected}")
        );
        let many = error(&["a", "b", "c", "d", "e"]);
        assert_eq!(many, format!("5 of 5 {start}: `a`, `b`, `c`, ...; {expected}"));
    }
}
