//! What is told about a score.

use crate::labels::Labels;
use crate::score::{ClassScore, Score};
use crate::text::{Align, grouped, printable, table};
use serde::Serialize;

#[derive(Serialize)]
pub struct Report<'a> {
    /// Fractions of the pictures.
    top1: f64,
    top5: f64,
    /// Pictures, without those that could not be read.
    count: usize,
    failed: usize,
    seconds: f64,
    classes: Vec<ClassReport<'a>>,
    confusion: Vec<Confusion>,
}

#[derive(Serialize)]
struct ClassReport<'a> {
    class: usize,
    name: &'a str,
    count: usize,
    top1: Option<f64>,
    precision: Option<f64>,
}

/// How many pictures of a class were taken for which.
#[derive(Serialize)]
struct Confusion {
    class: usize,
    predicted: usize,
    count: usize,
}

/// More classes than this have no matrix that could be read.
const MATRIX: usize = 20;

/// How many confusions to show instead.
const LARGEST: usize = 10;

impl Report<'_> {
    pub fn new<'a>(score: &Score, labels: &'a Labels, failed: usize, seconds: f64) -> Report<'a> {
        let per_class = score.per_class(labels.names().len()).into_iter().enumerate();
        let class = |(class, of): (usize, ClassScore)| ClassReport {
            class,
            name: labels.name(class),
            count: of.count,
            top1: of.recall(),
            precision: of.precision(),
        };
        let confusion = |([class, predicted], count): ([usize; 2], usize)| Confusion {
            class,
            predicted,
            count,
        };
        Report {
            top1: score.top1(),
            top5: score.top5(),
            count: score.count(),
            failed,
            seconds,
            classes: per_class.map(class).collect(),
            confusion: score.confusion().map(confusion).collect(),
        }
    }

    pub fn for_people(&self) -> String {
        let confusion = match self.classes.len() {
            ..=MATRIX => matrix(self),
            _ => largest(self),
        };
        let line = |name: &str, value: String| [name.to_owned(), value];
        let speed = self.count as f64 / self.seconds;
        let mut summary = vec![
            line("top-1", percent(Some(self.top1))),
            line("top-5", percent(Some(self.top5))),
            line("pictures", grouped(self.count)),
            line("speed", format!("{} pictures per second", grouped(speed.round()))),
        ];
        if self.failed > 0 {
            summary.insert(3, line("not read", grouped(self.failed)));
        }
        let summary = table(&[Align::Left; 2], &summary);
        format!("{}\n{confusion}\n{summary}", per_class(self))
    }
}

/// The classes that occur.
fn per_class(report: &Report<'_>) -> String {
    let mut rows = vec![["class", "pictures", "top-1", "precision"].map(str::to_owned)];
    let occurs = |class: &&ClassReport<'_>| class.count > 0 || class.precision.is_some();
    rows.extend(report.classes.iter().filter(occurs).map(|class| {
        let (name, count) = (printable(class.name), grouped(class.count));
        [name, count, percent(class.top1), percent(class.precision)]
    }));
    table(&[Align::Left, Align::Right, Align::Right, Align::Right], &rows)
}

fn percent(fraction: Option<f64>) -> String {
    fraction.map_or("-".to_owned(), |fraction| format!("{:.2} %", 100.0 * fraction))
}

/// A row for each class, a column for each that it was taken for.
fn matrix(report: &Report<'_>) -> String {
    let classes = report.classes.len();
    let mut cells = vec![vec![".".to_owned(); classes]; classes];
    for &Confusion { class, predicted, count } in &report.confusion {
        cells[class][predicted] = count.to_string();
    }
    let numbers = (0..classes).map(|class| class.to_string());
    let mut rows = vec![["".to_owned(), "".to_owned()].into_iter().chain(numbers).collect()];
    for (class, cells) in report.classes.iter().zip(cells) {
        let mut row = vec![class.class.to_string(), printable(class.name)];
        row.extend(cells);
        rows.push(row);
    }
    let mut align = vec![Align::Right; classes + 2];
    align[1] = Align::Left;
    let heading = "pictures of a class (rows), by what they were taken for (columns)";
    format!("{heading}\n{}", table(&align, &rows))
}

fn largest(report: &Report<'_>) -> String {
    let mut wrong: Vec<&Confusion> =
        report.confusion.iter().filter(|of| of.class != of.predicted).collect();
    wrong.sort_by_key(|of| std::cmp::Reverse(of.count));
    let mut rows = vec![["pictures", "of", "taken for"].map(str::to_owned)];
    rows.extend(wrong.into_iter().take(LARGEST).map(|of| {
        let name = |class: usize| printable(report.classes[class].name);
        [grouped(of.count), name(of.class), name(of.predicted)]
    }));
    table(&[Align::Right, Align::Left, Align::Left], &rows)
}
