//! The memory that steps work in.

use crate::kernels::AlignedFloats;
use crate::plan::Region;

/// A session's activations: one allocation, handed out by region.
pub(super) struct Arena(AlignedFloats);

impl Arena {
    /// `None` where there is not so much memory.
    pub fn new(len: usize) -> Option<Arena> {
        AlignedFloats::try_zeroed(len).map(Arena)
    }

    /// Number of floats.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn slice(&self, region: Region) -> &[f32] {
        &self.0[region.range()]
    }

    /// Several regions at once.
    ///
    /// # Panics
    /// If they overlap; a schedule's regions of one step do not.
    pub fn split<const N: usize>(&mut self, regions: [Region; N]) -> [&mut [f32]; N] {
        match self.0.get_disjoint_mut(regions.map(Region::range)) {
            Ok(slices) => slices,
            Err(_) => unreachable!("regions of one step overlap: {regions:?}"),
        }
    }
}
