//! The memory that steps work in, and who may touch which part of it. All `unsafe` of sessions is here.
//!
//! A step declares its areas. Whoever runs it has a [`Lease`] of exactly these: nothing else writes to
//! what it reads, or touches what it writes, while the lease lives. With one thread that follows from a
//! mutable borrow of the memory; with several, from the order in which a [`Board`] hands out leases.

mod board;
mod claims;

/// The atomics that claims are made of; a model checker has others.
mod sync {
    pub use std::sync::atomic::{AtomicUsize, Ordering};
}

pub(super) use board::{Board, Caller, Claim, Program, Run, Worker, wait};

use crate::Error;
use crate::kernels::{View, ViewMut};
use crate::plan::{Area, Owner, Region};
use std::cell::UnsafeCell;
use std::ops::{Deref, Range};

/// A cache line of floats that threads may share.
#[repr(C, align(64))]
pub(crate) struct Line(UnsafeCell<[f32; 16]>);

// SAFETY: only leases touch the floats, and no two of them at a time in a way that would be a race.
unsafe impl Sync for Line {}

/// How many floats steps share, and how many each of some threads has for itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub shared: usize,
    pub own: usize,
    pub threads: usize,
}

impl Room {
    /// For a single thread, whose own floats are the shared ones.
    pub fn exclusive(floats: usize) -> Room {
        Room { shared: floats, own: 0, threads: 0 }
    }

    /// Its size in bytes; `None` where no memory is so large.
    pub fn bytes(self) -> Option<usize> {
        let shared = self.shared.checked_next_multiple_of(16)?;
        let own = self.own.checked_next_multiple_of(16)?.checked_mul(self.threads)?;
        shared.checked_add(own)?.checked_mul(size_of::<f32>())
    }
}

/// What a session's memory is taken from.
pub(crate) enum Arena {
    Heap,
    /// Memory that somebody lends for longer than the session lives.
    #[cfg(feature = "capi")]
    Lent(&'static [Line]),
}

impl Arena {
    /// What lent memory begins at a multiple of, in bytes.
    #[cfg(feature = "capi")]
    pub const ALIGNMENT: usize = align_of::<Line>();

    /// Memory from `start` on. What it holds is lost.
    ///
    /// # Safety
    /// `start` is a multiple of [`Arena::ALIGNMENT`], and the `bytes` there belong to the arena and to the session
    /// that is made with it, and to nobody else, for as long as these live.
    #[cfg(feature = "capi")]
    pub unsafe fn lent(start: std::ptr::NonNull<u8>, bytes: usize) -> Arena {
        let (lines, count) = (start.cast::<Line>().as_ptr(), bytes / size_of::<Line>());
        // SAFETY: the memory is aligned and the arena's alone; zeros are floats.
        unsafe {
            lines.write_bytes(0, count);
            Arena::Lent(std::slice::from_raw_parts(lines, count))
        }
    }

    /// `None` where there is not so much memory.
    pub(super) fn take(&mut self, room: Room) -> Option<Memory> {
        let count = room.bytes()? / size_of::<Line>();
        let lines = match self {
            Arena::Heap => {
                let mut lines = Vec::new();
                lines.try_reserve_exact(count).ok()?;
                lines.resize_with(count, || Line(UnsafeCell::new([0.0; 16])));
                Lines::Own(lines.into())
            }
            #[cfg(feature = "capi")]
            Arena::Lent(lines) => Lines::Lent(lines.split_off(..count)?),
        };
        let [shared, own] = [room.shared, room.own].map(|floats| floats.next_multiple_of(16));
        Some(Memory { lines, shared, own })
    }
}

enum Lines {
    Own(Box<[Line]>),
    #[cfg(feature = "capi")]
    Lent(&'static [Line]),
}

impl Deref for Lines {
    type Target = [Line];

    fn deref(&self) -> &[Line] {
        match self {
            Lines::Own(lines) => lines,
            #[cfg(feature = "capi")]
            Lines::Lent(lines) => lines,
        }
    }
}

/// Floats that steps share, and then those that each thread has for itself.
pub(super) struct Memory {
    lines: Lines,
    shared: usize,
    own: usize,
}

impl Memory {
    /// Number of floats.
    pub fn len(&self) -> usize {
        self.lines.len() * 16
    }

    fn base(&self) -> *mut f32 {
        self.lines.as_ptr().cast_mut().cast()
    }

    /// Shared floats, while there is no lease.
    pub fn slice(&self, region: Region) -> &[f32] {
        // SAFETY: a lease of memory that is not a board's borrows it mutably; a board lends none of its.
        unsafe { self.slice_unguarded(region) }
    }

    /// # Safety
    /// Nobody writes to the region while the slice lives.
    unsafe fn slice_unguarded(&self, region: Region) -> &[f32] {
        assert!(region.end() <= self.len(), "{region:?} lies outside the memory");
        // SAFETY: it lies inside the memory; the rest is promised by the caller.
        unsafe { std::slice::from_raw_parts(self.base().add(region.offset), region.len) }
    }

    /// Everything, for a single thread: its own memory is the shared one.
    pub fn exclusive<'a>(&'a mut self, areas: &'a [Area]) -> Lease<'a> {
        Lease { memory: self, own: 0..self.shared, areas }
    }
}

/// Some rows of an area, by its index among the step's.
pub(super) type Part = (usize, Range<usize>);

/// The areas of one step, for as long as it runs.
pub(super) struct Lease<'a> {
    memory: &'a Memory,
    /// The thread's own floats.
    own: Range<usize>,
    areas: &'a [Area],
}

/// A part, found in memory.
struct Found<'a> {
    area: &'a Area,
    rows: usize,
    /// Its first row's first float, and the end of the area.
    floats: Range<usize>,
    /// From the first float that is touched to the last.
    extent: Range<usize>,
}

impl Found<'_> {
    fn meets(&self, other: &Found<'_>) -> bool {
        self.extent.start < other.extent.end && other.extent.start < self.extent.end
    }
}

/// Inlined, so that views are made where they are used and not copied there.
impl<'a> Lease<'a> {
    /// # Panics
    /// If the step has no such part, which is a bug of the step.
    #[inline(always)]
    fn find(&self, (index, rows): Part) -> Found<'a> {
        let areas: &'a [Area] = self.areas;
        let area = &areas[index];
        assert!(rows.start <= rows.end && rows.end <= area.rows, "area {index} has no {rows:?}");
        let owned = match area.owner {
            Owner::Shared => 0..self.memory.shared,
            Owner::Thread => self.own.clone(),
        };
        let end = owned.start + area.region.end();
        assert!(end <= owned.end, "area {index} is not its owner's");
        let start = owned.start + area.region.offset + rows.start * area.stride;
        let (first, last) = (&area.columns[0], &area.columns[area.columns.len() - 1]);
        let extent = match rows.len() {
            0 => start..start,
            count => start + first.start..start + (count - 1) * area.stride + last.end(),
        };
        Found { area, rows: rows.len(), floats: start..end, extent }
    }

    /// A part to write, and a check that none that is read meets it.
    #[inline(always)]
    fn find_output(&self, part: Part, inputs: &[&Found<'_>]) -> Found<'a> {
        let output = self.find(part);
        assert!(output.area.write, "an area to read is written");
        assert!(!inputs.iter().any(|input| input.meets(&output)), "what is read is written too");
        output
    }

    /// # Safety
    /// Nothing writes to the part while the view lives.
    #[inline(always)]
    unsafe fn view(&self, found: &Found<'a>) -> Result<View<'_>, Error> {
        let (area, len) = (found.area, found.floats.len());
        // SAFETY: the floats lie inside the memory; nothing else writes to the lease's areas, and the
        // caller promises the rest.
        unsafe {
            let data = self.memory.base().add(found.floats.start);
            View::from_raw(data, len, found.rows, area.stride, &area.columns)
        }
    }

    /// # Safety
    /// Nothing else touches the part while the view lives.
    #[inline(always)]
    unsafe fn view_mut(&self, found: &Found<'a>) -> Result<ViewMut<'_>, Error> {
        let (area, len) = (found.area, found.floats.len());
        // SAFETY: the floats lie inside the memory; nothing else touches what the lease writes, and the
        // caller promises the rest.
        unsafe {
            let data = self.memory.base().add(found.floats.start);
            ViewMut::from_raw(data, len, found.rows, area.stride, &area.columns)
        }
    }

    /// A part to write.
    ///
    /// # Errors
    /// As for [`View::new`].
    #[inline(always)]
    pub fn output(&mut self, output: Part) -> Result<ViewMut<'_>, Error> {
        let output = self.find_output(output, &[]);
        // SAFETY: the lease is borrowed mutably, so that it has no other view.
        unsafe { self.view_mut(&output) }
    }

    /// A part to read and one to write.
    ///
    /// # Errors
    /// As for [`View::new`].
    #[inline(always)]
    pub fn pair(&mut self, input: Part, output: Part) -> Result<(View<'_>, ViewMut<'_>), Error> {
        let input = self.find(input);
        let output = self.find_output(output, &[&input]);
        // SAFETY: the lease is borrowed mutably, so that it has no other views; these do not meet.
        unsafe { Ok((self.view(&input)?, self.view_mut(&output)?)) }
    }

    /// The floats of a part that has no others between its rows.
    #[inline(always)]
    fn whole(found: &Found<'_>) -> usize {
        let len = found.rows * found.area.stride;
        assert_eq!(found.extent.len(), len, "an area with gaps");
        len
    }

    /// All floats of a part that has no others between its rows.
    #[inline(always)]
    pub fn floats(&mut self, output: Part) -> &mut [f32] {
        let output = self.find_output(output, &[]);
        let (start, len) = (output.extent.start, Lease::whole(&output));
        // SAFETY: they are the part's, and the lease is borrowed mutably, so that it has no view.
        unsafe { std::slice::from_raw_parts_mut(self.memory.base().add(start), len) }
    }

    /// Copies one part to another, neither with floats between its rows.
    #[inline(never)] // seldom: for edges alone
    pub fn copy(&mut self, from: Part, to: Part) {
        let from = self.find(from);
        let to = self.find_output(to, &[&from]);
        let len = Lease::whole(&from);
        assert_eq!(len, Lease::whole(&to), "parts of two sizes");
        let base = self.memory.base();
        // SAFETY: they are the parts', which do not meet; the lease is borrowed mutably, so that it has no
        // view.
        unsafe {
            let from = base.add(from.extent.start).cast_const();
            from.copy_to_nonoverlapping(base.add(to.extent.start), len);
        }
    }
}
