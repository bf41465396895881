//! What this core can do, to hold layers against.

use crate::timing::Times;
use shufflenet::cpu::Level;
use shufflenet::kernels::limits;
use shufflenet::workload::Workload;
use std::time::Duration;

/// Memory that the bandwidth is measured on, in bytes: a layer is held against the first that is not
/// smaller than its data.
const FOOTPRINTS: [usize; 5] = [16 << 10, 256 << 10, 1 << 20, 8 << 20, 64 << 20];

/// Measured at a level of instructions.
pub struct Limits {
    /// The most multiply-adds that were done in registers.
    pub macs_per_second: f64,
    /// Of reading, by footprint.
    bytes_per_second: [f64; FOOTPRINTS.len()],
}

impl Limits {
    pub fn measure(level: Level) -> Limits {
        const MACS: u64 = 1 << 20;
        let macs = limits::multiply_adds(level, MACS);
        let macs_per_second = best(macs as f64, || _ = limits::multiply_adds(level, MACS));
        let memory = vec![1.0_f32; FOOTPRINTS[FOOTPRINTS.len() - 1] / 4];
        let bytes_per_second = FOOTPRINTS.map(|bytes| {
            // Small ones several times, for the clock is coarse.
            let repeats = (1 << 20) / bytes.min(1 << 20);
            let read = || (0..repeats).for_each(|_| limits::read(level, &memory[..bytes / 4]));
            best((repeats * bytes) as f64, read)
        });
        Limits { macs_per_second, bytes_per_second }
    }

    /// The least time that a layer can take.
    pub fn seconds(&self, workload: &Workload) -> f64 {
        let bytes = workload.bytes();
        let footprint = FOOTPRINTS.iter().position(|&size| size as u64 >= bytes);
        let bandwidth = self.bytes_per_second[footprint.unwrap_or(FOOTPRINTS.len() - 1)];
        (workload.macs() as f64 / self.macs_per_second).max(bytes as f64 / bandwidth)
    }
}

/// Work in a second, at best.
fn best(work: f64, mut run: impl FnMut()) -> f64 {
    let times = Times::measure(Duration::from_millis(30), Duration::ZERO, || {
        run();
        Ok::<_, ()>(())
    });
    work / times.map_or(f64::INFINITY, |times| times.min())
}
