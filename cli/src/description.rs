//! What a user says of a model that its file does not say, or says otherwise.

use crate::failure::{self, Failure};
use crate::labels;
use crate::network::Settings;
use crate::text::join;
use shufflenet::Error;
use shufflenet::model::Preprocessing;
use shufflenet::weights::StateDict;
use std::path::{Path, PathBuf};

/// Each option stands for the key of its name in a file's metadata, and is read as that.
#[derive(clap::Args)]
#[command(next_help_heading = "What the model was trained with, if its file does not say")]
pub struct Description {
    /// How pictures are resized: `crop` makes --resize of the shorter side, `stretch` of both, and `pad`
    /// of the longer, with the mean's colour around it
    #[arg(long, value_name = "FIT")]
    fit: Option<String>,
    /// Length after resizing, in pixels [default: 256 / 224 of the crop with `crop` (232 / 224 for x1.5 and
    /// x2.0), else the crop; where the file has both, in their proportion]
    #[arg(long, value_name = "N")]
    resize: Option<String>,
    /// Side of the square that is then cut out of the middle, in pixels [default: 224]
    #[arg(long, value_name = "N")]
    crop: Option<String>,
    /// Mean of the colours, in 0 to 1 [default: 0.485,0.456,0.406]
    #[arg(long, value_name = "R,G,B", allow_hyphen_values = true)]
    mean: Option<String>,
    /// Their standard deviation [default: 0.229,0.224,0.225]
    #[arg(long, value_name = "R,G,B", allow_hyphen_values = true)]
    std: Option<String>,
    /// Class names: a line for each, or JSON [default: ImageNet's for 1000 classes, or numbers]
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
}

impl Description {
    /// The keys that are given, but for the labels, and their texts.
    fn texts(&self) -> impl Iterator<Item = (&'static str, String)> {
        let texts = [
            ("shufflenet.fit", self.fit.clone()),
            ("shufflenet.resize", self.resize.clone()),
            ("shufflenet.crop", self.crop.clone()),
            ("shufflenet.mean", self.mean.as_deref().map(array)),
            ("shufflenet.std", self.std.as_deref().map(array)),
        ];
        texts.into_iter().filter_map(|(key, text)| Some((key, text?)))
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether nothing is said but settings.
    pub fn is_empty(&self) -> bool {
        self.texts().next().is_none() && self.labels.is_none()
    }

    /// Reads the bytes of the file of this name, and puts what is said in the place of what they say.
    pub fn read<'a>(&self, bytes: &'a [u8], file: &Path) -> Result<StateDict<'a>, Failure> {
        let at = |error| failure::at(file, error);
        let mut state = StateDict::read(bytes).map_err(at)?;
        self.settings.apply(&mut state);
        let resized = state.metadata().contains_key("shufflenet.resize");
        let follows =
            resized && self.resize.is_none() && (self.fit.is_some() || self.crop.is_some());
        let own = if follows { Some(state.preprocessing().map_err(at)?) } else { None };
        state.metadata_mut().extend(self.texts().map(|(key, text)| (key.to_owned(), text)));
        if let Some(own) = own {
            self.resize_again(&own, &mut state);
        }
        if let Some(path) = &self.labels {
            let classes = state.architecture().map_err(at)?.classes;
            let names = labels::read(path, classes).map_err(|error| failure::at(path, error))?;
            labels::set(&mut state, &names);
        }
        Ok(state)
    }

    /// The file's own size was for its own fit and crop.
    fn resize_again(&self, own: &Preprocessing, state: &mut StateDict<'_>) {
        let key = "shufflenet.resize";
        if self.fit.as_ref().is_some_and(|fit| fit != own.fit.name()) {
            state.metadata_mut().remove(key);
        } else if let Some(crop) = self.crop.as_ref().and_then(|crop| crop.parse().ok()) {
            state.metadata_mut().insert(key.to_owned(), own.with_crop(crop).resize.to_string());
        }
    }

    /// The error that a file's model gave, in the words of the option that it comes from.
    pub fn failure(&self, error: Error, file: &Path) -> Failure {
        match &error {
            Error::Metadata { key, found, expected }
                if self.texts().any(|(own, _)| own == *key) =>
            {
                let option = key.trim_start_matches("shufflenet.");
                Failure::Error(format!("--{option} is {found}, expected {expected}"))
            }
            _ => self.settings.explain(Error::File { path: file.into(), source: Box::new(error) }),
        }
    }
}

/// Numbers between commas as the JSON array that a file has; what are no numbers is left to be refused.
fn array(text: &str) -> String {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    match text.split(',').map(number).collect::<Option<Vec<_>>>() {
        Some(numbers) => format!("[{}]", join(numbers, ",")),
        None => text.to_owned(),
    }
}

/// Tells of what torchvision does in silence.
pub fn note_border(preprocessing: &Preprocessing) {
    let Preprocessing { resize, crop, .. } = preprocessing;
    if preprocessing.has_black_border() {
        failure::note(&format!(
            "pictures get a black border: the crop of {crop} is larger than the {resize} they are resized to"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_json() {
        assert_eq!(array("0.485, .5,1"), "[0.485,0.5,1]");
        assert_eq!(array("-1,1e9,1e-9"), "[-1,1000000000,0.000000001]");
        assert_eq!(array("a,b"), "a,b");
    }
}
