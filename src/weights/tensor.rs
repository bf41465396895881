//! A named tensor and its place in a file.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::io::Write;
use std::ops::Range;
use std::slice;

use super::dtype::{Dtype, bf16, f16};
use super::source::Reader;
use crate::Error;

/// No tensor may have more dimensions; a network's own have at most 4.
pub(super) const MAX_RANK: usize = 8;

/// A tensor of a [`StateDict`](super::StateDict): name, type and shape, and its elements where they
/// stand in the file.
#[derive(Clone, Debug)]
pub struct Tensor<'a> {
    pub(super) name: Cow<'a, str>,
    /// The shape, followed by the strides in elements if the elements are not contiguous. One block,
    /// for a hostile file can hold very many small tensors.
    dims: Box<[usize]>,
    /// The file's bytes from the first element to the last one.
    place: Range<usize>,
    rank: u8,
    dtype: Dtype,
}

/// Sorts tensors. One function for all orders: a sort is kilobytes of code.
#[inline(never)]
pub(super) fn sort(
    tensors: &mut [Tensor<'_>],
    order: &dyn Fn(&Tensor<'_>, &Tensor<'_>) -> Ordering,
) {
    tensors.sort_unstable_by(order);
}

impl<'a> Tensor<'a> {
    /// A tensor whose elements follow one another; the name if the shape does not fill its place exactly.
    pub(super) fn contiguous(
        name: Cow<'a, str>,
        dtype: Dtype,
        shape: &[usize],
        place: Range<usize>,
    ) -> Result<Tensor<'a>, Cow<'a, str>> {
        let bytes = count(shape).and_then(|n| n.checked_mul(dtype.size()));
        if bytes != Some(place.len()) || shape.len() > MAX_RANK {
            return Err(name);
        }
        Ok(Tensor { name, dims: shape.into(), place, rank: shape.len() as u8, dtype })
    }

    /// A view of a storage, as PyTorch writes it; `offset` and `strides` are in elements.
    ///
    /// Refused, with the reason: a view that leaves the storage, and one that has two indices for one
    /// place (a small file could stand for any amount of memory).
    #[cfg(feature = "pth")]
    pub(super) fn view(
        name: Cow<'a, str>,
        dtype: Dtype,
        (shape, strides): (&[usize], &[usize]),
        storage: Range<usize>,
        offset: usize,
    ) -> Result<Tensor<'a>, &'static str> {
        const OUTSIDE: &str = "leaves its storage";
        if shape.len() != strides.len() || shape.len() > MAX_RANK {
            return Err("has a shape and strides that do not belong together");
        }
        let length = count(shape).ok_or(OUTSIDE)?;
        let mut axes: Vec<(usize, usize)> =
            strides.iter().copied().zip(shape.iter().copied()).filter(|axis| axis.1 != 1).collect();
        axes.sort_unstable();
        // `reach` is the largest offset that the axes so far lead to.
        let (mut reach, mut dense) = (0usize, true);
        if length > 0 {
            let mut inner = 1;
            for &(stride, size) in &axes {
                if stride <= reach {
                    return Err("overlaps itself");
                }
                reach = (size - 1)
                    .checked_mul(stride)
                    .and_then(|r| r.checked_add(reach))
                    .ok_or(OUTSIDE)?;
            }
            for (&size, &stride) in shape.iter().zip(strides).rev().filter(|(size, _)| **size != 1)
            {
                dense &= stride == inner;
                inner *= size;
            }
        }
        let elements = if length > 0 { reach.checked_add(1).ok_or(OUTSIDE)? } else { 0 };
        let begin = offset.checked_mul(dtype.size()).ok_or(OUTSIDE)?;
        let end = elements.checked_mul(dtype.size()).and_then(|n| n.checked_add(begin));
        let end = end.filter(|&end| end <= storage.len()).ok_or(OUTSIDE)?;
        let place = storage.start + begin..storage.start + end;
        let dims = if dense { shape.into() } else { [shape, strides].concat().into() };
        Ok(Tensor { name, dims, place, rank: shape.len() as u8, dtype })
    }

    /// Removes the beginning of a name that has it.
    pub(super) fn strip_prefix(&mut self, prefix: &str) {
        match &mut self.name {
            Cow::Borrowed(name) => *name = name.strip_prefix(prefix).unwrap_or(name),
            Cow::Owned(name) if name.starts_with(prefix) => drop(name.drain(..prefix.len())),
            Cow::Owned(_) => {}
        }
    }

    /// The name, in torchvision's naming, without the prefix `module.` that training wrappers add.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Element type in the file.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Shape; empty for a scalar.
    pub fn shape(&self) -> &[usize] {
        &self.dims[..usize::from(self.rank)]
    }

    /// Number of elements.
    pub(super) fn len(&self) -> usize {
        self.shape().iter().product()
    }

    /// Bytes of all elements.
    pub(super) fn size(&self) -> usize {
        self.len() * self.dtype.size()
    }

    /// The file's bytes from the first element to the last one.
    pub(super) fn place(&self) -> Range<usize> {
        self.place.clone()
    }

    /// Whether the elements follow one another in row-major order.
    fn is_contiguous(&self) -> bool {
        self.dims.len() == usize::from(self.rank)
    }

    /// Where an element stands, by its row-major index below [`len`](Tensor::len): its distance from the
    /// first one, in elements.
    fn position(&self, index: usize) -> usize {
        let (shape, strides) = self.dims.split_at(usize::from(self.rank));
        if strides.is_empty() {
            return index;
        }
        let (mut at, mut rest) = (0, index);
        for (&size, &stride) in shape.iter().zip(strides).rev() {
            at += rest % size * stride;
            rest /= size;
        }
        at
    }

    /// Reads as many elements as `values` holds, in row-major order from index `first` on. Types that no
    /// weight has give NaN.
    #[inline(never)] // large, and called from several places
    pub(super) fn read(
        &self,
        reader: &mut Reader<'_>,
        first: usize,
        values: &mut [f64],
    ) -> Result<(), Error> {
        let size = self.dtype.size();
        if self.is_contiguous() {
            let begin = self.place.start + first * size;
            decode(self.dtype, reader.bytes(begin..begin + values.len() * size)?, values);
            return Ok(());
        }
        let bytes = reader.bytes(self.place())?;
        for (index, value) in (first..).zip(values) {
            let element = &bytes[self.position(index) * size..][..size];
            decode(self.dtype, element, slice::from_mut(value));
        }
        Ok(())
    }

    /// Writes the elements' bytes in row-major order.
    pub(super) fn write(&self, reader: &mut Reader<'_>, out: &mut impl Write) -> Result<(), Error> {
        let bytes = reader.bytes(self.place())?;
        let mut write =
            |bytes: &[u8]| out.write_all(bytes).map_err(|source| Error::Write { source });
        if self.is_contiguous() {
            return write(bytes);
        }
        let size = self.dtype.size();
        let mut buffer = Vec::with_capacity(4096);
        for index in 0..self.len() {
            buffer.extend_from_slice(&bytes[self.position(index) * size..][..size]);
            if buffer.len() + 16 > buffer.capacity() || index + 1 == self.len() {
                write(&buffer)?;
                buffer.clear();
            }
        }
        Ok(())
    }
}

/// The numbers that elements' bytes stand for.
fn decode(dtype: Dtype, bytes: &[u8], values: &mut [f64]) {
    fn each<const N: usize>(bytes: &[u8], values: &mut [f64], number: impl Fn([u8; N]) -> f64) {
        for (value, &bytes) in values.iter_mut().zip(bytes.as_chunks().0) {
            *value = number(bytes);
        }
    }
    match dtype {
        Dtype::F64 => each(bytes, values, f64::from_le_bytes),
        Dtype::F32 => each(bytes, values, |b| f32::from_le_bytes(b).into()),
        Dtype::F16 => each(bytes, values, |b| f16(u16::from_le_bytes(b))),
        Dtype::Bf16 => each(bytes, values, |b| bf16(u16::from_le_bytes(b))),
        _ => values.fill(f64::NAN),
    }
}

/// Number of elements of a shape, unless it overflows: also of the shape without its zeros, so that
/// no product over a part of it can.
fn count(shape: &[usize]) -> Option<usize> {
    let all = shape.iter().filter(|&&size| size != 0).try_fold(1usize, |n, &s| n.checked_mul(s))?;
    Some(if shape.contains(&0) { 0 } else { all })
}

#[cfg(all(test, feature = "pth"))]
mod tests {
    use super::*;

    fn view(
        shape: &[usize],
        strides: &[usize],
        offset: usize,
    ) -> Result<Tensor<'static>, &'static str> {
        Tensor::view("t".into(), Dtype::U8, (shape, strides), 100..112, offset)
    }

    /// Where in its storage each element stands.
    fn elements(tensor: &Tensor<'_>) -> Vec<usize> {
        let position = |i| tensor.place.start + tensor.position(i) - 100;
        (0..tensor.len()).map(position).collect()
    }

    #[test]
    fn views_are_read_in_row_major_order() {
        let transposed = view(&[3, 4], &[1, 3], 0).unwrap();
        assert_eq!(elements(&transposed), [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]);
        assert!(!transposed.is_contiguous());
        let every_second = view(&[2, 2], &[6, 2], 1).unwrap();
        assert_eq!(elements(&every_second), [1, 3, 7, 9]);
        // An axis of one element has no stride that matters.
        let row = view(&[1, 4, 1], &[99, 1, 0], 8).unwrap();
        assert!(row.is_contiguous());
        assert_eq!(elements(&row), [8, 9, 10, 11]);
        assert_eq!(view(&[], &[], 11).unwrap().place(), 111..112);
        assert_eq!(view(&[0, 4], &[4, 1], 12).unwrap().place(), 112..112);
    }

    #[test]
    fn views_outside_and_overlapping_ones_are_refused() {
        let outside = Some("leaves its storage");
        assert_eq!(view(&[13], &[1], 0).err(), outside);
        assert_eq!(view(&[1], &[1], 12).err(), outside);
        assert_eq!(view(&[0], &[1], 13).err(), outside);
        assert_eq!(view(&[2, 2], &[11, 1], 0).err(), outside);
        assert_eq!(view(&[2], &[1], usize::MAX).err(), outside);
        assert_eq!(view(&[2], &[usize::MAX], 1).err(), outside);
        assert_eq!(view(&[3, 3], &[usize::MAX / 2, 1], 0).err(), outside);
        assert_eq!(view(&[usize::MAX, 3], &[1, 0], 0).err(), outside);
        let overlap = Some("overlaps itself");
        assert_eq!(view(&[2], &[0], 0).err(), overlap);
        assert_eq!(view(&[4, 4], &[1, 1], 0).err(), overlap);
        assert_eq!(view(&[2, 3], &[2, 1], 0).err(), overlap);
        assert!(view(&[2], &[1, 1], 0).is_err());
        assert!(view(&[1; 9], &[1; 9], 0).is_err());
    }
}
