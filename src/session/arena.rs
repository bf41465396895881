//! The memory that steps work in.

use crate::kernels::AlignedFloats;
use crate::plan::Region;

/// What an arena begins at a multiple of, in bytes.
#[cfg(feature = "capi")]
pub(crate) const ALIGNMENT: usize = 64;

/// A session's activations, handed out by region.
pub(super) enum Arena {
    Own(AlignedFloats),
    /// Memory that outlives the session.
    #[cfg(feature = "capi")]
    Lent(&'static mut [f32]),
}

impl Arena {
    /// One allocation; `None` where there is not so much memory.
    pub fn new(len: usize) -> Option<Arena> {
        AlignedFloats::try_zeroed(len).map(Arena::Own)
    }

    fn floats(&self) -> &[f32] {
        match self {
            Arena::Own(floats) => floats,
            #[cfg(feature = "capi")]
            Arena::Lent(floats) => floats,
        }
    }

    fn floats_mut(&mut self) -> &mut [f32] {
        match self {
            Arena::Own(floats) => floats,
            #[cfg(feature = "capi")]
            Arena::Lent(floats) => floats,
        }
    }

    /// Number of floats.
    pub fn len(&self) -> usize {
        self.floats().len()
    }

    pub fn slice(&self, region: Region) -> &[f32] {
        &self.floats()[region.range()]
    }

    /// Several regions at once.
    ///
    /// # Panics
    /// If they overlap; a schedule's regions of one step do not.
    pub fn split<const N: usize>(&mut self, regions: [Region; N]) -> [&mut [f32]; N] {
        match self.floats_mut().get_disjoint_mut(regions.map(Region::range)) {
            Ok(slices) => slices,
            Err(_) => unreachable!("regions of one step overlap: {regions:?}"),
        }
    }
}
