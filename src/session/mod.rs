//! Runs a plan: an input size's steps with kernels bound, and the arena that they work in.

mod arena;
mod input;
mod output;
mod places;
mod profile;
mod ring;
mod solo;
mod steps;
mod team;

pub use input::Input;
pub use output::{Output, softmax, top_k};
pub use profile::Profile;

use crate::Error;
use crate::cpu::{Cores, Cpu, second_level_cache};
use crate::float_env::DefaultFloatEnv;
use crate::image::Normalization;
use crate::kernels::{Layout, Operation, select_known};
use crate::plan::{Bands, Network, Region, Schedule, Step};
#[cfg(feature = "capi")]
pub(crate) use arena::Arena;
#[cfg(not(feature = "capi"))]
use arena::Arena;
use input::not_finite;
use profile::Clock;
use solo::Solo;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;
use std::time::Duration;
use steps::{BoundStep, Job};
use team::{Division, Team};

/// Largest number of pixels in an image.
const MAX_PIXELS: usize = 1 << 26;

/// Tells a process from those that it forks; the same where there is no fork.
pub(crate) fn process() -> u32 {
    if cfg!(unix) { std::process::id() } else { 1 }
}

/// How many threads a session works with, the caller's among them; at least 1.
///
/// One image is split among them; of several in a run, each thread takes whole ones first. Results have the
/// same bits. The other threads are made with the session, sleep between runs, and end with it. On Linux and
/// Android a run keeps them off the CPU that its caller is on, unless that is the only one that they may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// So many, but not more than the cores that they may use.
    AtMost(usize),
    /// So many, whatever the machine has.
    Exactly(usize),
}

impl Default for Threads {
    fn default() -> Threads {
        Threads::AtMost(1)
    }
}

impl Threads {
    fn number(self, cores: Option<&Cores>) -> Result<usize, Error> {
        match self {
            Threads::AtMost(0) | Threads::Exactly(0) => {
                Err(Error::argument("threads", 0, "at least 1"))
            }
            Threads::AtMost(threads) => {
                let all = || available_parallelism().map_or(1, usize::from);
                Ok(threads.min(cores.map_or_else(all, places::most_threads)))
            }
            Threads::Exactly(threads) => Ok(threads),
        }
    }
}

/// What the caller decides about a session.
#[derive(Clone, Copy, Debug, Default)]
pub struct SessionOptions {
    /// Height and width of the images in pixels, each at least 1; by default the network's crop.
    pub input_size: Option<(usize, usize)>,
    /// Most images in a run; by default 1.
    pub batch: Option<usize>,
    /// How many threads to use; by default 1. [`Session::threads`] tells how many there are: fewer
    /// where the work has not so many parts, and one where activations are kept.
    pub threads: Threads,
    /// CPUs that all threads but the caller's keep to, such as a phone's big ones; by default those that
    /// the thread that makes the session may use. The caller's own is never moved: whoever wants that binds
    /// it.
    pub cores: Option<Cores>,
    /// Which kernels to use; by default those that the network was packed for.
    pub cpu: Option<Cpu>,
    /// Output rows that a unit computes before its next layer reads them; by default as many as suit the
    /// caches. Results do not depend on it. Without effect if activations are kept.
    pub band_rows: Option<usize>,
    /// Keeps every layer's output until the next image, for [`Session::activation`]. Takes more
    /// memory, runs slower and on one thread, and gives the same results.
    pub keep_activations: bool,
}

/// A network bound to an input size, kernels, memory and threads. Used by one caller at a time; make one
/// for each, all of one [`Network`].
///
/// A fork copies a session without its threads. In the new process one of several threads refuses to run and
/// can be dropped; one of a single thread runs.
pub struct Session {
    network: Network,
    size: [usize; 2],
    batch: usize,
    cpu: Cpu,
    keeps: bool,
    arena_bytes: usize,
    worker: Worker,
}

/// A session that has no memory yet.
pub(crate) struct Draft<'a> {
    binding: Binding<'a>,
    cores: Option<Cores>,
    keeps: bool,
    bytes: usize,
    work: Work,
}

/// What a session is going to do.
enum Work {
    Solo(Schedule),
    Team(Division),
}

/// Who runs a session.
enum Worker {
    Solo(Solo),
    Team(Team),
}

/// What steps are bound with.
struct Binding<'a> {
    network: &'a Network,
    size: [usize; 2],
    batch: usize,
    cpu: Cpu,
    normalization: Arc<Normalization>,
}

impl Binding<'_> {
    /// For runs of at most `batch` images on one thread.
    fn schedule(&self, batch: usize, bands: Bands) -> Schedule {
        let (architecture, plan) = (self.network.architecture(), self.network.plan());
        Schedule::new(architecture, plan, self.size, batch, bands)
    }

    fn step(&self, step: Step) -> Result<BoundStep, Error> {
        BoundStep::new(step, self.network, self.cpu, &self.normalization)
    }

    /// Layers can be split into multiples of so many outputs.
    fn granule(&self) -> usize {
        let layout = |operation| select_known(self.cpu, operation).layout();
        let granule = |operation| layout(operation).map_or(1, Layout::granule);
        [Operation::Pointwise, Operation::PointwiseMean, Operation::FullyConnected]
            .map(granule)
            .into_iter()
            .fold(1, |a, b| if b % a == 0 { b } else { a * b })
    }

    fn too_large(&self) -> Error {
        let ([height, width], batch) = (self.size, self.batch);
        Error::Memory { what: format!("input size {height} x {width} times {batch}") }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ([height, width], level) = (self.size, self.cpu.level());
        let (batch, threads) = (self.batch, self.threads());
        write!(f, "Session({height} x {width}, batch {batch}, {threads} threads, {level})")
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

impl<'a> Draft<'a> {
    /// # Errors
    /// Those of [`Session::new`].
    pub fn new(network: &'a Network, options: &SessionOptions) -> Result<Draft<'a>, Error> {
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
            None => Bands::Auto(second_level_cache()),
        };
        let cores = options.cores.as_ref();
        if !Cores::SUPPORTED
            && let Some(cores) = cores
        {
            return Err(Error::argument("cores", format!("{cores:?}"), "none on this system"));
        }
        let threads = match options.keep_activations {
            true => options.threads.number(cores)?.min(1),
            false => options.threads.number(cores)?,
        };
        let (size, cpu) = ([height, width], options.cpu.unwrap_or(network.cpu()));
        let normalization = Arc::new(Normalization::new(preprocessing.mean, preprocessing.std)?);
        let binding = Binding { network, size, batch, cpu, normalization };
        let division = match threads {
            1 => None,
            _ => Division::new(&binding, bands, threads),
        };
        let work = match division {
            Some(division) => Work::Team(division),
            None => Work::Solo(binding.schedule(batch, bands)),
        };
        let bytes = match &work {
            Work::Solo(schedule) => Solo::room(schedule).bytes(),
            Work::Team(division) => division.bytes(),
        };
        let bytes = bytes.ok_or_else(|| binding.too_large())?;
        let (keeps, cores) = (options.keep_activations, options.cores);
        Ok(Draft { binding, cores, keeps, bytes, work })
    }

    /// Size of the arena that it takes, in bytes.
    #[cfg(feature = "capi")]
    pub fn arena_bytes(&self) -> usize {
        self.bytes
    }

    /// The session, with memory of the arena.
    ///
    /// # Errors
    /// Those of [`Session::new`].
    pub fn build(self, mut arena: Arena) -> Result<Session, Error> {
        let Draft { binding, cores, keeps, bytes, work } = self;
        let worker = match work {
            Work::Solo(schedule) => Worker::Solo(Solo::new(&binding, schedule, &mut arena)?),
            Work::Team(division) => Worker::Team(Team::new(&binding, division, cores, &mut arena)?),
        };
        let Binding { network, size, batch, cpu, .. } = binding;
        let network = network.clone();
        Ok(Session { network, size, batch, cpu, keeps, arena_bytes: bytes, worker })
    }
}

impl Session {
    /// Plans an input size and takes the memory to run it.
    ///
    /// # Errors
    /// [`Error::Argument`] for an input size of 0 or of more than 2^26 pixels, a batch, band or
    /// number of threads of 0, a CPU level that this machine lacks, more threads than the system makes, cores
    /// that they may not use, or cores where [`Cores::SUPPORTED`] is not so; [`Error::Memory`] for sizes that
    /// do not fit in memory.
    pub fn new(network: &Network, options: &SessionOptions) -> Result<Session, Error> {
        Draft::new(network, options)?.build(Arena::Heap)
    }

    /// Runs the network on images of the session's size, at most as many as its batch. Allocates
    /// nothing.
    ///
    /// # Errors
    /// [`Error::Argument`] when there is no image, or there are too many, or one has another size;
    /// nothing is run then. [`Error::ImageNotFinite`] names the first float that is NaN or infinite; there
    /// are no results then, of the run's other images neither, and the session can run again.
    /// [`Error::Argument`], too, for a session of several threads that was made before this process was
    /// forked.
    pub fn run(&mut self, images: &[Input<'_>]) -> Result<Output<'_>, Error> {
        self.run_timed(images, Clock(&[]))?;
        let architecture = self.network.architecture();
        let [features, logits] = match &self.worker {
            Worker::Solo(solo) => solo.outputs(),
            Worker::Team(team) => team.outputs(),
        };
        Ok(Output::new(
            &features[..architecture.feature_channels * images.len()],
            &logits[..architecture.classes * images.len()],
            images.len(),
        ))
    }

    /// Runs the network on one image and tells how long each layer took; with several threads, the sum
    /// of their times.
    ///
    /// # Errors
    /// [`Error::Argument`] when the image has another size, [`Error::ImageNotFinite`] as for
    /// [`run`](Session::run).
    pub fn profile(&mut self, image: Input<'_>) -> Result<Profile, Error> {
        let layers = self.network.layers().len() + 1; // and the max pool
        let times: Vec<_> = (0..1 + layers).map(|_| Mutex::new(Duration::ZERO)).collect();
        self.run_timed(&[image], Clock(&times))?;
        let time = |time: Mutex<_>| time.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut times = times.into_iter().map(time);
        Ok(Profile { input: times.next().unwrap_or_default(), layers: times.collect() })
    }

    fn run_timed(&mut self, images: &[Input<'_>], clock: Clock<'_>) -> Result<(), Error> {
        if images.is_empty() || images.len() > self.batch {
            let expected = format!("1 to {}", self.batch);
            return Err(Error::argument("number of images", images.len(), expected));
        }
        for image in images {
            image.check(self.size)?;
        }
        let finite = AtomicBool::new(true);
        let job = Job { inputs: images, first: 0, clock, finite: &finite };
        let _environment = DefaultFloatEnv::enter();
        match &mut self.worker {
            Worker::Solo(solo) => solo.run(job)?,
            Worker::Team(team) => team.run(job)?,
        }
        if finite.load(Ordering::Relaxed) {
            return Ok(());
        }
        not_finite(images, self.size).map_or(Ok(()), Err)
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

    /// How many threads work on a run at most, the caller's among them.
    pub fn threads(&self) -> usize {
        match &self.worker {
            Worker::Solo(_) => 1,
            Worker::Team(team) => team.threads(),
        }
    }

    /// Which kernels are in use.
    pub fn cpu(&self) -> Cpu {
        self.cpu
    }

    /// Size of the activations' arena in bytes.
    pub fn arena_bytes(&self) -> usize {
        self.arena_bytes
    }

    /// An intermediate result of the last image that ran: channels, height, width, and the values in
    /// that order (NCHW, torchvision's channel order). `None` where the session was not made with
    /// [`SessionOptions::keep_activations`], or there is no such stage.
    pub fn activation(&self, which: Activation) -> Option<([usize; 3], Vec<f32>)> {
        let Worker::Solo(solo) = &self.worker else { return None };
        if !self.keeps {
            return None;
        }
        let nchw = |region: Region, [h, w]: [usize; 2], order: &[usize]| {
            let columns = region.len.checked_div(h * w).unwrap_or(0);
            let data = solo.region(region);
            let channel = |&c: &usize| (0..h * w).map(move |pixel| data[pixel * columns + c]);
            ([order.len(), h, w], order.iter().flat_map(channel).collect())
        };
        let natural = |channels: usize| (0..channels).collect::<Vec<_>>();
        let mut stage = 1;
        for step in solo.steps() {
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
                (BoundStep::Conv5(s, ..), Activation::Conv5) => {
                    return Some(nchw(s.kept, s.size, &natural(s.features)));
                }
                _ => {}
            }
        }
        None
    }
}
