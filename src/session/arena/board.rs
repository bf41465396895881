//! Memory that several threads work in: pieces of an image, and leases of their areas to who claims them.

use super::claims::{Attempt, Claims, Epoch, neighbours};
use super::{Lease, Memory};
use crate::plan::{Area, Needs, Owner, Region};
use crate::session::process;
use crate::session::steps::Job;
use std::cell::UnsafeCell;
use std::ops::Range;
use std::sync::Arc;

/// One piece: what to do, and what for.
struct Piece<T> {
    work: T,
    areas: Vec<Area>,
}

/// What the caller passed for the image that is worked on.
struct JobSlot(UnsafeCell<Option<Job<'static>>>);

// SAFETY: it is written while nobody has a claim, and read by those who have one. What it holds is `Sync`.
unsafe impl Sync for JobSlot {}
const _: fn(&Job<'static>) = {
    fn assert_sync(_: &impl Sync) {}
    |job| assert_sync(job)
};

/// A phase: what its pieces need of the phase before, and the pieces with their areas.
type PhaseOf<T> = (Needs, Vec<(T, Vec<Area>)>);

/// A list of phases of pieces, and how far they are.
pub(in crate::session) struct Program<T> {
    pieces: Vec<Piece<T>>,
    claims: Claims,
    job: JobSlot,
}

/// For each piece of each phase, those that must be done before.
fn needs(phases: impl Iterator<Item = (Needs, usize)>) -> Vec<Vec<Range<usize>>> {
    let mut before = 0..0;
    let of_phase = |(needs, count)| {
        let all = before.clone();
        before = all.end..all.end + count;
        let of_piece = |piece| match needs {
            Needs::Neighbours if all.len() == count => {
                let beside = neighbours(piece, count);
                all.start + beside.start..all.start + beside.end
            }
            _ => all.clone(),
        };
        (0..count).map(of_piece).collect()
    };
    phases.map(of_phase).collect()
}

/// Two pieces that may run at a time and touch the same floats, one of them writing.
fn conflict(needs: &[Range<usize>], areas: &[&[Area]]) -> Option<(usize, usize)> {
    // The pieces that are done whenever a piece runs, as bits.
    let words = needs.len().div_ceil(64);
    let mut before: Vec<Vec<u64>> = Vec::with_capacity(needs.len());
    let meet =
        |a: &Area, b: &Area| (a.write || b.write) && a.owner == Owner::Shared && a.may_overlap(b);
    for (piece, needs) in needs.iter().enumerate() {
        let mut set = vec![0; words];
        for needed in needs.clone() {
            set[needed / 64] |= 1 << (needed % 64);
            set.iter_mut().zip(&before[needed]).for_each(|(set, &bits)| *set |= bits);
        }
        for other in 0..piece {
            let ordered = set[other / 64] >> (other % 64) & 1 == 1;
            if !ordered && areas[piece].iter().any(|a| areas[other].iter().any(|b| meet(a, b))) {
                return Some((other, piece));
            }
        }
        before.push(set);
    }
    None
}

impl<T> Program<T> {
    /// # Panics
    /// If pieces that may run at a time need the same floats: a bug of the plan.
    pub fn new(phases: Vec<PhaseOf<T>>) -> Program<T> {
        let needs = needs(phases.iter().map(|(needs, pieces)| (*needs, pieces.len())));
        let pieces = phases.into_iter().flat_map(|(_, pieces)| pieces);
        let pieces: Vec<_> = pieces.map(|(work, areas)| Piece { work, areas }).collect();
        let areas: Vec<&[Area]> = pieces.iter().map(|piece| piece.areas.as_slice()).collect();
        assert_eq!(conflict(&needs.concat(), &areas), None, "pieces that conflict");
        Program { pieces, claims: Claims::new(&needs), job: JobSlot(UnsafeCell::new(None)) }
    }
}

/// What one worker has for itself.
struct Own<S>(UnsafeCell<S>);

// SAFETY: only its worker touches it, on whatever thread that is.
unsafe impl<S: Send> Sync for Own<S> {}

/// Memory and the programs that work in it, one at a time.
pub(in crate::session) struct Board<T, S> {
    memory: Memory,
    programs: Vec<Program<T>>,
    own: Vec<Own<S>>,
    /// Where its workers are.
    process: u32,
}

/// A thread's right to claim pieces, and to its own part of the memory.
pub(in crate::session) struct Worker<T, S> {
    board: Arc<Board<T, S>>,
    number: usize,
}

/// Worker 0, who alone may begin an image.
pub(in crate::session) struct Caller<T, S>(Worker<T, S>);

impl<T, S> Board<T, S> {
    /// A board, and its workers without the first, who is the caller: as many as have something of their
    /// own. That stays on the board, and with it all that is freed with a session.
    pub fn open(
        memory: Memory,
        programs: Vec<Program<T>>,
        own: Vec<S>,
    ) -> (Caller<T, S>, Vec<Worker<T, S>>) {
        let workers = own.len();
        let own = own.into_iter().map(|own| Own(UnsafeCell::new(own))).collect();
        let board = Arc::new(Board { memory, programs, own, process: process() });
        let worker = |number| Worker { board: Arc::clone(&board), number };
        (Caller(worker(0)), (1..workers).map(worker).collect())
    }
}

/// One image of one program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::session) struct Run {
    program: usize,
    epoch: Epoch,
}

impl<T, S> Worker<T, S> {
    pub fn number(&self) -> usize {
        self.number
    }

    /// The image that a program works on, or worked on last.
    pub fn current(&self, program: usize) -> Run {
        Run { program, epoch: self.board.programs[program].claims.current() }
    }

    /// Goes through an image, and does what it can claim, with what it has for itself.
    pub fn walk(&mut self, run: Run, mut work: impl FnMut(Claim<'_, T>, &mut S)) {
        let Run { program, epoch } = run;
        let Board { memory, programs, own, .. } = &*self.board;
        let Program { pieces, claims, job } = &programs[program];
        let workers = own.len();
        // SAFETY: no two workers have a number, and this one is borrowed mutably.
        let own = unsafe { &mut *own[self.number].0.get() };
        let start = memory.shared + self.number * memory.own;
        let attempt = |piece: usize| match claims.claim(piece, epoch) {
            Ok(()) => {
                let Piece { work: what, areas } = &pieces[piece];
                let lease = Lease { memory, own: start..start + memory.own, areas };
                work(Claim { work: what, job, lease, claims, piece, epoch }, own);
                Attempt::Done
            }
            Err(reason) => reason,
        };
        claims.walk((self.number, workers), attempt, wait);
    }
}

/// A piece that nobody else works on. Done when dropped.
pub(in crate::session) struct Claim<'a, T> {
    work: &'a T,
    job: &'a JobSlot,
    lease: Lease<'a>,
    claims: &'a Claims,
    piece: usize,
    epoch: Epoch,
}

impl<T> Drop for Claim<'_, T> {
    fn drop(&mut self) {
        self.claims.finish(self.piece, self.epoch);
    }
}

impl<'a, T> Claim<'a, T> {
    /// Which piece of its program it is.
    #[cfg(test)]
    pub fn piece(&self) -> usize {
        self.piece
    }

    /// What to do, with what, and for whom.
    pub fn parts(&mut self) -> (&T, &mut Lease<'a>, &Job<'_>) {
        // SAFETY: the caller wrote it before it opened the epoch, and does not write again before this
        // piece is done.
        let job = unsafe { &*self.job.0.get() };
        match job {
            Some(job) => (self.work, &mut self.lease, job),
            None => unreachable!("an image that was begun has a job"),
        }
    }
}

/// Ends an image when dropped.
struct Close<'a> {
    claims: &'a Claims,
    epoch: Epoch,
}

impl Drop for Close<'_> {
    fn drop(&mut self) {
        self.claims.close(self.epoch, wait);
    }
}

/// Lets others go on, after so many waits: at first for a moment, then for longer, since there may be more
/// threads than cores.
pub(in crate::session) fn wait(waits: usize) {
    if waits < 200 {
        std::hint::spin_loop();
    } else {
        std::thread::yield_now();
    }
}

impl<T, S> Caller<T, S> {
    /// Shared floats, between images.
    pub fn slice(&self, region: Region) -> &[f32] {
        // SAFETY: there are claims only while `run` is on its way, which borrows the caller mutably.
        unsafe { self.0.board.memory.slice_unguarded(region) }
    }

    /// Whether this is a copy that a fork made, of a process that has the other workers' threads.
    pub fn is_forked(&self) -> bool {
        self.0.board.process != process()
    }

    /// Works on one image: `work` goes through it, and all other workers may. Returns when no piece is in
    /// work any more; those that nobody claimed are left out.
    pub fn run<R>(
        &mut self,
        program: usize,
        job: &Job<'_>,
        work: impl FnOnce(&mut Worker<T, S>, Run) -> R,
    ) -> R {
        let board = Arc::clone(&self.0.board);
        let Program { claims, job: slot, .. } = &board.programs[program];
        // SAFETY: the lifetimes are made up, but the job is read by claims alone. There is none now:
        // nobody can claim a piece before the epoch is opened below, as epochs come from there, and all
        // pieces of the one before are done. When this function ends, returning or unwinding, all pieces
        // of this epoch are done, since `Close` waits for that.
        unsafe {
            let job: Job<'static> = std::mem::transmute::<Job<'_>, Job<'static>>(*job);
            *slot.0.get() = Some(job);
        }
        let epoch = claims.open();
        let _close = Close { claims, epoch };
        work(&mut self.0, Run { program, epoch })
    }
}

impl<T, S> Drop for Caller<T, S> {
    fn drop(&mut self) {
        if self.is_forked() {
            // The others will not give their shares back.
            while Arc::strong_count(&self.0.board) > 1 {
                // SAFETY: the other shares were those of threads that are not in this process, where
                // nobody will use or drop them. The caller's own is left.
                unsafe { Arc::decrement_strong_count(Arc::as_ptr(&self.0.board)) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Architecture;
    use crate::plan::{Bands, Plan, Split};

    /// The pieces of a split image, and their areas.
    fn split(
        architecture: &Architecture,
        size: [usize; 2],
        most: usize,
    ) -> Vec<(Needs, Vec<Vec<Area>>)> {
        let plan = Plan::new(architecture);
        let split = Split::new(architecture, &plan, size, 1, (most, 16), Bands::Auto(1 << 20));
        let areas =
            |phase: &crate::plan::Phase| phase.pieces.iter().map(|step| step.areas()).collect();
        split.phases.iter().map(|phase| (phase.needs, areas(phase))).collect()
    }

    fn conflict_of(phases: &[(Needs, Vec<Vec<Area>>)], needs: &[Vec<Range<usize>>]) -> bool {
        let areas = phases.iter().flat_map(|(_, pieces)| pieces).map(Vec::as_slice);
        conflict(&needs.concat(), &areas.collect::<Vec<_>>()).is_some()
    }

    #[test]
    fn pieces_that_may_run_at_a_time_touch_nothing_in_common() {
        for architecture in [Architecture::X0_5, Architecture::X2_0] {
            for size in [[224, 224], [75, 53], [1, 1], [33, 480]] {
                for most in [2, 3, 4, 7, 16] {
                    let phases = split(&architecture, size, most);
                    let right = needs(phases.iter().map(|(needs, pieces)| (*needs, pieces.len())));
                    assert!(!conflict_of(&phases, &right), "{size:?}, {most} pieces");
                }
            }
        }
    }

    #[test]
    fn pieces_that_wait_for_too_little_conflict() {
        let phases = split(&Architecture::X0_5, [224, 224], 4);
        let right = needs(phases.iter().map(|(needs, pieces)| (*needs, pieces.len())));
        let mut tried = 0;
        for (i, phase) in right.iter().enumerate() {
            if phases[i].0 == Needs::All {
                continue; // more than it must, where rows of two stages meet
            }
            for (piece, needs) in phase.iter().enumerate() {
                for needed in needs.clone() {
                    let less = [needs.start..needed, needed + 1..needs.end];
                    for less in less.into_iter().filter(|less| less.len() + 1 == needs.len()) {
                        let mut wrong = right.clone();
                        wrong[i][piece] = less;
                        assert!(
                            conflict_of(&phases, &wrong),
                            "phase {i}, {piece} without {needed}"
                        );
                        tried += 1;
                    }
                }
            }
        }
        assert!(tried > 50, "{tried}");
    }
}
