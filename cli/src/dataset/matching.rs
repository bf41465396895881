//! Which class each folder stands for.

use super::class_order::{ClassOrder, number};
use crate::labels::Labels;
use std::collections::HashMap;
use unicode_normalization::UnicodeNormalization;

/// The classes of folders that are called as the classes.
pub fn by_name(folders: &[&str], labels: &Labels) -> Option<Vec<usize>> {
    let names = Names::new(labels);
    folders.iter().map(|folder| names.class(folder)).collect()
}

/// The classes of other folders: by their numbers, or by their order if there is one for each class. And
/// what the user should know, where another order would have given others.
pub fn by_order(
    folders: &[&str],
    labels: &Labels,
    asked: Option<ClassOrder>,
) -> Result<(Vec<usize>, Option<String>), String> {
    let classes = labels.names().len();
    if let Some(order) = asked {
        let found = order.classes(folders, classes).ok_or_else(|| {
            let count = folders.len();
            format!(
                "--class-order {order}: found {count} folders, expected numbers below {classes}, or a folder \
                 for each of the model's {classes} classes"
            )
        })?;
        return Ok((found, None));
    }
    let numbers = folders.iter().all(|name| number(name).is_some());
    // Classes without names come from a training script, and folders there from torchvision as a rule.
    let order = match numbers && labels.are_names() {
        true => ClassOrder::Number,
        false => ClassOrder::Text,
    };
    let names = Names::new(labels);
    let unknown: Vec<&str> =
        folders.iter().copied().filter(|name| names.class(name).is_none()).collect();
    let found = order.classes(folders, classes).filter(|_| numbers || unknown == folders);
    let Some(found) = found else {
        let (few, count, all) = (few(&unknown), unknown.len(), folders.len());
        return Err(format!(
            "{count} of {all} folders are no class of the model: {few}; expected names such as `{}`, or \
             numbers below {classes}",
            labels.name(0)
        ));
    };
    let note = note(folders, labels, order, &found, numbers);
    Ok((found, note))
}

fn note(
    folders: &[&str],
    labels: &Labels,
    order: ClassOrder,
    found: &[usize],
    numbers: bool,
) -> Option<String> {
    let other = order.other().classes(folders, labels.names().len());
    let differs = other.as_ref().and_then(|other| (0..found.len()).find(|&i| other[i] != found[i]));
    let from_zero = folders.iter().any(|name| number(name) == Some(0));
    if numbers && from_zero && differs.is_none() {
        return None;
    }
    let how = match order {
        ClassOrder::Number => "by their numbers",
        ClassOrder::Text if numbers => "in the order of text, as by torchvision's ImageFolder",
        ClassOrder::Text => "in the order of their names",
    };
    let example = differs.unwrap_or(0);
    let (name, class) = (folders[example], labels.name(found[example]));
    let mut note = format!("folders are taken for the classes {how}: `{name}` is `{class}`");
    if let (Some(differs), Some(other)) = (differs, other) {
        let (order, class) = (order.other(), labels.name(other[differs]));
        note.push_str(&format!("; with --class-order {order} it is `{class}`"));
    }
    if numbers && !from_zero && folders.len() < labels.names().len() {
        note.push_str(
            "; no folder is 0: if they are counted from 1, --labels with their names in order says so",
        );
    }
    Some(note)
}

/// The part to evaluate, if folders are a data set's parts and not classes.
pub fn part_of_data_set<'a>(folders: &[&'a str]) -> Option<&'a str> {
    /// The likeliest to be meant first.
    const HELD_OUT: [&str; 7] = ["val", "validation", "valid", "dev", "test", "testing", "eval"];
    const TRAINING: [&str; 2] = ["train", "training"];
    let is = |name: &str, part: &str| name.eq_ignore_ascii_case(part);
    let find = |part: &&str| folders.iter().copied().find(|name| is(name, part));
    let (held_out, training) = (HELD_OUT.iter().find_map(find), TRAINING.iter().find_map(find));
    let is_part = |name: &&str| HELD_OUT.iter().chain(&TRAINING).any(|part| is(name, part));
    // Others may lie beside them, as `annotations` does.
    let parts = held_out.is_some() && training.is_some() || folders.iter().all(is_part);
    held_out.or(training).filter(|_| parts)
}

/// The first of some names.
pub fn few(names: &[&str]) -> String {
    let few = names.iter().take(3).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    format!("{few}{}", if names.len() > 3 { ", ..." } else { "" })
}

/// Classes by their names.
struct Names {
    exact: Index,
    loose: Index,
}

impl Names {
    fn new(labels: &Labels) -> Names {
        let index = |form| Index::new(labels.names(), form);
        Names { exact: index(composed), loose: index(simplified) }
    }

    fn class(&self, name: &str) -> Option<usize> {
        self.exact.class(name).or_else(|| self.loose.class(name))
    }
}

/// Classes by a form of their names.
struct Index {
    form: fn(&str) -> String,
    /// None where two classes have the same.
    classes: HashMap<String, Option<usize>>,
}

impl Index {
    fn new(labels: &[String], form: fn(&str) -> String) -> Index {
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

/// With accents in their letters: macOS takes them apart in names of files.
fn composed(name: &str) -> String {
    name.nfc().collect()
}

/// Letters and digits only, in lower case: `T-shirt/top` can be no folder's name, but `t_shirt_top` can.
fn simplified(name: &str) -> String {
    name.nfc().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(folders: &[&str], labels: &[&str]) -> Result<Vec<usize>, String> {
        let labels = Labels::named(labels);
        match by_name(folders, &labels) {
            Some(classes) => Ok(classes),
            None => by_order(folders, &labels, None).map(|(classes, _)| classes),
        }
    }

    #[test]
    fn names_go_before_numbers_and_numbers_before_order() {
        let labels = ["T-shirt/top", "Bag", "bag", "Ankle boot"];
        let known = |classes: &[usize]| Ok(classes.to_vec());
        assert_eq!(
            matched(&["Bag", "ankle_boot", "bag", "tshirt top"], &labels),
            known(&[1, 3, 2, 0])
        );
        assert_eq!(matched(&["0", "003", "1"], &labels), known(&[0, 3, 1]));
        assert_eq!(matched(&["1", "2"], &["2", "1"]), known(&[1, 0]));
        assert_eq!(matched(&["n01", "n02", "n03", "n04"], &labels), known(&[0, 1, 2, 3]));

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

    #[test]
    fn parts_of_a_data_set_are_no_classes() {
        assert_eq!(part_of_data_set(&["Test", "train", "val"]), Some("val"));
        assert_eq!(part_of_data_set(&["annotations", "test", "train"]), Some("test"));
        assert_eq!(part_of_data_set(&["train"]), Some("train"));
        assert_eq!(part_of_data_set(&["bus", "car", "train"]), None);
    }
}
