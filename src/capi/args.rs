//! Pointers and lengths of a caller, checked before they are used.

use super::status::{Failure, sn_status};
use std::ffi::{CStr, c_char};
use std::mem::MaybeUninit;

fn check<T>(pointer: *const T, name: &str) -> Result<(), Failure> {
    check_alignment(pointer.addr(), align_of::<T>(), name)
}

/// That an address is not 0, and a multiple of a number.
pub(super) fn check_alignment(address: usize, alignment: usize, name: &str) -> Result<(), Failure> {
    if address == 0 {
        return Err(Failure::new(sn_status::SN_NULL, format!("{name} is NULL")));
    }
    if !address.is_multiple_of(alignment) {
        let text = format!("{name} is at {address:#x}, expected a multiple of {alignment}");
        return Err(Failure::new(sn_status::SN_MISALIGNED, text));
    }
    Ok(())
}

/// What a pointer points to.
///
/// # Safety
/// `pointer` is anything that is refused here, or points to a `T` that nobody writes.
pub(super) unsafe fn reference<'a, T>(pointer: *const T, name: &str) -> Result<&'a T, Failure> {
    check(pointer, name)?;
    // SAFETY: not null, aligned, and promised by the caller.
    Ok(unsafe { &*pointer })
}

/// Where a function stores a result.
///
/// # Safety
/// `pointer` is anything that is refused here, or points to a `T`, which may hold anything that a `T`
/// can and is used by nobody else.
pub(super) unsafe fn output<'a, T>(pointer: *mut T, name: &str) -> Result<&'a mut T, Failure> {
    check(pointer, name)?;
    // SAFETY: not null, aligned, and promised by the caller.
    Ok(unsafe { &mut *pointer })
}

/// That so many elements are aligned and in the address space.
pub(super) fn check_range<T>(pointer: *const T, len: usize, name: &str) -> Result<(), Failure> {
    check(pointer, name)?;
    check_end(pointer.addr(), len, size_of::<T>(), name)
}

fn check_end(address: usize, len: usize, size: usize, name: &str) -> Result<(), Failure> {
    let bytes = len.checked_mul(size).filter(|&n| n <= isize::MAX as usize);
    if bytes.and_then(|n| address.checked_add(n)).is_none() {
        let found = format!("{len} at {address:#x}");
        return Err(Failure::argument("length", found, format!("a {name} that is in memory")));
    }
    Ok(())
}

/// `len` elements to read.
///
/// # Safety
/// `pointer` and `len` are anything that is refused here, or stand for `len` elements that nobody
/// writes.
pub(super) unsafe fn slice<'a, T>(
    pointer: *const T,
    len: usize,
    name: &str,
) -> Result<&'a [T], Failure> {
    check_range(pointer, len, name)?;
    // SAFETY: not null, aligned, no longer than memory, and promised by the caller.
    Ok(unsafe { std::slice::from_raw_parts(pointer, len) })
}

/// `len` elements to write.
///
/// # Safety
/// `pointer` and `len` are anything that is refused here, or stand for `len` elements that hold
/// anything that a `T` can and are used by nobody else.
pub(super) unsafe fn slice_mut<'a, T>(
    pointer: *mut T,
    len: usize,
    name: &str,
) -> Result<&'a mut [T], Failure> {
    check_range(pointer, len, name)?;
    // SAFETY: not null, aligned, no longer than memory, and promised by the caller.
    Ok(unsafe { std::slice::from_raw_parts_mut(pointer, len) })
}

/// That two arrays of so many elements, both checked, share no memory.
pub(super) fn apart<T>(a: (*const T, usize), b: (*const T, usize)) -> Result<(), Failure> {
    let end = |(pointer, len): (*const T, usize)| pointer.addr() + len * size_of::<T>();
    match a.0.addr() < end(b) && b.0.addr() < end(a) {
        true => Err(Failure::argument("output", "in the input's memory", "memory of its own")),
        false => Ok(()),
    }
}

/// A text that ends with a zero; `None` for NULL.
///
/// # Safety
/// `pointer` is NULL or points to such a text, which nobody writes.
pub(super) unsafe fn text<'a>(
    pointer: *const c_char,
    name: &'static str,
) -> Result<Option<&'a str>, Failure> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: not null, and promised by the caller.
    let text = unsafe { CStr::from_ptr(pointer) };
    match text.to_str() {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(Failure::argument(name, "not UTF-8", "UTF-8")),
    }
}

/// A struct of the interface: its first field is its size in bytes as the caller's header has it, a
/// `u32`. New fields are added at the end, and 0 means in each what versions without it do.
///
/// # Safety
/// The type is `repr(C)`, its first field is such a size, and all bytes of it may be 0.
pub(super) unsafe trait Versioned: Copy {
    const NAME: &'static str;
    /// Its sizes in earlier versions.
    const EARLIER: &'static [usize] = &[];

    /// How many bytes are known to both sides, of a caller's struct.
    fn common(size: usize) -> Result<usize, Failure> {
        let own = size_of::<Self>();
        match size {
            _ if size >= own && size <= LARGEST || Self::EARLIER.contains(&size) => {
                Ok(size.min(own))
            }
            _ => {
                let text = format!("struct_size of {} is {size}, expected {own}", Self::NAME);
                Err(Failure::new(sn_status::SN_STRUCT_SIZE, text))
            }
        }
    }
}

/// No version has a larger struct.
const LARGEST: usize = 4096;

/// Reads a caller's struct.
///
/// # Safety
/// `pointer` is anything that [`reference`] refuses, or points to as many bytes as the `u32` there says.
pub(super) unsafe fn read<T: Versioned>(pointer: *const T) -> Result<T, Failure> {
    check(pointer, T::NAME)?;
    // SAFETY: not null and aligned; the first field is a `u32`.
    let size = unsafe { pointer.cast::<u32>().read() } as usize;
    let common = T::common(size)?;
    let bytes = pointer.cast::<u8>();
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: the caller promises `size` bytes, of which both sides have `common`.
    unsafe { bytes.copy_to_nonoverlapping(value.as_mut_ptr().cast(), common) };
    // SAFETY: the caller promises `size` bytes.
    if (common..size).any(|i| unsafe { bytes.add(i).read() } != 0) {
        let text = format!("{} has fields that this version does not know", T::NAME);
        return Err(Failure::new(sn_status::SN_STRUCT_SIZE, text));
    }
    // SAFETY: the caller's fields and zeros.
    Ok(unsafe { value.assume_init() })
}

/// Reads a caller's struct, or gives one of zeros for NULL.
///
/// # Safety
/// As for [`read`].
pub(super) unsafe fn read_or_default<T: Versioned>(pointer: *const T) -> Result<T, Failure> {
    match pointer.is_null() {
        // SAFETY: all bytes may be 0.
        true => Ok(unsafe { MaybeUninit::zeroed().assume_init() }),
        // SAFETY: as promised.
        false => unsafe { read(pointer) },
    }
}

/// Writes what fits of `value` into a caller's struct, and zeros behind it.
///
/// # Safety
/// `pointer` is anything that [`reference`] refuses, or points to as many bytes as the `u32` there says,
/// which nobody else uses.
pub(super) unsafe fn write<T: Versioned>(pointer: *mut T, value: T) -> Result<(), Failure> {
    check(pointer, T::NAME)?;
    // SAFETY: not null and aligned; the first field is a `u32`.
    let size = unsafe { pointer.cast::<u32>().read() };
    let common = T::common(size as usize)?;
    // SAFETY: the caller promises `size` bytes, of which both sides have `common`, at least 4.
    unsafe {
        let bytes = pointer.cast::<u8>();
        bytes.copy_from_nonoverlapping((&raw const value).cast(), common);
        bytes.add(common).write_bytes(0, size as usize - common);
        pointer.cast::<u32>().write(size);
    }
    Ok(())
}

/// Elements of an array of structs, whose first one's size is the array's step.
///
/// # Safety
/// `pointer` is anything that is refused here, or points to `count` such structs.
pub(super) unsafe fn read_array<T: Versioned>(
    pointer: *const T,
    count: usize,
) -> Result<impl Iterator<Item = Result<T, Failure>>, Failure> {
    check_range(pointer, count, T::NAME)?;
    let mut step = 0;
    if count > 0 {
        // SAFETY: not null and aligned; the first field is a `u32`.
        step = unsafe { pointer.cast::<u32>().read() } as usize;
        T::common(step)?;
    }
    if !step.is_multiple_of(align_of::<T>()) {
        let found = format!("struct_size of {} is {step}, expected", T::NAME);
        let text = format!("{found} a multiple of {}", align_of::<T>());
        return Err(Failure::new(sn_status::SN_STRUCT_SIZE, text));
    }
    check_range(pointer.cast::<u8>(), count.saturating_mul(step), T::NAME)?;
    Ok((0..count).map(move |i| {
        let element = pointer.wrapping_byte_add(i * step);
        // SAFETY: promised by the caller; a size that differs from the first is refused before more
        // than a `u32` is read.
        let size = unsafe { element.cast::<u32>().read() } as usize;
        if size != step {
            let text = format!("struct_size of {} {i} is {size}, the first's {step}", T::NAME);
            return Err(Failure::new(sn_status::SN_STRUCT_SIZE, text));
        }
        // SAFETY: promised by the caller.
        unsafe { read(element) }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Options {
        struct_size: u32,
        first: u32,
        second: u64,
    }

    // SAFETY: `repr(C)`, begins with a `u32`, integers only.
    unsafe impl Versioned for Options {
        const NAME: &'static str = "options";
        const EARLIER: &'static [usize] = &[8];
    }

    fn options(words: &[u32]) -> Result<(u32, u64), sn_status> {
        #[repr(align(8))]
        struct Memory([u32; 16]);
        let mut memory = Memory([0; 16]);
        memory.0[..words.len()].copy_from_slice(words);
        // SAFETY: no size that is accepted here is larger.
        let read = unsafe { read(memory.0.as_ptr().cast::<Options>()) };
        read.map(|options| (options.first, options.second)).map_err(|failure| failure.status)
    }

    #[test]
    fn structs_of_earlier_and_later_versions_are_read() {
        let unknown = Err(sn_status::SN_STRUCT_SIZE);
        let nine = u64::from_ne_bytes(bytemuck::cast([9u32, 0]));
        assert_eq!(options(&[16, 7, 9, 0]), Ok((7, nine)));
        assert_eq!(options(&[8, 7, 9, 9]), Ok((7, 0)));
        assert_eq!(options(&[24, 7, 9, 0, 0, 0]), Ok((7, nine)));
        assert_eq!(options(&[24, 7, 9, 0, 0, 1]), unknown);
        for size in [0, 4, 12, 15, 4097, u32::MAX] {
            assert_eq!(options(&[size, 7, 9, 0]), unknown);
        }
    }

    #[test]
    fn structs_of_earlier_and_later_versions_are_written() {
        let value = Options { struct_size: 0, first: 7, second: 9 };
        for (size, expected) in [(16, (7, 9, 5)), (8, (7, 5, 5)), (24, (7, 9, 0))] {
            #[repr(C)]
            struct Memory(Options, u64);
            let mut memory = Memory(Options { struct_size: size, first: 5, second: 5 }, 5);
            // SAFETY: 24 bytes are there.
            unsafe { write((&raw mut memory).cast(), value) }.unwrap();
            let Memory(found, behind) = memory;
            assert_eq!((found.first, found.second, behind), expected);
            assert_eq!(found.struct_size, size);
        }
    }

    #[test]
    fn arrays_step_by_the_size_of_the_first() {
        let array = |sizes: [u32; 2]| {
            let array = [(sizes[0], 1), (sizes[1], 2)];
            let array = array.map(|(struct_size, first)| Options { struct_size, first, second: 0 });
            // SAFETY: two structs are there.
            let read = unsafe { read_array(array.as_ptr(), 2) }.map_err(|f| f.status)?;
            let values: Result<Vec<u32>, _> = read.map(|o| o.map(|o| o.first)).collect();
            values.map_err(|f| f.status)
        };
        assert_eq!(array([16, 16]), Ok(vec![1, 2]));
        assert_eq!(array([16, 24]), Err(sn_status::SN_STRUCT_SIZE));
        assert_eq!(array([17, 17]), Err(sn_status::SN_STRUCT_SIZE));
        assert_eq!(array([0, 0]), Err(sn_status::SN_STRUCT_SIZE));
    }

    #[test]
    fn pointers_outside_memory_are_refused() {
        // SAFETY: all of these are refused.
        unsafe {
            let status = |r: Result<&[u64], Failure>| r.unwrap_err().status;
            assert_eq!(status(slice(std::ptr::null(), 0, "p")), sn_status::SN_NULL);
            let odd = std::ptr::without_provenance::<u64>(12);
            assert_eq!(status(slice(odd, 1, "p")), sn_status::SN_MISALIGNED);
            let high = std::ptr::without_provenance::<u64>(usize::MAX - 7);
            assert_eq!(status(slice(high, 2, "p")), sn_status::SN_INVALID_ARGUMENT);
            let low = std::ptr::without_provenance::<u64>(8);
            assert_eq!(status(slice(low, usize::MAX / 8, "p")), sn_status::SN_INVALID_ARGUMENT);
            assert_eq!(status(slice(low, usize::MAX, "p")), sn_status::SN_INVALID_ARGUMENT);
        }
    }
}
