//! `shufflenet classify`: pictures to class names.

use super::{print, print_json};
use crate::classifier::Classifier;
use crate::failure::{self, Failure};
use crate::in_order::in_order;
use crate::labels::Labels;
use crate::network::Weights;
use crate::picture_files::{self, PictureFile};
use crate::progress;
use crate::text::printable;
use serde::Serialize;
use shufflenet::{softmax, top_k};
use shufflenet_pictures::Picture;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Say what pictures show
#[derive(clap::Args)]
#[command(
    after_help = "A picture that cannot be read is reported, and the others are still done. \
The exit code is then 1."
)]
pub struct Arguments {
    /// JPEG, PNG or WebP files, known by their content, and folders of them
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    #[command(flatten)]
    weights: Weights,
    /// How many classes to print
    #[arg(long, value_name = "N", default_value = "5")]
    top: NonZeroUsize,
    /// Print one line of JSON for each picture, errors included
    #[arg(long)]
    json: bool,
    /// How many pictures to work on at a time, at most 4 for each CPU [default: one for each CPU]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

/// The line of JSON for a picture.
#[derive(Serialize)]
struct Line<'a> {
    image: String,
    #[serde(flatten)]
    result: Outcome<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome<'a> {
    Classes(Vec<Class<'a>>),
    Error(String),
}

#[derive(Serialize)]
struct Class<'a> {
    class: usize,
    name: &'a str,
    probability: f32,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let network = arguments.weights.load()?;
    let labels = Labels::new(&network);
    let pictures = picture_files::list(&arguments.images);
    let classifiers = Classifier::several(&network, arguments.threads, pictures.len())?;
    let work = |classifier: &mut Classifier, picture: &PictureFile| {
        let picture = picture.open()?;
        let is_strange = arguments.weights.are_embedded() && !is_like_fashion_mnist(&picture);
        let mut probabilities = classifier.run(&picture).map_err(|e| e.to_string())?.to_vec();
        softmax(&mut probabilities);
        Ok((is_strange, top_k(&probabilities, arguments.top.get())))
    };

    let progress = progress::bar(pictures.len(), arguments.json);
    let (mut printed, mut failed, mut noted) = (0, 0, false);
    let result = in_order(classifiers, &pictures, work, |picture, result| {
        let image = picture.path.to_string_lossy();
        let result = result.map(|(is_strange, top)| {
            if is_strange && !noted {
                noted = true;
                progress.suspend(|| failure::note(STRANGE));
            }
            let class =
                |(class, probability)| Class { class, name: labels.name(class), probability };
            top.into_iter().map(class).collect()
        });
        failed += usize::from(result.is_err());
        progress.suspend(|| match result {
            result if arguments.json => print_json(&Line {
                image: image.into_owned(),
                result: result.map_or_else(Outcome::Error, Outcome::Classes),
            }),
            Ok(classes) => {
                let between = if printed > 0 { "\n" } else { "" };
                printed += 1;
                print(&format!("{between}{}", for_people(&image, &classes)))
            }
            Err(error) => {
                failure::report(&format!("{image}: {error}"));
                Ok(())
            }
        })?;
        progress.inc(1);
        Ok(())
    });
    progress.finish_and_clear();
    result?;
    if failed > 0 { Err(Failure::Reported) } else { Ok(()) }
}

/// Once a run, since the probabilities say nothing of it.
const STRANGE: &str = "the model inside the program knows ten kinds of clothing in small grey pictures, and takes \
anything else for clothing too; for photographs, run `shufflenet download x1.0` and give --weights x1.0";

/// Whether a picture is small and grey, as those that the embedded model learnt from.
fn is_like_fashion_mnist(picture: &Picture) -> bool {
    let grey = |pixel: &[u8]| pixel[0] == pixel[1] && pixel[1] == pixel[2];
    picture.width.max(picture.height) <= 64 && picture.rgb.chunks_exact(3).all(grey)
}

fn for_people(image: &str, classes: &[Class<'_>]) -> String {
    let mut text = format!("{}\n", console::style(printable(image)).bold());
    for class in classes {
        let percent = 100.0 * class.probability;
        text.push_str(&format!("{percent:7.1} %  {}\n", printable(class.name)));
    }
    text
}
