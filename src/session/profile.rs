//! How long an image's layers take.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Times of one image's run. Reading the clock takes time too: the layers' sum is more than a run that
/// is not profiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// To normalise the image's rows, or to see that their floats are finite.
    pub input: Duration,
    /// Of each layer of [`workloads`](crate::workload::workloads), in its order, over all bands.
    pub layers: Vec<Duration>,
}

/// Adds up times by entry: of the image's rows, the stem, the max pool, and then the model's layers from
/// the second on. Without entries it measures nothing.
#[derive(Clone, Copy)]
pub(super) struct Clock<'a>(pub &'a [Mutex<Duration>]);

/// Of the image's rows, the stem and the max pool.
pub(super) const INPUT: usize = 0;
pub(super) const STEM: usize = 1;
pub(super) const POOL: usize = 2;

/// Of the model's layer number `layer`, which is not the stem.
pub(super) fn entry(layer: usize) -> usize {
    layer + 2
}

impl Clock<'_> {
    #[inline(always)]
    pub fn time<T>(&self, entry: usize, work: impl FnOnce() -> T) -> T {
        let start = self.start();
        let result = work();
        if let Some(start) = start {
            self.stop(entry, start);
        }
        result
    }

    fn start(&self) -> Option<Instant> {
        (!self.0.is_empty()).then(Instant::now)
    }

    #[cold]
    fn stop(&self, entry: usize, start: Instant) {
        *self.0[entry].lock().unwrap_or_else(PoisonError::into_inner) += start.elapsed();
    }
}
