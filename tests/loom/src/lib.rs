//! The hand-over between threads that share an image, model-checked: loom runs it in every order that two
//! threads' atomics allow, with so many preemptions.
//!
//! The claims are the library's own. The memory is a model of a stage: each piece has its rows, and the
//! edge rows that it computes for the next unit, in one of two buffers by turns. Loom reports whoever reads
//! or writes what another thread may be writing.
//!
//! `cargo test --release`, in this folder: under a minute.
#![cfg(test)]
#![allow(missing_docs)]

#[path = "../../../src/session/arena/claims.rs"]
mod claims;

mod sync {
    pub use loom::sync::atomic::{AtomicUsize, Ordering};
}

use claims::{Attempt, Claims, Epoch, neighbours};
use loom::cell::UnsafeCell;
use std::ops::Range;
use std::panic::catch_unwind;
use std::sync::Arc;

const PIECES: usize = 2;

/// A variant of the protocol.
#[derive(Clone, Copy)]
struct Protocol {
    /// The pieces of a phase that a piece of the next unit needs.
    needs: fn(usize, usize) -> Range<usize>,
    /// Buffers of edge rows.
    buffers: usize,
    /// Instead of published edge rows, pieces read their neighbours' rows of the stage.
    in_place: bool,
}

const RIGHT: Protocol = Protocol { needs: neighbours, buffers: 2, in_place: false };

/// Pieces and the memory that they work in. Values tell which unit of which image wrote them last.
struct Stage {
    protocol: Protocol,
    /// Of stride 1, after unit 0.
    units: usize,
    claims: Claims,
    rows: Vec<UnsafeCell<usize>>,
    /// By buffer and piece.
    edges: Vec<UnsafeCell<usize>>,
}

impl Stage {
    fn new(protocol: Protocol, units: usize) -> Stage {
        let all = |phase: usize| phase * PIECES..(phase + 1) * PIECES;
        let mut phases = vec![vec![0..0; PIECES]];
        for unit in 1..=units {
            let before = all(unit - 1).start;
            let needs = |piece| {
                let needs = (protocol.needs)(piece, PIECES);
                before + needs.start..before + needs.end
            };
            phases.push((0..PIECES).map(needs).collect());
        }
        // A layer that reads all rows.
        phases.push(vec![all(units)]);
        let cells = |count| (0..count).map(|_| UnsafeCell::new(0)).collect();
        let claims = Claims::new(&phases);
        Stage { protocol, units, claims, rows: cells(PIECES), edges: cells(2 * PIECES) }
    }

    fn edges(&self, unit: usize, piece: usize) -> &UnsafeCell<usize> {
        &self.edges[unit % self.protocol.buffers * PIECES + piece]
    }

    fn read(cell: &UnsafeCell<usize>, expected: usize) {
        let found = cell.with(|value| unsafe { *value });
        assert_eq!(found, expected, "a value of another time");
    }

    fn write(cell: &UnsafeCell<usize>, value: usize) {
        cell.with_mut(|cell| unsafe { *cell = value });
    }

    /// What a piece of the image number `image` does.
    fn run(&self, piece: usize, image: usize) {
        let (unit, piece) = (piece / PIECES, piece % PIECES);
        let time = |unit: usize| image * 100 + unit;
        if unit > self.units {
            self.rows.iter().for_each(|rows| Stage::read(rows, time(self.units)));
            return;
        }
        if unit > 0 {
            for piece in neighbours(piece, PIECES) {
                let edge = match self.protocol.in_place {
                    true => &self.rows[piece],
                    false => self.edges(unit, piece),
                };
                Stage::read(edge, time(unit - 1));
            }
            Stage::read(&self.rows[piece], time(unit - 1));
        }
        Stage::write(&self.rows[piece], time(unit));
        if unit < self.units {
            Stage::write(self.edges(unit + 1, piece), time(unit));
        }
    }

    fn walk(&self, worker: usize, epoch: Epoch, image: impl Fn() -> usize) {
        let attempt = |piece: usize| match self.claims.claim(piece, epoch) {
            Ok(()) => {
                self.run(piece, image());
                self.claims.finish(piece, epoch);
                Attempt::Done
            }
            Err(reason) => reason,
        };
        self.claims.walk((worker, 2), attempt, |_| loom::thread::yield_now());
    }
}

/// A caller and a helper work on so many images of so many units.
fn check(protocol: Protocol, [images, units]: [usize; 2], preemptions: usize) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.check(move || {
        let stage = Arc::new((Stage::new(protocol, units), UnsafeCell::new(0)));
        let (shared, none) = (Arc::clone(&stage), stage.0.claims.current());
        // It looks for work as often as there are images, and may come late to any.
        let helper = loom::thread::spawn(move || {
            let (stage, job) = &*shared;
            for _ in 0..images {
                let epoch = stage.claims.current();
                if epoch != none {
                    stage.walk(1, epoch, || job.with(|image| unsafe { *image }));
                }
            }
        });
        let (stage, job) = &*stage;
        for image in 1..=images {
            Stage::write(job, image);
            let epoch = stage.claims.open();
            stage.walk(0, epoch, || job.with(|image| unsafe { *image }));
            stage.claims.close(epoch, |_| loom::thread::yield_now());
        }
        helper.join().unwrap();
    });
}

/// Whether some order makes a piece read what is being written or was not meant for it.
fn violated(protocol: Protocol) -> bool {
    let Err(panic) = catch_unwind(|| check(protocol, [1, 2], 2)) else { return false };
    let message = match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => (*panic.downcast::<&str>().unwrap()).to_owned(),
    };
    let race = message.contains("Causality violation");
    assert!(race || message.contains("a value of another time"), "{message}");
    true
}

#[test]
fn one_image_is_right() {
    check(RIGHT, [1, 2], 2);
}

#[test]
fn a_helper_may_be_late() {
    check(RIGHT, [2, 0], 3);
}

#[test]
fn buffers_are_used_again() {
    check(RIGHT, [2, 1], 1);
}

#[test]
fn own_pieces_are_not_enough() {
    assert!(violated(Protocol { needs: |piece, _| piece..piece + 1, ..RIGHT }));
}

/// All pieces of a unit wait for all of the unit before, but nothing is published: a barrier at the
/// unit's end alone.
#[test]
fn a_barrier_at_the_end_of_a_unit_is_not_enough() {
    assert!(violated(Protocol { needs: |_, pieces| 0..pieces, in_place: true, ..RIGHT }));
}

#[test]
fn one_buffer_of_edges_is_not_enough() {
    assert!(violated(Protocol { buffers: 1, ..RIGHT }));
}
