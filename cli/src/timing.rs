//! Repeated measurements of one thing.

use std::time::{Duration, Instant};

/// Seconds, in ascending order.
#[derive(Default)]
pub struct Times(Vec<f64>);

impl Times {
    pub fn new(mut seconds: Vec<f64>) -> Times {
        seconds.sort_unstable_by(f64::total_cmp);
        Times(seconds)
    }

    /// Runs something again and again for so long, at least three times, after once that does not count,
    /// with a rest before each time.
    pub fn measure<E>(
        time: Duration,
        rest: Duration,
        mut run: impl FnMut() -> Result<(), E>,
    ) -> Result<Times, E> {
        run()?;
        let (start, mut seconds) = (Instant::now(), Vec::new());
        while seconds.len() < 3 || start.elapsed() < time {
            if !rest.is_zero() {
                std::thread::sleep(rest);
            }
            let before = Instant::now();
            run()?;
            seconds.push(before.elapsed().as_secs_f64());
        }
        Ok(Times::new(seconds))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn min(&self) -> f64 {
        self.quantile(0.0)
    }

    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The time that this part of the measurements do not exceed; 0 of none.
    pub fn quantile(&self, part: f64) -> f64 {
        let last = self.0.len().saturating_sub(1);
        self.0.get((part * last as f64).round() as usize).copied().unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_measurements() {
        let times = Times::new(vec![3.0, 1.0, 2.0, 5.0, 4.0]);
        assert_eq!([times.min(), times.median(), times.quantile(0.9)], [1.0, 3.0, 5.0]);
        assert_eq!(Times::default().median(), 0.0);
    }

    #[test]
    fn a_measurement_ends() {
        let mut runs = 0;
        let times = Times::measure(Duration::ZERO, Duration::from_millis(1), || {
            runs += 1;
            Ok::<_, ()>(())
        });
        assert_eq!((times.unwrap().len(), runs), (3, 4));
        assert!(Times::measure(Duration::ZERO, Duration::ZERO, || Err(())).is_err());
    }
}
