//! Work on many items by several threads, with results in the items' order.

use crate::failure::Failure;
use rayon::ThreadPoolBuilder;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

/// Runs `work` on every item, on one thread for each of the `workers`, and passes each result to `done`
/// on this thread, in order and as soon as the ones before it are there. Only results that must wait
/// for an earlier one are kept. When `done` fails, no further item is begun.
pub fn in_order<W: Send, T: Sync, R: Send>(
    workers: Vec<W>,
    items: &[T],
    work: impl Fn(&mut W, &T) -> R + Sync,
    mut done: impl FnMut(&T, R) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let pool = ThreadPoolBuilder::new().num_threads(workers.len()).build();
    let pool =
        pool.map_err(|error| Failure::Error(format!("{} threads: {error}", workers.len())))?;
    // With a bound, a slow reader of the results slows the work instead of piling them up.
    let (sender, receiver) = mpsc::sync_channel(workers.len());
    let (next, work) = (AtomicUsize::new(0), &work);
    pool.in_place_scope(|scope| {
        for mut worker in workers {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move |_| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { return };
                    if sender.send((index, work(&mut worker, item))).is_err() {
                        return; // nobody wants the results any more
                    }
                }
            });
        }
        drop(sender);
        let mut waiting = BTreeMap::new();
        let mut turn = 0;
        // Owned here, so that an early end closes the channel before the workers are waited for.
        for (index, result) in receiver {
            waiting.insert(index, result);
            while let Some(result) = waiting.remove(&turn) {
                done(&items[turn], result)?;
                turn += 1;
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    #[test]
    fn results_come_in_order_whoever_is_slow() {
        let items: Vec<u64> = (0..200).collect();
        let mut seen = Vec::new();
        let slow_at_times = |_: &mut (), item: &u64| {
            std::thread::sleep(Duration::from_micros(if item.is_multiple_of(7) {
                2000
            } else {
                10
            }));
            item * item
        };
        let result = in_order(vec![(); 3], &items, slow_at_times, |item, square| {
            seen.push((*item, square));
            Ok(())
        });
        assert!(result.is_ok());
        assert_eq!(seen, items.iter().map(|&i| (i, i * i)).collect::<Vec<_>>());
    }

    #[test]
    fn a_failure_stops_the_work() {
        let items: Vec<usize> = (0..10_000).collect();
        let begun = AtomicUsize::new(0);
        let failed = AtomicBool::new(false);
        // Later items are not ready before the failure, so that a slow reader changes nothing.
        let count = |_: &mut (), &item: &usize| {
            begun.fetch_add(1, Ordering::Relaxed);
            while item >= 50 && !failed.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
        };
        let result = in_order(vec![(); 2], &items, count, |&item, ()| {
            if item < 5 {
                return Ok(());
            }
            failed.store(true, Ordering::Relaxed);
            Err(Failure::ClosedPipe)
        });
        assert!(matches!(result, Err(Failure::ClosedPipe)));
        // The first 50, two that waited, two that the channel takes, and two that it refuses.
        assert!(begun.into_inner() <= 56);
    }
}
