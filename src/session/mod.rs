//! Runs a plan: an input size's steps with kernels bound, and the arena that they work in.

mod arena;
mod input;
mod output;
mod profile;
mod ring;
mod steps;

pub use input::Input;
pub use output::{Output, softmax, top_k};
pub use profile::Profile;

use crate::Error;
use crate::cpu::Cpu;
use crate::float_env::DefaultFloatEnv;
use crate::image::Normalization;
use crate::plan::{Bands, Network, Region, Schedule};
use arena::Arena;
use profile::Clock;
use std::time::Duration;
use steps::{BoundStep, Images};

/// Largest number of pixels in an image.
const MAX_PIXELS: usize = 1 << 26;

/// What the caller decides about a session.
#[derive(Clone, Copy, Debug, Default)]
pub struct SessionOptions {
    /// Height and width of the images in pixels, each at least 1; by default the network's crop.
    pub input_size: Option<(usize, usize)>,
    /// Most images in a run; by default 1.
    pub batch: Option<usize>,
    /// Which kernels to use; by default those that the network was packed for.
    pub cpu: Option<Cpu>,
    /// Output rows that a unit computes before its next layer reads them; by default as many as fit a
    /// first-level cache. Results do not depend on it. Without effect if activations are kept.
    pub band_rows: Option<usize>,
    /// Keeps every layer's output until the next image, for [`Session::activation`]. Takes more
    /// memory, runs slower, and gives the same results.
    pub keep_activations: bool,
}

/// A network bound to an input size, kernels and memory. Used by one thread at a time; make one per
/// thread, all of one [`Network`].
pub struct Session {
    network: Network,
    size: [usize; 2],
    batch: usize,
    cpu: Cpu,
    keeps: bool,
    /// The first `late` run for one image after the other, the others for up to `group` at once.
    steps: Vec<BoundStep>,
    late: usize,
    group: usize,
    normalization: Normalization,
    arena: Arena,
    features: Vec<f32>,
    logits: Vec<f32>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ([height, width], level) = (self.size, self.cpu.level());
        write!(f, "Session({height} x {width}, batch {}, {level})", self.batch)
    }
}

/// An intermediate result that [`Session::activation`] gives, named as torchvision's modules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// The first convolution's output.
    Conv1,
    /// The max pool's output.
    MaxPool,
    /// The output of stage 2, 3 or 4.
    Stage(usize),
    /// The last convolution's output.
    Conv5,
}

impl Session {
    /// Plans an input size and takes the memory to run it.
    ///
    /// # Errors
    /// [`Error::Argument`] for an input size of 0 or of more than 2^26 pixels, a batch or band of 0, a
    /// CPU level that this machine lacks, or sizes that do not fit in memory.
    pub fn new(network: &Network, options: &SessionOptions) -> Result<Session, Error> {
        let preprocessing = network.preprocessing();
        let crop = preprocessing.crop;
        let (height, width) = options.input_size.unwrap_or((crop, crop));
        if height == 0 || width == 0 || height.checked_mul(width).is_none_or(|n| n > MAX_PIXELS) {
            let found = format!("{height} x {width}");
            return Err(Error::argument("input size", found, format!("1 to {MAX_PIXELS} pixels")));
        }
        let batch = options.batch.unwrap_or(1);
        if batch == 0 {
            return Err(Error::argument("batch", batch, "at least 1"));
        }
        let bands = match options.band_rows {
            Some(0) => return Err(Error::argument("band rows", 0, "at least 1")),
            _ if options.keep_activations => Bands::Unfused,
            Some(rows) => Bands::Rows(rows),
            None => Bands::Auto,
        };
        let architecture = network.architecture();
        let size = [height, width];
        let schedule = Schedule::new(architecture, network.plan(), size, batch, bands);
        let too_large = || {
            let found = format!("{height} x {width} times {batch}");
            Error::argument("input size", found, "one whose activations fit in memory")
        };
        let cpu = options.cpu.unwrap_or(network.cpu());
        let steps = schedule.steps.into_iter().map(|step| BoundStep::new(step, network, cpu));
        let steps = steps.collect::<Result<_, _>>()?;
        let output = |len: usize| -> Result<Vec<f32>, Error> {
            let len = len.checked_mul(batch).ok_or_else(too_large)?;
            let mut floats = Vec::new();
            floats.try_reserve_exact(len).map_err(|_| too_large())?;
            floats.resize(len, 0.0);
            Ok(floats)
        };
        Ok(Session {
            size,
            batch,
            cpu,
            keeps: options.keep_activations,
            steps,
            normalization: Normalization::new(preprocessing.mean, preprocessing.std)?,
            arena: Arena::new(schedule.arena).ok_or_else(too_large)?,
            features: output(architecture.feature_channels)?,
            logits: output(architecture.classes)?,
            late: schedule.late,
            group: schedule.group,
            network: network.clone(),
        })
    }

    /// Runs the network on images of the session's size, at most as many as its batch. Allocates
    /// nothing.
    ///
    /// # Errors
    /// [`Error::Argument`] when there is no image, or there are too many, or one has another size;
    /// nothing is run then.
    pub fn run(&mut self, images: &[Input<'_>]) -> Result<Output<'_>, Error> {
        self.run_timed(images, &mut [])?;
        let (features, classes) = self.output_lens();
        Ok(Output::new(
            &self.features[..features * images.len()],
            &self.logits[..classes * images.len()],
            images.len(),
        ))
    }

    /// Runs the network on one image and tells how long each layer took.
    ///
    /// # Errors
    /// [`Error::Argument`] when the image has another size.
    pub fn profile(&mut self, image: Input<'_>) -> Result<Profile, Error> {
        let layers = self.network.layers().len() + 1; // and the max pool
        let mut times = vec![Duration::ZERO; 1 + layers];
        self.run_timed(&[image], &mut times)?;
        Ok(Profile { input: times[0], layers: times.split_off(1) })
    }

    fn run_timed(&mut self, images: &[Input<'_>], times: &mut [Duration]) -> Result<(), Error> {
        if images.is_empty() || images.len() > self.batch {
            let expected = format!("1 to {}", self.batch);
            return Err(Error::argument("number of images", images.len(), expected));
        }
        for image in images {
            image.check(self.size)?;
        }
        let _environment = DefaultFloatEnv::enter();
        let (features, classes) = self.output_lens();
        let outputs = self.features.chunks_mut(self.group * features);
        let outputs = outputs.zip(self.logits.chunks_mut(self.group * classes));
        for (inputs, (features_of, logits_of)) in images.chunks(self.group).zip(outputs) {
            let mut images = Images {
                inputs,
                normalization: &self.normalization,
                features: &mut features_of[..features * inputs.len()],
                logits: &mut logits_of[..classes * inputs.len()],
                clock: Clock(times),
            };
            let (early, late) = self.steps.split_at(self.late);
            for index in 0..inputs.len() {
                for step in early {
                    step.run(&mut self.arena, &mut images, index..index + 1)?;
                }
            }
            for step in late {
                step.run(&mut self.arena, &mut images, 0..inputs.len())?;
            }
        }
        Ok(())
    }

    fn output_lens(&self) -> (usize, usize) {
        let architecture = self.network.architecture();
        (architecture.feature_channels, architecture.classes)
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Height and width of the images, in pixels.
    pub fn input_size(&self) -> (usize, usize) {
        (self.size[0], self.size[1])
    }

    /// Most images in a run.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Which kernels are in use.
    pub fn cpu(&self) -> Cpu {
        self.cpu
    }

    /// Size of the activations' arena in bytes.
    pub fn arena_bytes(&self) -> usize {
        self.arena.len() * size_of::<f32>()
    }

    /// An intermediate result of the last image that ran: channels, height, width, and the values in
    /// that order (NCHW, torchvision's channel order). `None` where the session was not made with
    /// [`SessionOptions::keep_activations`], or there is no such stage.
    pub fn activation(&self, which: Activation) -> Option<([usize; 3], Vec<f32>)> {
        if !self.keeps {
            return None;
        }
        let nchw = |region: Region, [h, w]: [usize; 2], order: &[usize]| {
            let columns = region.len.checked_div(h * w).unwrap_or(0);
            let data = self.arena.slice(region);
            let channel = |&c: &usize| (0..h * w).map(move |pixel| data[pixel * columns + c]);
            ([order.len(), h, w], order.iter().flat_map(channel).collect())
        };
        let natural = |channels: usize| (0..channels).collect::<Vec<_>>();
        let mut stage = 1;
        for step in &self.steps {
            match (step, which) {
                (BoundStep::Stem(s, ..), Activation::Conv1) => {
                    return Some(nchw(s.conv_ring, s.conv, &natural(s.channels)));
                }
                (BoundStep::Stem(s, ..), Activation::MaxPool) => {
                    return Some(nchw(s.output, s.pool, &natural(s.channels)));
                }
                (BoundStep::Downsample(s, ..), Activation::Stage(wanted)) => {
                    stage += 1;
                    if stage == wanted {
                        let order = &self.network.plan().stages()[stage - 2].order;
                        return Some(nchw(s.output, s.output_size, order));
                    }
                }
                (BoundStep::Head(s, ..), Activation::Conv5) => {
                    return Some(nchw(s.kept, s.size, &natural(s.features)));
                }
                _ => {}
            }
        }
        None
    }
}
