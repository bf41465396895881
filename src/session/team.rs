//! Threads that work on one image together, or on one each.
//!
//! The caller is the first of them and can do everything by itself: it waits for pieces that another
//! thread has begun, never for a thread that sleeps. The others wait actively for a moment after an
//! image and then sleep until the next.

use super::Binding;
use super::arena::{Arena, Board, Caller, Claim, Lease, Program, Room, Run, Worker, wait};
use super::places::Places;
use super::solo::Solo;
use super::steps::{BoundStep, Job};
use crate::Error;
use crate::cpu::Cores;
use crate::float_env::DefaultFloatEnv;
use crate::plan::{Area, Bands, MOST_IN_GROUP, Needs, Region, Schedule, Split, Step};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a thread waits actively for the next image before it sleeps.
const ACTIVE: Duration = Duration::from_micros(50);

/// Pieces of a phase for each thread. With more than one, a slow thread gets less; they cost up to 4 % of the
/// time, which is worth it where cores differ, as in phones.
const PIECES: usize = if cfg!(any(target_arch = "aarch64", target_arch = "arm")) { 2 } else { 1 };

/// The board's programs: one image in pieces, and whole images.
const IN_PIECES: usize = 0;
const WHOLE: usize = 1;

/// What a piece is.
enum Work {
    Step(Box<BoundStep>),
    /// So many whole images, from this one on.
    Images {
        first: usize,
        count: usize,
    },
}

/// Why a piece ended early.
enum Failure {
    Error(Error),
    Panic(Box<dyn Any + Send>),
}

/// What all threads see besides the board.
#[derive(Default)]
struct Common {
    stop: AtomicBool,
    /// Set with the first failure of a run; what is left of it is not worked on then.
    failed: AtomicBool,
    failure: Mutex<Option<Failure>>,
    #[cfg(test)]
    hook: Option<tests::Hook>,
}

impl Common {
    fn fail(&self, failure: Failure) {
        let mut first = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(failure);
        self.failed.store(true, Ordering::Relaxed);
    }

    fn take_failure(&self) -> Option<Failure> {
        if !self.failed.swap(false, Ordering::Relaxed) {
            return None;
        }
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Work {
    fn run(
        &self,
        lease: &mut Lease<'_>,
        job: &Job<'_>,
        solo: Option<&mut Solo>,
    ) -> Result<(), Error> {
        let (first, count, solo) = match (self, solo) {
            (Work::Step(step), _) => return step.run(lease, job, 0..1),
            (&Work::Images { first, count }, Some(solo)) => (first, count, solo),
            (Work::Images { .. }, None) => unreachable!("no memory for whole images"),
        };
        let inputs = job.inputs.get(first..first + count).unwrap_or(&[]);
        solo.run(Job { inputs, first: 0, ..*job })?;
        for (area, output) in solo.outputs().into_iter().enumerate() {
            let to = lease.floats((area, 0..inputs.len()));
            to.copy_from_slice(&output[..to.len()]);
        }
        Ok(())
    }
}

/// One thread's work on a run.
fn work(worker: &mut Worker<Work, Option<Solo>>, run: Run, common: &Common) {
    #[cfg(test)]
    let number = worker.number();
    worker.walk(run, |mut claim: Claim<'_, Work>, solo| {
        #[cfg(test)]
        let piece = claim.piece();
        if common.failed.load(Ordering::Relaxed) {
            return;
        }
        let (work, lease, job) = claim.parts();
        let run = || {
            #[cfg(test)]
            common.meet(tests::Moment::Claimed { worker: number })?;
            work.run(lease, job, solo.as_mut())?;
            #[cfg(test)]
            common.meet(tests::Moment::Finished { piece })?;
            Ok(())
        };
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => common.fail(Failure::Error(error)),
            Err(panic) => common.fail(Failure::Panic(panic)),
        }
    });
}

/// What a thread does from the session's beginning to its end.
fn serve(mut worker: Worker<Work, Option<Solo>>, common: &Common) {
    let _environment = DefaultFloatEnv::enter();
    let mut seen = [IN_PIECES, WHOLE].map(|program| worker.current(program));
    let (mut idle_since, mut waits) = (Instant::now(), 0);
    loop {
        let mut worked = false;
        for program in [IN_PIECES, WHOLE] {
            let run = worker.current(program);
            if run != seen[program] {
                seen[program] = run;
                work(&mut worker, run, common);
                worked = true;
            }
        }
        if common.stop.load(Ordering::Acquire) {
            return;
        }
        if worked {
            (idle_since, waits) = (Instant::now(), 0);
        } else if waits % 64 == 63 && idle_since.elapsed() > ACTIVE {
            #[cfg(test)]
            let _ = common.meet(tests::Moment::Sleeps);
            std::thread::park();
            (idle_since, waits) = (Instant::now(), 0);
        } else {
            wait(waits);
            waits += 1;
        }
    }
}

/// A session's threads and the memory that they share.
pub(super) struct Team {
    /// With each worker's memory for whole images, where runs may have so many that all get some.
    caller: Caller<Work, Option<Solo>>,
    common: Arc<Common>,
    threads: Vec<JoinHandle<()>>,
    places: Places,
    /// Whole images in a piece; 0 where there are no such pieces.
    group: usize,
    features: Region,
    logits: Region,
}

/// What a team's threads are going to do.
pub(super) struct Division {
    threads: usize,
    /// Of one image.
    split: Split,
    /// Of many: so many whole images in a piece, so many pieces, and what each thread does for one. No
    /// schedules where there are not so many images.
    group: usize,
    whole: usize,
    schedules: Vec<Schedule>,
}

impl Division {
    /// For as many threads as asked for but not more than there are pieces; `None` where that is one.
    pub fn new(binding: &Binding<'_>, bands: Bands, threads: usize) -> Option<Division> {
        Division::with(binding, bands, (threads, PIECES))
    }

    /// With so many threads, and for each of them so many pieces of a phase.
    fn with(
        binding: &Binding<'_>,
        bands: Bands,
        (threads, pieces): (usize, usize),
    ) -> Option<Division> {
        let (network, batch) = (binding.network, binding.batch);
        let pieces = (threads.saturating_mul(pieces), binding.granule());
        let (architecture, plan) = (network.architecture(), network.plan());
        let split = Split::new(architecture, plan, binding.size, batch, pieces, bands);
        let threads = threads.min(split.phases.iter().map(|p| p.pieces.len()).max().unwrap_or(1));
        if threads == 1 {
            return None;
        }
        // Each thread at least one image, and each piece as many as share the late weights.
        let group = (batch / threads).min(MOST_IN_GROUP);
        let whole = match group {
            0 => 0,
            _ => batch / (group * threads) * threads,
        };
        let solos = if whole > 0 { threads } else { 0 };
        let schedules = (0..solos).map(|_| binding.schedule(group, bands)).collect();
        Some(Division { threads, split, group, whole, schedules })
    }

    /// The memory of all, and each thread's for whole images.
    fn room(&self) -> Room {
        Room { shared: self.split.shared, own: self.split.own, threads: self.threads }
    }

    /// Size of all memory in bytes; `None` where no memory is so large.
    pub fn bytes(&self) -> Option<usize> {
        let whole = self.schedules.first().map_or(Some(0), |s| Solo::room(s).bytes());
        whole?.checked_mul(self.threads)?.checked_add(self.room().bytes()?)
    }
}

impl Team {
    pub fn new(
        binding: &Binding<'_>,
        division: Division,
        cores: Option<Cores>,
        arena: &mut Arena,
    ) -> Result<Team, Error> {
        Team::with(binding, division, cores, arena, Common::default())
    }

    fn with(
        binding: &Binding<'_>,
        division: Division,
        cores: Option<Cores>,
        arena: &mut Arena,
        common: Common,
    ) -> Result<Team, Error> {
        let memory = arena.take(division.room()).ok_or_else(|| binding.too_large())?;
        let Division { threads, split, group, whole, schedules } = division;
        let architecture = binding.network.architecture();

        let mut phases = Vec::new();
        for phase in split.phases {
            let piece = |step: Step| {
                let areas = step.areas();
                Ok((Work::Step(Box::new(binding.step(step)?)), areas))
            };
            let pieces = phase.pieces.into_iter().map(piece);
            phases.push((phase.needs, pieces.collect::<Result<Vec<_>, Error>>()?));
        }
        let images = (0..whole).map(|piece| {
            let (first, count) = (piece * group, group);
            let rows = first..first + count;
            let area = |region, columns| Area::rows_to_write(region, columns, rows.clone());
            let areas = vec![
                area(split.features, architecture.feature_channels),
                area(split.logits, architecture.classes),
            ];
            (Work::Images { first, count }, areas)
        });
        let programs =
            vec![Program::new(phases), Program::new(vec![(Needs::All, images.collect())])];
        let mut solos: Vec<Option<Solo>> = Vec::with_capacity(threads);
        for schedule in schedules {
            solos.push(Some(Solo::new(binding, schedule, arena)?));
        }
        solos.resize_with(threads, || None);

        let (caller, workers) = Board::open(memory, programs, solos);
        let mut team = Team {
            caller,
            common: Arc::new(common),
            threads: Vec::with_capacity(threads - 1),
            places: Places::default(),
            group,
            features: split.features,
            logits: split.logits,
        };
        for worker in workers {
            let common = Arc::clone(&team.common);
            let place = team.places.add();
            let name = format!("shufflenet {}", worker.number());
            let thread = std::thread::Builder::new().name(name);
            // Those that were made end with the team.
            let thread = thread.spawn(move || {
                if place.take(cores.as_ref()) {
                    serve(worker, &common);
                }
            });
            team.threads.push(thread.map_err(|error| {
                Error::argument("threads", threads, format!("as many as can be made: {error}"))
            })?);
        }
        if let Some(cores) = &cores {
            team.places.wait(cores)?;
        }
        Ok(team)
    }

    pub fn run(&mut self, job: Job<'_>) -> Result<(), Error> {
        if self.caller.is_forked() {
            let found = format!("one of {} threads, which a fork leaves behind", self.threads());
            return Err(Error::argument("session", found, "one that was made in this process"));
        }
        let inputs = job.inputs;
        let per_round = self.group * self.threads();
        let whole = inputs.len().checked_div(per_round).unwrap_or(0) * per_round;
        let (whole, others) = inputs.split_at(whole);
        if !whole.is_empty() {
            self.run_program(WHOLE, Job { inputs: whole, first: 0, ..job })?;
        }
        for (i, input) in others.iter().enumerate() {
            let (inputs, first) = (std::slice::from_ref(input), whole.len() + i);
            self.run_program(IN_PIECES, Job { inputs, first, ..job })?;
        }
        Ok(())
    }

    fn run_program(&mut self, program: usize, job: Job<'_>) -> Result<(), Error> {
        let Team { caller, common, threads, places, .. } = self;
        places.clear();
        caller.run(program, &job, |worker, run| {
            #[cfg(test)]
            let _ = common.meet(tests::Moment::Opened);
            threads.iter().for_each(|thread| thread.thread().unpark());
            work(worker, run, common);
        });
        match common.take_failure() {
            None => Ok(()),
            Some(Failure::Error(error)) => Err(error),
            Some(Failure::Panic(panic)) => resume_unwind(panic),
        }
    }

    /// The features and the logits of the last run, a row for each image of a batch.
    pub fn outputs(&self) -> [&[f32]; 2] {
        [self.caller.slice(self.features), self.caller.slice(self.logits)]
    }

    /// The caller among them.
    pub fn threads(&self) -> usize {
        self.threads.len() + 1
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        if self.caller.is_forked() {
            // They are not here, and another thread of this process may have got such a handle.
            self.threads.drain(..).for_each(std::mem::forget);
        }
        self.common.stop.store(true, Ordering::Release);
        for thread in self.threads.drain(..) {
            thread.thread().unpark();
            // It does not panic: what pieces do is caught.
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Network;
    use crate::cpu::Cpu;
    use crate::image::Normalization;
    use crate::model::{Architecture, LayerWeights, Model, Stage};
    use crate::session::Input;
    use crate::session::profile::Clock;
    use std::sync::atomic::AtomicU64;
    use std::time::{SystemTime, UNIX_EPOCH};

    /// A hand-over.
    #[derive(Clone, Copy, Debug)]
    pub(super) enum Moment {
        /// An image was begun, and sleepers are about to be woken.
        Opened,
        /// A thread saw no image and is about to sleep.
        Sleeps,
        Claimed {
            worker: usize,
        },
        /// It is about to be done.
        Finished {
            piece: usize,
        },
    }

    /// What happens at every hand-over.
    pub(super) type Hook = Box<dyn Fn(Moment) -> Result<(), Error> + Send + Sync>;

    impl Common {
        pub(super) fn meet(&self, moment: Moment) -> Result<(), Error> {
            self.hook.as_ref().map_or(Ok(()), |hook| hook(moment))
        }
    }

    fn random(state: u64) -> u64 {
        let mut x = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn value(index: usize) -> f32 {
        (random(index as u64) >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    fn network() -> Network {
        let stages = [(4, 20), (6, 26), (3, 40)];
        let architecture = Architecture {
            stem_channels: 7,
            stages: stages.map(|(units, channels)| Stage { units, channels }),
            feature_channels: 50,
            classes: 40,
        };
        let layers = architecture.layers().into_iter().enumerate().map(|(i, layer)| LayerWeights {
            weight: (0..layer.weight_shape().iter().product()).map(|k| value(k + i)).collect(),
            bias: (0..layer.outputs).map(value).collect(),
        });
        let preprocessing = architecture.default_preprocessing();
        Network::new(Model::new(architecture, layers.collect(), preprocessing).unwrap()).unwrap()
    }

    fn binding(network: &Network, size: [usize; 2], batch: usize) -> Binding<'_> {
        let normalization = Arc::new(Normalization::new([0.0; 3], [1.0; 3]).unwrap());
        Binding { network, size, batch, cpu: Cpu::detect(), normalization }
    }

    /// `None` where a single thread would do.
    fn team_of(binding: &Binding<'_>, threads: (usize, usize), hook: Hook) -> Option<Team> {
        let common = Common { hook: Some(hook), ..Common::default() };
        let division = Division::with(binding, Bands::Auto(1 << 20), threads)?;
        Some(Team::with(binding, division, None, &mut Arena::Heap, common).unwrap())
    }

    fn team(binding: &Binding<'_>, threads: (usize, usize), hook: Hook) -> Team {
        team_of(binding, threads, hook).unwrap()
    }

    fn images(count: usize, [height, width]: [usize; 2]) -> Vec<Vec<f32>> {
        let image = |i| (0..3 * height * width).map(|k| value(k + 1000 * i)).collect();
        (0..count).map(image).collect()
    }

    fn inputs(images: &[Vec<f32>]) -> Vec<Input<'_>> {
        images.iter().map(|image| Input::Nchw(image)).collect()
    }

    fn job<'a>(inputs: &'a [Input<'a>]) -> Job<'a> {
        static FINITE: AtomicBool = AtomicBool::new(true);
        Job { inputs, first: 0, clock: Clock(&[]), finite: &FINITE }
    }

    fn bits(outputs: [&[f32]; 2]) -> Vec<u32> {
        outputs.concat().iter().map(|x| x.to_bits()).collect()
    }

    fn expected(binding: &Binding<'_>, images: &[Vec<f32>]) -> Vec<u32> {
        let schedule = binding.schedule(images.len(), Bands::Auto(1 << 20));
        let mut solo = Solo::new(binding, schedule, &mut Arena::Heap).unwrap();
        solo.run(job(&inputs(images))).unwrap();
        bits(solo.outputs())
    }

    /// For so long as the variable `SHUFFLENET_TEST_SECONDS` says, by default for two.
    fn time() -> Duration {
        let seconds = std::env::var("SHUFFLENET_TEST_SECONDS").ok().and_then(|s| s.parse().ok());
        Duration::from_secs(seconds.unwrap_or(2))
    }

    #[test]
    fn delays_do_not_change_bits() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let seed = now.as_nanos() as u64;
        println!("seed {seed}");
        let network = network();
        let (start, mut round) = (Instant::now(), 0);
        // A few rounds however busy the machine is.
        while start.elapsed() < time() || round < 4 {
            let pick =
                |what: u64, most: u64| (random(seed ^ random(what + 9 * round)) % most) as usize;
            let size = [1 + pick(0, 150), 1 + pick(1, 40)];
            let batch = 1 + pick(2, 6);
            let threads = (2 + pick(3, 4), 1 + pick(4, 3));
            let binding = binding(&network, size, batch);
            let images = images(batch, size);
            let calls = AtomicU64::new(seed ^ round);
            let hook = move |_| {
                let random = random(calls.fetch_add(1, Ordering::Relaxed));
                match random % 16 {
                    0 => std::thread::sleep(Duration::from_micros(random >> 32 & 0x1ff)),
                    1..4 => std::thread::yield_now(),
                    4..8 => (0..random >> 32 & 0xfff).for_each(|_| std::hint::spin_loop()),
                    _ => {}
                }
                Ok(())
            };
            if let Some(mut team) = team_of(&binding, threads, Box::new(hook)) {
                let expected = expected(&binding, &images);
                for rest in 0..4 {
                    // Sometimes so long that threads sleep.
                    std::thread::sleep(Duration::from_micros(pick(5 + rest, 200) as u64));
                    team.run(job(&inputs(&images))).unwrap();
                    let found = bits(team.outputs());
                    assert!(found == expected, "seed {seed}, {size:?}, {batch}, {threads:?}");
                }
            }
            round += 1;
        }
    }

    /// Slows down all threads but one, so that this one meets pieces.
    fn wait_for(worker: usize, moment: Moment) -> bool {
        let Moment::Claimed { worker: found } = moment else { return false };
        if found != worker {
            std::thread::sleep(Duration::from_millis(1));
        }
        found == worker
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_session_lives() {
        let (network, size) = (network(), [64, 40]);
        let binding = binding(&network, size, 5);
        let images = images(5, size);
        let expected = expected(&binding, &images);
        for worker in [0, 1, 2] {
            let armed = Arc::new(AtomicBool::new(true));
            let fires = Arc::clone(&armed);
            let hook = move |moment| {
                let armed = fires.load(Ordering::Relaxed);
                if armed && wait_for(worker, moment) && fires.swap(false, Ordering::Relaxed) {
                    panic!("worker {worker} fell");
                }
                Ok(())
            };
            let mut team = team(&binding, (3, 2), Box::new(hook));
            let mut fell = 0;
            // A thread that has not woken up yet meets nothing.
            for _ in 0..100 {
                let result = catch_unwind(AssertUnwindSafe(|| {
                    team.run(job(&inputs(&images))).unwrap();
                }));
                match result {
                    Ok(()) => assert!(bits(team.outputs()) == expected),
                    Err(panic) => {
                        let message = panic.downcast_ref::<String>().unwrap();
                        assert_eq!(message, &format!("worker {worker} fell"));
                        fell += 1;
                    }
                }
                if !armed.load(Ordering::Relaxed) && fell == 1 {
                    break;
                }
            }
            assert_eq!(fell, 1, "worker {worker}");
            team.run(job(&inputs(&images))).unwrap();
            assert!(bits(team.outputs()) == expected);
        }
    }

    #[test]
    fn threads_may_all_panic_at_once() {
        let (network, size) = (network(), [64, 40]);
        let binding = binding(&network, size, 1);
        let images = images(1, size);
        let expected = expected(&binding, &images);
        let armed = Arc::new(AtomicBool::new(true));
        let fires = Arc::clone(&armed);
        let hook = move |moment| match moment {
            Moment::Claimed { .. } if fires.load(Ordering::Relaxed) => panic!("all fell"),
            _ => Ok(()),
        };
        let mut team = team(&binding, (3, 1), Box::new(hook));
        let run = |team: &mut Team| {
            catch_unwind(AssertUnwindSafe(|| team.run(job(&inputs(&images))).unwrap()))
        };
        for _ in 0..20 {
            let panic = run(&mut team).unwrap_err();
            assert_eq!(*panic.downcast_ref::<&str>().unwrap(), "all fell");
        }
        armed.store(false, Ordering::Relaxed);
        run(&mut team).unwrap();
        assert!(bits(team.outputs()) == expected);
    }

    #[test]
    fn an_error_reaches_the_caller() {
        let (network, size) = (network(), [64, 40]);
        let binding = binding(&network, size, 1);
        let images = images(1, size);
        let hook = |moment: Moment| match moment {
            Moment::Finished { piece: 7 } => Err(Error::argument("piece", 7, "another")),
            _ => Ok(()),
        };
        let mut team = team(&binding, (2, 1), Box::new(hook));
        for _ in 0..20 {
            let error = team.run(job(&inputs(&images))).unwrap_err();
            assert_eq!(error.to_string(), "piece is 7, expected another");
        }
    }

    #[test]
    fn a_caller_whom_nobody_helps_does_everything() {
        let (network, size) = (network(), [64, 40]);
        let binding = binding(&network, size, 3);
        let images = images(3, size);
        let expected = expected(&binding, &images);
        let mut team = team(&binding, (4, 2), Box::new(|_| Ok(())));
        // Threads that ended claim nothing.
        team.common.stop.store(true, Ordering::Release);
        while !team.threads.iter().all(JoinHandle::is_finished) {
            team.threads.iter().for_each(|thread| thread.thread().unpark());
            std::thread::yield_now();
        }
        for _ in 0..3 {
            team.run(job(&inputs(&images))).unwrap();
            assert!(bits(team.outputs()) == expected);
        }
    }
}
