//! From a picture file to probabilities, with memory that is kept between pictures.

use crate::decode::{Picture, decode};
use shufflenet::image::{PixelFormat, Pixels, Preprocessor};
use shufflenet::{Input, Network, Session, SessionOptions, softmax};
use std::fs::File;
use std::io::Read;
use std::panic::catch_unwind;
use std::path::Path;

/// Most bytes in a picture file.
const MAX_FILE: u64 = 512 << 20;

/// One thread's share: a session, and what leads from a file to its input.
pub struct Classifier {
    session: Session,
    /// For the size of the last picture: series of pictures often have one size.
    preprocessor: Option<((usize, usize), Preprocessor)>,
    square: Vec<u8>,
    probabilities: Vec<f32>,
}

impl Classifier {
    pub fn new(network: &Network) -> Result<Classifier, shufflenet::Error> {
        let crop = network.preprocessing().crop;
        Ok(Classifier {
            session: Session::new(network, &SessionOptions::default())?,
            preprocessor: None,
            square: vec![0; crop * crop * 3],
            probabilities: Vec::new(),
        })
    }

    /// The probability of each class for the picture in a file.
    pub fn classify(&mut self, path: &Path) -> Result<&[f32], String> {
        let bytes = read(path)?;
        // A decoder's panic is that picture's fault, and no reason to leave the others undone.
        let decoded = catch_unwind(|| decode(&bytes));
        let picture = decoded.unwrap_or_else(|_| Err("its decoder failed".to_owned()))?;
        self.run(&picture).map_err(|error| error.to_string())?;
        Ok(&self.probabilities)
    }

    fn run(&mut self, picture: &Picture) -> Result<(), shufflenet::Error> {
        let (width, height) = (picture.width, picture.height);
        let pixels = Pixels::new(&picture.rgb, width, height, 3 * width, PixelFormat::Rgb)?;
        let kept = self.preprocessor.take().filter(|(size, _)| *size == (width, height));
        let (_, preprocessor) = self.preprocessor.insert(match kept {
            Some(kept) => kept,
            None => {
                let preprocessing = self.session.network().preprocessing();
                ((width, height), Preprocessor::new(preprocessing, width, height)?)
            }
        });
        preprocessor.run(&pixels, &mut self.square)?;

        let crop = preprocessor.crop();
        let square = Pixels::new(&self.square, crop, crop, 3 * crop, PixelFormat::Rgb)?;
        let output = self.session.run(&[Input::Pixels(square)])?;
        self.probabilities.clear();
        self.probabilities.extend_from_slice(output.logits());
        softmax(&mut self.probabilities);
        Ok(())
    }
}

/// Reads a file, but not one without end.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    match bytes.len() as u64 <= MAX_FILE {
        true => Ok(bytes),
        false => Err(format!("more than {} MiB", MAX_FILE >> 20)),
    }
}
