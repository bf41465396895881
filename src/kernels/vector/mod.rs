//! The fast kernels, once: generic over a vector of floats, and compiled for each instruction set by
//! thin files in this module's siblings.
//!
//! Whatever the vector, an output is the reference's chain of multiply-adds, in the same order.

mod depthwise;
mod fully_connected;
mod max_pool;
mod pointwise;
mod probe;
mod stem;
mod tile;

pub(super) use depthwise::{depthwise, depthwise_kernels};
pub(super) use fully_connected::fully_connected_kernel;
pub(super) use max_pool::{max_pool, max_pool_kernel};
pub(super) use pointwise::{Block, Mean, Scratch, Shares, Target, Tiles, pointwise_kernels};
pub(super) use probe::{Probe, multiply_adds, probe, read};
pub(super) use stem::{Group, channel_groups, stem_kernel, stem_pixel, stem_tiles, tiled_pixels};

use super::args::{ColumnRange, RawView};

/// A vector of `LANES` floats.
///
/// # Safety
/// An implementation's operations are the lane-wise ones that their names say, with fused
/// multiply-adds where the level promises the reference's bits.
pub(super) unsafe trait Vector: Copy {
    /// Floats in the vector.
    const LANES: usize;
    /// Whether there is `store_part`.
    const PARTS: bool = false;
    /// Whether it is as fast as `store`.
    const MASKS: bool = false;
    /// Whether a tile's results are added up to a mean in registers. That makes code large where there are many tiles.
    const MEANS: bool = false;
    /// Whether compiled tiles have results that go through a scratch: those of a mean, or those that are parts.
    const SCRATCH: bool = !(Self::MEANS && Self::PARTS);
    /// Inputs in a turn of the inner loop: 4, or 2 where a CPU could not replay so long a loop without
    /// decoding it, and where `quad` loads nothing.
    const STEP: usize = 4;
    /// Whether weights of four inputs are loaded together: cores that start instructions in their order wait
    /// whenever loads follow multiply-adds, so that they want few groups of loads.
    const GATHERED: bool = false;

    /// Four neighbouring inputs of one row, and one of them, in whatever form makes multiplying by it
    /// cheap.
    type Quad: Copy;
    /// See [`Vector::Quad`].
    type Picked: Copy;

    /// # Safety
    /// `from` covers the vector. The CPU has the instructions; so for all operations.
    unsafe fn load(from: *const f32) -> Self;
    /// # Safety
    /// `to` covers the vector.
    unsafe fn store(self, to: *mut f32);
    /// Stores the lanes `from .. until` alone, at least one, each where `store` would. Not called without
    /// `PARTS`.
    ///
    /// # Safety
    /// `to` covers these lanes.
    unsafe fn store_part(self, _to: *mut f32, _from: usize, _until: usize) {
        unreachable!("a vector that stores no parts")
    }
    /// # Safety
    /// `from` covers a float.
    unsafe fn splat(from: *const f32) -> Self;
    /// # Safety
    /// As above.
    unsafe fn zero() -> Self;
    /// `self * factor + sum`
    ///
    /// # Safety
    /// As above.
    unsafe fn multiply_add(self, factor: Self, sum: Self) -> Self;
    /// # Safety
    /// As above.
    unsafe fn add(self, other: Self) -> Self;
    /// Asks for the cache line there, which need not exist; or does nothing.
    ///
    /// # Safety
    /// As above.
    unsafe fn prefetch(_line: *const f32) {}
    /// `if self > other { self } else { other }`
    ///
    /// # Safety
    /// As above.
    unsafe fn greater_or(self, other: Self) -> Self;
    /// `if self > 0 { self } else { +0 }`
    ///
    /// # Safety
    /// As above.
    unsafe fn relu(self) -> Self;
    /// The same, computed before anything that follows is loaded: without a loop the compiler loads inputs
    /// early, and spills them.
    ///
    /// # Safety
    /// As above.
    unsafe fn settled(self) -> Self {
        self
    }
    /// The weights of four inputs, all loaded before any is used, where `GATHERED`.
    ///
    /// # Safety
    /// As above.
    unsafe fn gathered<const N: usize>(weights: [[Self; N]; 4]) -> [[Self; N]; 4] {
        weights
    }
    /// Four inputs from `row * stride` after `from` on; `row` is at most 2.
    ///
    /// # Safety
    /// There are four floats.
    unsafe fn quad(from: *const f32, row: usize, stride: usize) -> Self::Quad;
    /// A quad of which only the first input is picked.
    ///
    /// # Safety
    /// There is a float.
    unsafe fn one(from: *const f32, row: usize, stride: usize) -> Self::Quad;
    /// # Safety
    /// The floats that the quad was made from are still there.
    unsafe fn pick<const I: i32>(quad: Self::Quad) -> Self::Picked;
    /// `self * picked + sum`
    ///
    /// # Safety
    /// As above.
    unsafe fn multiply_add_picked<const I: i32>(self, picked: Self::Picked, sum: Self) -> Self;
}

/// The ranges of a view.
///
/// # Safety
/// `ranges` points at `range_count` ranges that live as long as the result.
#[inline(always)]
unsafe fn ranges<'a, T>(view: &RawView<T>) -> &'a [ColumnRange] {
    // SAFETY: promised by the caller.
    unsafe { std::slice::from_raw_parts(view.ranges, view.range_count) }
}

/// The first channels of vectors that cover at least `V::LANES` channels. The last vector may overlap
/// the one before: channels do not depend on each other, so that it stores the same values.
#[inline(always)]
fn channel_vectors<V: Vector>(channels: usize) -> impl Iterator<Item = usize> {
    (0..channels).step_by(V::LANES).map(move |c| c.min(channels - V::LANES))
}

/// Pieces of the same length, one after the other.
#[derive(Clone, Copy, Default)]
pub(super) struct Run {
    pub start: usize,
    /// Of one piece.
    pub len: usize,
    pub pieces: usize,
}

/// `count` in pieces of at most `most` that differ by at most one, the longer ones first; of either there may be
/// none. Even pieces keep more multiply-adds in flight than full ones with a small rest.
#[inline(always)]
pub(super) fn even_runs(count: usize, most: usize) -> [Run; 2] {
    let pieces = count.div_ceil(most);
    let (len, longer) = (count / pieces.max(1), count % pieces.max(1));
    [
        Run { start: 0, len: len + 1, pieces: longer },
        Run { start: longer * (len + 1), len, pieces: pieces - longer },
    ]
}

/// `pointer`, of which the compiler knows nothing: otherwise it computes all addresses of a tile ahead of the
/// loops around it, more than there are registers, and keeps them in memory.
#[allow(clippy::pointers_in_nomem_asm_block)] // nothing is read
#[inline(always)]
fn opaque<T>(pointer: *const T) -> *const T {
    #[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
    {
        let mut pointer = pointer;
        // SAFETY: there is no instruction.
        unsafe {
            std::arch::asm!("/* {} */", inout(reg) pointer, options(nomem, nostack, preserves_flags));
        }
        pointer
    }
    #[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
    pointer
}

/// Row `i`, for `i` from 0 on, of rows `stride` floats apart, reached from every third row. To step from each
/// row to the next would be one long chain.
#[inline(always)]
fn row_after(group: &mut *mut f32, i: usize, stride: usize) -> *mut f32 {
    if i > 0 && i.is_multiple_of(3) {
        *group = opaque(group.wrapping_add(3 * stride)).cast_mut();
    }
    group.wrapping_add(i % 3 * stride)
}

/// The most that [`unrolled!`] repeats.
const MOST_UNROLLED: usize = 16;

/// Code for every number below a constant, at most [`MOST_UNROLLED`], certainly unrolled: values in an array with an
/// index that is known late would lie in memory.
///
/// The literal 3 has an arm of its own: each nested level would otherwise make the compiler check sixteen bodies where
/// three live.
macro_rules! unrolled {
    (3, |$i:ident| $body:expr) => {
        unrolled!(3, $i, $body, 0 1 2)
    };
    ($count:expr, |$i:ident| $body:expr) => {
        unrolled!($count, $i, $body, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
    };
    ($count:expr, $i:ident, $body:expr, $($n:literal)*) => {
        $(if $n < $count {
            let $i = $n;
            $body
        })*
    };
}
use unrolled;
