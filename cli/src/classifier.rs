//! From a picture to logits, with memory that is kept between pictures.

use shufflenet::image::{PixelFormat, Pixels, Preprocessor};
use shufflenet::{Input, Network, Session, SessionOptions};
use shufflenet_pictures::Picture;
use std::num::NonZeroUsize;
use std::thread::available_parallelism;

/// More threads on a CPU would only take memory.
const THREADS_PER_CPU: usize = 4;

/// As many threads as were asked for, but not more than can help; without a wish one for each CPU.
pub fn threads(asked: Option<NonZeroUsize>) -> usize {
    let cpus = available_parallelism().map_or(1, usize::from);
    asked.map_or(cpus, |asked| asked.get().min(THREADS_PER_CPU * cpus))
}

/// One thread's share: a session, and what leads from a picture to its input.
pub struct Classifier {
    session: Session,
    /// For the size of the last picture: series of pictures often have one size.
    preprocessor: Option<((usize, usize), Preprocessor)>,
    square: Vec<u8>,
}

impl Classifier {
    pub fn new(network: &Network) -> Result<Classifier, shufflenet::Error> {
        let crop = network.preprocessing().crop;
        Ok(Classifier {
            session: Session::new(network, &SessionOptions::default())?,
            preprocessor: None,
            square: vec![0; crop * crop * 3],
        })
    }

    /// One for each thread, but not more than pictures. Pictures are spread over threads and not split:
    /// each session works on its caller's alone.
    pub fn several(
        network: &Network,
        asked: Option<NonZeroUsize>,
        pictures: usize,
    ) -> Result<Vec<Classifier>, shufflenet::Error> {
        (0..threads(asked).min(pictures)).map(|_| Classifier::new(network)).collect()
    }

    /// The logit of each class.
    pub fn run(&mut self, picture: &Picture) -> Result<&[f32], shufflenet::Error> {
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
        Ok(self.session.run(&[Input::Pixels(square)])?.logits())
    }
}
