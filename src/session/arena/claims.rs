//! Who does which piece of an image, and when: counters instead of locks and barriers.
//!
//! Each piece has two counters that hold the number of an image (its epoch): of the last for which a
//! thread claimed the piece, and of the last for which it was done. A claim raises the first from the epoch
//! before, so that one thread gets it; a thread that is late with an earlier image gets nothing. Nothing
//! is reset between images.

use super::sync::{AtomicUsize, Ordering};
use std::ops::Range;

/// The number of an image. It wraps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch(usize);

impl Epoch {
    fn before(self) -> usize {
        self.0.wrapping_sub(1)
    }
}

/// A piece, on cache lines of its own.
#[derive(Debug)]
#[repr(align(64))]
struct Piece {
    claimed: AtomicUsize,
    done: AtomicUsize,
    /// The pieces that must be done before.
    needs: Range<usize>,
}

/// The pieces of an image, and how far they are.
#[derive(Debug)]
pub struct Claims {
    epoch: AtomicUsize,
    pieces: Box<[Piece]>,
    phases: Box<[Range<usize>]>,
}

/// What became of a try to do a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    Done,
    /// Somebody has it.
    Taken,
    /// It has to wait for others.
    NotReady,
}

/// The pieces of a phase of `pieces` that piece `piece` of the next phase needs to be done: the one of the
/// same rows and those beside it.
pub fn neighbours(piece: usize, pieces: usize) -> Range<usize> {
    piece.saturating_sub(1)..(piece + 2).min(pieces)
}

impl Claims {
    /// For phases, each after the one before it, of pieces given by what they need.
    pub fn new(phases: &[Vec<Range<usize>>]) -> Claims {
        let mut end = 0;
        let ranges = phases.iter().map(|phase| {
            end += phase.len();
            end - phase.len()..end
        });
        let phase_ranges = ranges.collect();
        let piece = |needs: &Range<usize>| Piece {
            claimed: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            needs: needs.clone(),
        };
        let pieces = phases.iter().flatten().map(piece).collect();
        Claims { epoch: AtomicUsize::new(0), pieces, phases: phase_ranges }
    }

    /// The image that is worked on, or was last. What was written before it was opened can be read by
    /// those who see it.
    pub fn current(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::Acquire))
    }

    /// Begins the next image. For one thread alone, after it closed the image before.
    pub fn open(&self) -> Epoch {
        let next = self.epoch.load(Ordering::Relaxed).wrapping_add(1);
        self.epoch.store(next, Ordering::Release);
        Epoch(next)
    }

    /// Whether the piece is now the caller's: nobody has it, and what it needs is done.
    ///
    /// # Errors
    /// Why it is not.
    pub fn claim(&self, piece: usize, epoch: Epoch) -> Result<(), Attempt> {
        let Piece { claimed, needs, .. } = &self.pieces[piece];
        if claimed.load(Ordering::Relaxed) != epoch.before() {
            return Err(Attempt::Taken);
        }
        if !needs.clone().all(|needed| self.is_done(needed, epoch)) {
            return Err(Attempt::NotReady);
        }
        self.take(piece, epoch).then_some(()).ok_or(Attempt::Taken)
    }

    fn take(&self, piece: usize, epoch: Epoch) -> bool {
        // It orders nothing: `done` does.
        let order = Ordering::Relaxed;
        let claimed = &self.pieces[piece].claimed;
        claimed.compare_exchange(epoch.before(), epoch.0, order, order).is_ok()
    }

    /// For who claimed it. What was written before can be read by those who see it done.
    pub fn finish(&self, piece: usize, epoch: Epoch) {
        self.pieces[piece].done.store(epoch.0, Ordering::Release);
    }

    fn is_done(&self, piece: usize, epoch: Epoch) -> bool {
        self.pieces[piece].done.load(Ordering::Acquire) == epoch.0
    }

    /// Ends an image: takes what nobody has, without doing it, and waits for what others have.
    pub fn close(&self, epoch: Epoch, mut wait: impl FnMut(usize)) {
        for piece in 0..self.pieces.len() {
            if self.take(piece, epoch) {
                self.finish(piece, epoch);
            }
            let mut waits = 0;
            while !self.is_done(piece, epoch) {
                wait(waits);
                waits += 1;
            }
        }
    }

    /// A worker's way through an image: of each phase its own pieces, which are the same part of every
    /// phase so that it finds them in its cache, and then whatever nobody has, from the last on, since
    /// owners begin with the first. It leaves a phase when all is claimed, and waits only while there is a
    /// piece that nobody may begin yet.
    pub fn walk(
        &self,
        (worker, workers): (usize, usize),
        mut attempt: impl FnMut(usize) -> Attempt,
        mut wait: impl FnMut(usize),
    ) {
        for phase in &self.phases {
            let share = |worker: usize| phase.start + worker * phase.len() / workers;
            let own = share(worker)..share(worker + 1);
            let others = (own.end..phase.end).rev().chain((phase.start..own.start).rev());
            let mut waits = 0;
            loop {
                let (mut done, mut waiting) = (false, false);
                for piece in own.clone().chain(others.clone()) {
                    match attempt(piece) {
                        Attempt::Done => done = true,
                        Attempt::Taken => {}
                        Attempt::NotReady => waiting = true,
                    }
                }
                if !waiting {
                    break;
                }
                if !done {
                    wait(waits);
                    waits += 1;
                }
            }
        }
    }
}
