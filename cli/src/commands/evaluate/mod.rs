//! `shufflenet evaluate`: how often a model is right about pictures whose classes are known.

mod report;

use super::{print, print_json};
use crate::classifier::Classifier;
use crate::dataset::{ClassOrder, Dataset, Labelled};
use crate::failure::{self, Failure};
use crate::in_order::in_order;
use crate::labels::Labels;
use crate::network::Weights;
use crate::progress;
use crate::score::Score;
use report::Report;
use shufflenet::top_k;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Instant;

/// Measure how often a model is right
#[derive(clap::Args)]
#[command(
    after_help = "DIR has a folder for each class, named as the class, by its number, or so that the \
order of the names is that of the classes; numbers may mean either, and a note says which was taken. \
What is no JPEG, PNG or WebP file by its content is left out, pictures with a note. Or DIR has idx files as MNIST: `images-idx3` (or \
`images-idx4`, for RGB) in a name, and `labels-idx1` in the other; gzip is fine.

A picture that cannot be read is reported, and the others still count. The exit code is then 1."
)]
pub struct Arguments {
    /// A folder of pictures, or the file of pictures of an idx pair
    #[arg(value_name = "DIR_OR_IDX")]
    pictures: PathBuf,
    #[command(flatten)]
    weights: Weights,
    /// Which class a folder is that is not named as one [default: number if the classes have names, else
    /// text]
    #[arg(long, value_name = "ORDER")]
    class_order: Option<ClassOrder>,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
    /// How many pictures to work on at a time, at most 4 for each CPU [default: one for each CPU]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let network = arguments.weights.load()?;
    let labels = Labels::new(&network);
    let dataset = Dataset::open(&arguments.pictures, &labels, arguments.class_order)?;
    let pictures = &dataset.pictures;
    let classifiers = Classifier::several(&network, arguments.threads, pictures.len())?;
    let work = |classifier: &mut Classifier, labelled: &Labelled| -> Result<Vec<usize>, String> {
        let picture = dataset.picture(labelled)?;
        let logits = classifier.run(&picture).map_err(|error| error.to_string())?;
        Ok(top_k(logits, 5).into_iter().map(|(class, _)| class).collect())
    };

    let progress = progress::bar(pictures.len(), arguments.json);
    let start = Instant::now();
    let (mut score, mut failed) = (Score::default(), 0);
    let result = in_order(classifiers, pictures, work, |labelled, result| {
        match result {
            Ok(said) => score.add(labelled.class, &said),
            Err(error) => {
                failed += 1;
                let message = format!("{}: {error}", dataset.name(labelled));
                progress.suspend(|| failure::report(&message));
            }
        }
        progress.inc(1);
        Ok(())
    });
    let seconds = start.elapsed().as_secs_f64();
    progress.finish_and_clear();
    result?;
    if score.count() > 0 {
        let report = Report::new(&score, &labels, failed, seconds);
        if arguments.json { print_json(&report) } else { print(&report.for_people()) }?;
    }
    if failed > 0 { Err(Failure::Reported) } else { Ok(()) }
}
