//! What a core can do at most, to hold kernels against. The caller measures the time.

#[cfg(target_arch = "aarch64")]
use super::neon;
use super::portable;
use super::vector::Probe;
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};
use crate::cpu::Level;

/// `None` where this CPU lacks the level, and for the reference, which has no vectors.
fn probe(level: Level) -> Option<Probe> {
    match level {
        _ if !level.is_available() => None,
        Level::Portable => Some(portable::PROBE),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => Some(avx2::PROBE),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => Some(avx512::PROBE),
        #[cfg(target_arch = "aarch64")]
        Level::Neon => Some(neon::PROBE),
        _ => None,
    }
}

/// Does multiply-adds in registers, at least `count` of them, and returns how many; 0 where this CPU
/// lacks the level, and for the reference, which has no vectors.
pub fn multiply_adds(level: Level, count: u64) -> u64 {
    let Some(Probe { round, multiply_adds, .. }) = probe(level) else { return 0 };
    let rounds = count.div_ceil(round as u64);
    // SAFETY: the CPU has the level's instructions.
    unsafe { multiply_adds(rounds as usize) };
    rounds * round as u64
}

/// Reads memory in order, with the vectors of a level; does nothing where this CPU lacks the level, and
/// for the reference.
pub fn read(level: Level, data: &[f32]) {
    if let Some(Probe { read, .. }) = probe(level) {
        // SAFETY: the CPU has the level's instructions.
        unsafe { read(data) };
    }
}
