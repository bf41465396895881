//! The order in which folders stand for classes, where their names are not the classes'.

use clap::ValueEnum;
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum ClassOrder {
    /// Folder 10 is class 10, after folder 9
    Number,
    /// Sorted as text: 0, 1, 10, 11, 2, as torchvision's ImageFolder has classes in training
    Text,
}

impl ClassOrder {
    pub fn other(self) -> ClassOrder {
        match self {
            ClassOrder::Number => ClassOrder::Text,
            ClassOrder::Text => ClassOrder::Number,
        }
    }

    /// The class of each folder, or none if this order does not tell.
    pub fn classes(self, folders: &[&str], classes: usize) -> Option<Vec<usize>> {
        let below = |name: &&str| number(name).filter(|&number| number < classes);
        if let Some(numbers) = folders.iter().map(below).collect::<Option<Vec<usize>>>() {
            return Some(match self {
                ClassOrder::Text if !padded(folders, classes) => in_text_order(&numbers, classes),
                _ => numbers,
            });
        }
        (folders.len() == classes).then(|| match self {
            ClassOrder::Number => ranks(folders, natural),
            ClassOrder::Text => ranks(folders, |name| name.to_owned()),
        })
    }
}

impl fmt::Display for ClassOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ClassOrder::Number => "number",
            ClassOrder::Text => "text",
        })
    }
}

/// The number that a name is.
pub fn number(name: &str) -> Option<usize> {
    name.bytes().all(|byte| byte.is_ascii_digit()).then(|| name.parse().ok())?
}

/// Whether numbers have the digits of the last class's, so that their order as text is the same.
fn padded(numbers: &[&str], classes: usize) -> bool {
    let digits = classes.saturating_sub(1).to_string().len();
    numbers.iter().all(|name| name.len() >= digits)
}

/// The places of numbers among all those below `classes`, sorted as text.
fn in_text_order(numbers: &[usize], classes: usize) -> Vec<usize> {
    let all: Vec<String> = (0..classes).map(|class| class.to_string()).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let ranks = ranks(&all, |name| name.to_owned());
    numbers.iter().map(|&number| ranks[number]).collect()
}

/// The place of each name when they are sorted by a key.
fn ranks<'a, K: Ord>(names: &[&'a str], key: impl Fn(&'a str) -> K) -> Vec<usize> {
    let mut sorted: Vec<usize> = (0..names.len()).collect();
    sorted.sort_by_cached_key(|&index| key(names[index]));
    let mut ranks = vec![0; names.len()];
    for (rank, index) in sorted.into_iter().enumerate() {
        ranks[index] = rank;
    }
    ranks
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    Number(usize),
    Text(&'a [u8]),
}

/// Numbers and what is between them: `class 9` is before `class 10`.
fn natural(name: &str) -> Vec<Part<'_>> {
    let parts = name.as_bytes().chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit());
    let part = |part| match std::str::from_utf8(part).ok().and_then(number) {
        Some(number) => Part::Number(number),
        None => Part::Text(part),
    };
    parts.map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ClassOrder::{Number, Text};

    #[test]
    fn numbers_are_classes_or_sorted_as_text() {
        let twelve = ["0", "1", "10", "11", "2", "3", "4", "5", "6", "7", "8", "9"];
        let by_number = [0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9].to_vec();
        assert_eq!(Number.classes(&twelve, 12), Some(by_number));
        assert_eq!(Text.classes(&twelve, 12), Some((0..12).collect()));
        // Of some folders the places are those among all.
        assert_eq!(Number.classes(&["11", "2"], 12), Some(vec![11, 2]));
        assert_eq!(Text.classes(&["11", "2"], 12), Some(vec![3, 4]));
        assert_eq!(Text.classes(&["02", "11"], 12), Some(vec![2, 11]));
        // Counted from one, it must be all of them.
        let from_one = ["1", "10", "2", "3", "4", "5", "6", "7", "8", "9"];
        assert_eq!(Number.classes(&from_one, 10), Some(vec![0, 9, 1, 2, 3, 4, 5, 6, 7, 8]));
        assert_eq!(Text.classes(&from_one, 10), Some((0..10).collect()));
        assert_eq!(Number.classes(&from_one[1..], 10), None);
    }

    #[test]
    fn names_are_sorted_with_or_without_their_numbers() {
        let names = ["c 1", "c 10", "c 9", "d"];
        assert_eq!(Number.classes(&names, 4), Some(vec![0, 2, 1, 3]));
        assert_eq!(Text.classes(&names, 4), Some(vec![0, 1, 2, 3]));
        for order in [Number, Text] {
            assert_eq!(order.classes(&names, 5), None);
            assert_eq!(order.classes(&["", "99999999999999999999"], 3), None);
        }
    }
}
