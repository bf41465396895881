//! What a core can do at most, to hold kernels against. The caller measures the time.

#[cfg(target_arch = "aarch64")]
use super::neon;
use super::portable;
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};
use crate::cpu::Level;
use std::hint::black_box;

/// Does multiply-adds in registers, at least `count` of them, and returns how many; 0 where this CPU
/// lacks the level, and for the reference, which has no vectors.
pub fn multiply_adds(level: Level, count: u64) -> u64 {
    if !level.is_available() {
        return 0;
    }
    // SAFETY: the CPU has the level's instructions.
    let run = |round: usize, run: unsafe fn(usize) -> f32| unsafe {
        let rounds = count.div_ceil(round as u64);
        black_box(run(black_box(rounds as usize)));
        rounds * round as u64
    };
    match level {
        Level::Portable => run(portable::probe::ROUND, portable::probe::multiply_adds),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => run(avx2::probe::ROUND, avx2::probe::multiply_adds),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => run(avx512::probe::ROUND, avx512::probe::multiply_adds),
        #[cfg(target_arch = "aarch64")]
        Level::Neon => run(neon::probe::ROUND, neon::probe::multiply_adds),
        _ => 0,
    }
}

/// Reads memory in order, with the vectors of a level; does nothing where this CPU lacks the level, and
/// for the reference.
pub fn read(level: Level, data: &[f32]) {
    if !level.is_available() {
        return;
    }
    // SAFETY: the CPU has the level's instructions.
    let sum = unsafe {
        match level {
            Level::Portable => portable::probe::read(data),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => avx2::probe::read(data),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => avx512::probe::read(data),
            #[cfg(target_arch = "aarch64")]
            Level::Neon => neon::probe::read(data),
            _ => 0.0,
        }
    };
    black_box(sum);
}
