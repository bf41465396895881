//! What a core can do at most: multiply-adds in registers, and reading memory.

use super::{Vector, unrolled};
use std::hint::black_box;

/// An instruction set's measurements of the core. To be called only where the CPU has it.
pub(in crate::kernels) struct Probe {
    /// Multiply-adds in a round.
    pub round: usize,
    /// Does so many rounds.
    pub multiply_adds: unsafe fn(usize),
    /// Reads memory in order.
    pub read: unsafe fn(&[f32]),
}

/// `rounds` times `SUMS` multiply-adds, each added to a sum of its own.
///
/// # Safety
/// The CPU has the vector's instructions.
#[inline(always)]
pub(in crate::kernels) unsafe fn multiply_adds<V: Vector, const SUMS: usize>(rounds: usize) {
    // Nothing that the compiler could compute, and all sums different.
    let start: [f32; SUMS] = black_box(std::array::from_fn(|i| i as f32));
    let numbers = black_box([0.999, 0.001]);
    // SAFETY: promised by the caller.
    unsafe {
        let (factor, other) = (V::splat(&numbers[0]), V::splat(&numbers[1]));
        let mut sums = [other; SUMS];
        unrolled!(SUMS, |i| sums[i] = V::splat(&start[i]));
        for _ in 0..rounds {
            unrolled!(SUMS, |i| sums[i] = factor.multiply_add(other, sums[i]));
        }
        use_up(sums);
    }
}

/// Reads whole groups of eight vectors.
///
/// # Safety
/// As above.
#[inline(always)]
pub(in crate::kernels) unsafe fn read<V: Vector>(data: &[f32]) {
    // SAFETY: promised by the caller; chunks cover eight vectors.
    unsafe {
        let mut sums = [V::zero(); 8];
        for chunk in data.chunks_exact(8 * V::LANES) {
            unrolled!(8, |i| sums[i] = sums[i].add(V::load(chunk.as_ptr().add(i * V::LANES))));
        }
        use_up(sums);
    }
}

/// Makes the compiler compute every lane.
///
/// # Safety
/// As above.
#[inline(always)]
unsafe fn use_up<V: Vector, const N: usize>(vectors: [V; N]) {
    let mut out = [0.0; 16];
    for vector in vectors {
        // SAFETY: promised by the caller; no vector is longer than `out`.
        unsafe { vector.store(out.as_mut_ptr()) };
        black_box(&out);
    }
}

/// The probe of an instruction set: how many sums keep its multipliers busy.
macro_rules! probe {
    ($(#[$attribute:meta])* $vector:ty, sums $sums:literal) => {
        use crate::kernels::vector::{self, Probe, Vector};

        pub(in crate::kernels) const PROBE: Probe =
            Probe { round: $sums * <$vector>::LANES, multiply_adds, read };

        /// # Safety
        /// The CPU has the instructions.
        $(#[$attribute])*
        unsafe fn multiply_adds(rounds: usize) {
            // SAFETY: promised by the caller.
            unsafe { vector::multiply_adds::<$vector, $sums>(rounds) }
        }

        /// # Safety
        /// The CPU has the instructions.
        $(#[$attribute])*
        unsafe fn read(data: &[f32]) {
            // SAFETY: promised by the caller.
            unsafe { vector::read::<$vector>(data) }
        }
    };
}
pub(in crate::kernels) use probe;
