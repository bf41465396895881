//! What a core can do at most: multiply-adds in registers, and reading memory.

use super::{Vector, unrolled};
use std::hint::black_box;

/// `rounds` times `SUMS` multiply-adds that do not wait for each other; returns some of what came out.
///
/// # Safety
/// The CPU has the vector's instructions.
#[inline(always)]
pub(in crate::kernels) unsafe fn multiply_adds<V: Vector, const SUMS: usize>(rounds: usize) -> f32 {
    let mut out = [0.0; 16];
    // Nothing that the compiler could compute, and all sums different.
    let start: [f32; SUMS] = black_box(std::array::from_fn(|i| i as f32));
    let numbers = black_box([0.999, 0.001]);
    // SAFETY: promised by the caller; no vector is longer than `out`.
    unsafe {
        let (factor, term) = (V::splat(&numbers[0]), V::splat(&numbers[1]));
        let mut sums = [term; SUMS];
        unrolled!(SUMS, |i| sums[i] = V::splat(&start[i]));
        for _ in 0..rounds {
            unrolled!(SUMS, |i| sums[i] = sums[i].multiply_add(factor, term));
        }
        let mut total = V::zero();
        for sum in sums {
            total = total.add(sum);
        }
        total.store(out.as_mut_ptr());
    }
    // All of it: lanes that nobody asks for would not be computed.
    out.iter().sum()
}

/// Reads whole groups of eight vectors, in order; returns some sum of them.
///
/// # Safety
/// As above.
#[inline(always)]
pub(in crate::kernels) unsafe fn read<V: Vector>(data: &[f32]) -> f32 {
    let mut out = [0.0; 16];
    // SAFETY: promised by the caller; chunks cover eight vectors.
    unsafe {
        let mut sums = [V::zero(); 8];
        for chunk in data.chunks_exact(8 * V::LANES) {
            unrolled!(8, |i| sums[i] = sums[i].add(V::load(chunk.as_ptr().add(i * V::LANES))));
        }
        let mut total = V::zero();
        for sum in sums {
            total = total.add(sum);
        }
        total.store(out.as_mut_ptr());
    }
    // All of it: lanes that nobody asks for would not be computed.
    out.iter().sum()
}

/// The probes of an instruction set: how many sums fill its registers.
macro_rules! probes {
    ($(#[$attribute:meta])* $vector:ty, sums $sums:literal) => {
        use crate::kernels::vector::{Vector, probe};

        /// Multiply-adds in a round.
        pub(in crate::kernels) const ROUND: usize = $sums * <$vector>::LANES;

        /// # Safety
        /// The CPU has the instructions.
        $(#[$attribute])*
        pub(in crate::kernels) unsafe fn multiply_adds(rounds: usize) -> f32 {
            // SAFETY: promised by the caller.
            unsafe { probe::multiply_adds::<$vector, $sums>(rounds) }
        }

        /// # Safety
        /// The CPU has the instructions.
        $(#[$attribute])*
        pub(in crate::kernels) unsafe fn read(data: &[f32]) -> f32 {
            // SAFETY: promised by the caller.
            unsafe { probe::read::<$vector>(data) }
        }
    };
}
pub(in crate::kernels) use probes;
