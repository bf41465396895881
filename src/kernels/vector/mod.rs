//! The fast kernels, once: generic over a vector of floats, and compiled for each instruction set by
//! thin entries in this module's siblings.
//!
//! Whatever the vector, an output is the reference's chain of multiply-adds, in the same order.

mod depthwise;
mod entries;
mod max_pool;
mod pointwise;
mod stem;
mod tile;

pub(super) use depthwise::depthwise;
pub(super) use entries::entries;
pub(super) use max_pool::max_pool;
pub(super) use pointwise::{Blocks, Mean};
pub(super) use stem::{channel_groups, stem_tile};

use super::args::{ColumnRange, RawView};

/// A vector of `LANES` floats.
///
/// # Safety
/// An implementation's operations are the lane-wise ones that their names say, with fused
/// multiply-adds where the level promises the reference's bits.
pub(super) unsafe trait Vector: Copy {
    /// Floats in the vector.
    const LANES: usize;

    /// Four neighbouring inputs of one row, in whatever form makes multiplying by each of them cheap.
    type Quad: Copy;

    /// # Safety
    /// `from` covers the vector. The CPU has the instructions; so for all operations.
    unsafe fn load(from: *const f32) -> Self;
    /// # Safety
    /// `to` covers the vector.
    unsafe fn store(self, to: *mut f32);
    /// # Safety
    /// `to` covers `len` floats, 1 to `LANES`.
    unsafe fn store_first(self, to: *mut f32, len: usize);
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
    /// # Safety
    /// As above.
    unsafe fn divide(self, other: Self) -> Self;
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
    /// # Safety
    /// `from` covers four floats.
    unsafe fn quad(from: *const f32) -> Self::Quad;
    /// `quad[I] * factor + sum`
    ///
    /// # Safety
    /// As above, and the floats that the quad was made from are still there.
    unsafe fn multiply_add_quad<const I: i32>(quad: Self::Quad, factor: Self, sum: Self) -> Self;
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

/// `count` in pieces of at most `most` that differ by at most one: the first of each, and how many.
/// Even pieces keep more multiply-adds in flight than full ones with a small rest.
#[inline(always)]
pub(super) fn even_pieces(count: usize, most: usize) -> impl Iterator<Item = (usize, usize)> {
    let pieces = count.div_ceil(most);
    let (len, longer) = (count / pieces.max(1), count % pieces.max(1));
    (0..pieces).map(move |i| (i * len + i.min(longer), len + usize::from(i < longer)))
}

/// Runs code with a number as a constant, one copy for each number listed.
macro_rules! with_constant {
    ($value:expr, [$($n:literal)*], |$constant:ident| $body:expr) => {
        match $value {
            $($n => {
                const $constant: usize = $n;
                $body
            })*
            _ => unreachable!("a tile larger than the registers"),
        }
    };
}
pub(super) use with_constant;
