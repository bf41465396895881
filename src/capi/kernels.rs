//! The pointwise and depthwise kernels by themselves.

use super::args::{Versioned, apart, check_range, output, read, reference, slice, slice_mut};
use super::network::{masked_cpu, reserved};
use super::status::{Failure, c_string, sn_status, status};
use crate::cpu::Cpu;
use crate::kernels::{ColumnRange, Depthwise3x3, Pointwise, Taps, View, ViewMut};
use std::ffi::{CString, c_char};
use std::ptr;

/// A 1x1 convolution: packed once, run on any number of pixels by any number of threads at once.
#[derive(Debug)]
pub struct sn_pointwise {
    layer: Pointwise,
    inputs: usize,
    outputs: usize,
    kernel: CString,
}

/// A 3x3 convolution of each channel by itself, padding 1. Any number of threads may run it at once.
#[derive(Debug)]
pub struct sn_depthwise {
    layer: Depthwise3x3,
    channels: usize,
    kernel: CString,
}

/// A 1x1 convolution's weights, which are copied.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sn_pointwise_options {
    /// `sizeof(sn_pointwise_options)`.
    pub struct_size: u32,
    /// 1: negative outputs become 0. 0: they stay.
    pub relu: u32,
    /// Input channels, at least 1.
    pub inputs: usize,
    /// Output channels, at least 1.
    pub outputs: usize,
    /// `[output][input]`.
    pub weights: *const f32,
    /// Number of weights.
    pub weight_count: usize,
    /// One for each output.
    pub bias: *const f32,
    /// Number of biases.
    pub bias_count: usize,
    /// Which kernel to use, in the words of `sn_network_options`.
    pub cpu: *const c_char,
}

/// A depthwise convolution's weights, which are copied.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sn_depthwise_options {
    /// `sizeof(sn_depthwise_options)`.
    pub struct_size: u32,
    /// 1 or 2, in both directions.
    pub stride: u32,
    /// Number of channels, at least 1.
    pub channels: usize,
    /// `[channel][kernel row][kernel column]`, 9 for each channel.
    pub weights: *const f32,
    /// Number of weights.
    pub weight_count: usize,
    /// One for each channel.
    pub bias: *const f32,
    /// Number of biases.
    pub bias_count: usize,
    /// Which kernel to use, in the words of `sn_network_options`.
    pub cpu: *const c_char,
}

/// Columns `start` to `start + len - 1` of a matrix.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sn_range {
    /// First column.
    pub start: usize,
    /// Number of columns.
    pub len: usize,
}

/// Pixels to read: a row of the matrix for each pixel, a column for each channel.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sn_view {
    /// `sizeof(sn_view)`.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// Column 0 of the first row.
    pub data: *const f32,
    /// Floats at `data`; the last row may end where its columns end.
    pub count: usize,
    /// Number of rows.
    pub rows: usize,
    /// Floats from one row to the next; 0 stands for the layer's number of columns.
    pub stride: usize,
    /// The columns: ascending, disjoint, none empty, as many in all as the layer has. NULL: the first
    /// ones.
    pub ranges: *const sn_range,
    /// Number of ranges.
    pub range_count: usize,
}

/// Pixels to write; as `sn_view`. Nothing outside the columns is touched.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sn_view_mut {
    /// `sizeof(sn_view_mut)`.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// Column 0 of the first row. Overlaps no input.
    pub data: *mut f32,
    /// Floats at `data`.
    pub count: usize,
    /// Number of rows.
    pub rows: usize,
    /// Floats from one row to the next; 0 stands for the layer's number of columns.
    pub stride: usize,
    /// The columns.
    pub ranges: *const sn_range,
    /// Number of ranges.
    pub range_count: usize,
}

// SAFETY: `repr(C)`, begins with its size, integers and pointers only.
unsafe impl Versioned for sn_pointwise_options {
    const NAME: &'static str = "sn_pointwise_options";
}
// SAFETY: `repr(C)`, begins with its size, integers and pointers only.
unsafe impl Versioned for sn_depthwise_options {
    const NAME: &'static str = "sn_depthwise_options";
}
// SAFETY: `repr(C)`, begins with its size, integers and pointers only.
unsafe impl Versioned for sn_view {
    const NAME: &'static str = "sn_view";
}
// SAFETY: `repr(C)`, begins with its size, integers and pointers only.
unsafe impl Versioned for sn_view_mut {
    const NAME: &'static str = "sn_view_mut";
}

/// The columns of a view, if it names them.
///
/// # Safety
/// `ranges` is NULL or points to `count` ranges.
unsafe fn columns<'a>(
    ranges: *const sn_range,
    count: usize,
) -> Result<Option<&'a [ColumnRange]>, Failure> {
    if ranges.is_null() && count == 0 {
        return Ok(None);
    }
    // SAFETY: promised by the caller; both structs are `repr(C)` with the same fields.
    unsafe { slice(ranges.cast(), count, "ranges") }.map(Some)
}

impl sn_view {
    /// # Safety
    /// The pointers are NULL, or cover what the counts say.
    unsafe fn view<'a>(&self, channels: usize) -> Result<View<'a>, Failure> {
        reserved(self.reserved)?;
        // SAFETY: promised by the caller.
        let data = unsafe { slice(self.data, self.count, "data of sn_view") }?;
        let stride = if self.stride == 0 { channels } else { self.stride };
        // SAFETY: promised by the caller.
        Ok(match unsafe { columns(self.ranges, self.range_count) }? {
            Some(ranges) => View::new(data, self.rows, stride, ranges)?,
            None => View::strided(data, self.rows, stride, channels)?,
        })
    }
}

impl sn_view_mut {
    /// # Safety
    /// The pointers are NULL, or cover what the counts say, of which nobody else uses the data.
    unsafe fn view<'a>(&self, channels: usize) -> Result<ViewMut<'a>, Failure> {
        reserved(self.reserved)?;
        // SAFETY: promised by the caller.
        let data = unsafe { slice_mut(self.data, self.count, "data of sn_view_mut") }?;
        let stride = if self.stride == 0 { channels } else { self.stride };
        // SAFETY: promised by the caller.
        Ok(match unsafe { columns(self.ranges, self.range_count) }? {
            Some(ranges) => ViewMut::new(data, self.rows, stride, ranges)?,
            None => ViewMut::strided(data, self.rows, stride, channels)?,
        })
    }
}

/// Both views of a layer's run.
///
/// # Safety
/// The pointers are NULL or point to as many bytes as the `struct_size` there says; the rest is as for
/// [`sn_view::view`] and [`sn_view_mut::view`].
unsafe fn views<'a>(
    (input, inputs): (*const sn_view, usize),
    (output, outputs): (*const sn_view_mut, usize),
) -> Result<(View<'a>, ViewMut<'a>), Failure> {
    // SAFETY: promised by the caller.
    let (from, to) = unsafe { (read(input)?, read(output)?) };
    // SAFETY: promised by the caller.
    let view = unsafe { from.view(inputs) }?;
    // That both are apart is known before the output is borrowed.
    check_range(to.data, to.count, "data of sn_view_mut")?;
    apart((from.data, from.count), (to.data, to.count))?;
    // SAFETY: promised by the caller.
    Ok((view, unsafe { to.view(outputs) }?))
}

/// Packs a 1x1 convolution. Stores NULL where it fails. Give it back with `sn_pointwise_free`.
///
/// # Safety
/// `options` is NULL or points to as many bytes as its `struct_size` says, and its pointers are NULL or
/// cover what the counts say; `pointwise` is NULL or points to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sn_pointwise_create(
    options: *const sn_pointwise_options,
    pointwise: *mut *mut sn_pointwise,
) -> sn_status {
    status(|| {
        // SAFETY: promised by the caller.
        let out = unsafe { output(pointwise, "pointwise") }?;
        *out = ptr::null_mut();
        // SAFETY: promised by the caller.
        let o = unsafe { read(options) }?;
        if o.relu > 1 {
            return Err(Failure::argument("relu", o.relu, "0 or 1"));
        }
        // SAFETY: promised by the caller.
        let (weights, bias, cpu) = unsafe {
            (
                slice(o.weights, o.weight_count, "weights")?,
                slice(o.bias, o.bias_count, "bias")?,
                masked_cpu(o.cpu, Cpu::from_env)?,
            )
        };
        let layer = Pointwise::new(cpu, o.inputs, o.outputs, weights, bias, o.relu == 1)?;
        let kernel = c_string(layer.kernel().name());
        let handle = sn_pointwise { layer, inputs: o.inputs, outputs: o.outputs, kernel };
        *out = Box::into_raw(Box::new(handle));
        Ok(())
    })
}

/// Computes as many pixels as both views have rows, in the caller's floating-point environment.
///
/// # Safety
/// `pointwise` is NULL or a layer that is not freed; `input` and `output` are NULL or point to as many
/// bytes as their `struct_size` says, and their pointers are NULL or cover what the counts say; nobody
/// writes the input's data or uses the output's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sn_pointwise_run(
    pointwise: *const sn_pointwise,
    input: *const sn_view,
    output: *const sn_view_mut,
) -> sn_status {
    status(|| {
        // SAFETY: promised by the caller.
        let handle = unsafe { reference(pointwise, "pointwise") }?;
        // SAFETY: promised by the caller.
        let (input, mut output) =
            unsafe { views((input, handle.inputs), (output, handle.outputs)) }?;
        Ok(handle.layer.run(&input, &mut output)?)
    })
}

/// Stores the name of the kernel in use; the text belongs to the layer.
///
/// # Safety
/// `pointwise` is NULL or a layer that is not freed; `name` is NULL or points to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sn_pointwise_get_kernel(
    pointwise: *const sn_pointwise,
    name: *mut *const c_char,
) -> sn_status {
    status(|| {
        // SAFETY: promised by the caller.
        let (handle, name) = unsafe { (reference(pointwise, "pointwise")?, output(name, "name")?) };
        *name = handle.kernel.as_ptr();
        Ok(())
    })
}

/// Frees a layer and stores NULL in its place. Does nothing where there is NULL already.
///
/// # Safety
/// `pointwise` is NULL or points to NULL or to a layer that is not freed and not in use.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sn_pointwise_free(pointwise: *mut *mut sn_pointwise) -> sn_status {
    // SAFETY: promised by the caller.
    status(|| unsafe { free(pointwise, "pointwise") })
}

/// Packs a depthwise convolution. Stores NULL where it fails. Give it back with `sn_depthwise_free`.
///
/// # Safety
/// As for `sn_pointwise_create`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sn_depthwise_create(
    options: *const sn_depthwise_options,
    depthwise: *mut *mut sn_depthwise,
) -> sn_status {
    status(|| {
        // SAFETY: promised by the caller.
        let out = unsafe { output(depthwise, "depthwise") }?;
        *out = ptr::null_mut();
        // SAFETY: promised by the caller.
        let o = unsafe { read(options) }?;
        // SAFETY: promised by the caller.
        let (weights, bias, cpu) = unsafe {
            (
                slice(o.weights, o.weight_count, "weights")?,
                slice(o.bias, o.bias_count, "bias")?,
                masked_cpu(o.cpu, Cpu::from_env)?,
            )
        };
        let taps = Taps::depthwise(o.channels, weights, bias)?;
        let layer = Depthwise3x3::new(cpu, o.stride as usize, taps)?;
        let kernel = c_string(layer.kernel().name());
        *out = Box::into_raw(Box::new(sn_depthwise { layer, channels: o.channels, kernel }));
        Ok(())
    })
}

/// Computes a whole image: the input's rows are its pixels in reading order, `width` in an image row; the
/// output's are `ceil(height / stride) * ceil(width / stride)` pixels. In the caller's floating-point
/// environment.
///
/// # Safety
/// As for `sn_pointwise_run`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sn_depthwise_run(
    depthwise: *const sn_depthwise,
    input: *const sn_view,
    width: usize,
    output: *const sn_view_mut,
) -> sn_status {
    status(|| {
        // SAFETY: promised by the caller.
        let handle = unsafe { reference(depthwise, "depthwise") }?;
        // SAFETY: promised by the caller.
        let (input, mut output) =
            unsafe { views((input, handle.channels), (output, handle.channels)) }?;
        Ok(handle.layer.run(&input, width, &mut output)?)
    })
}

/// Stores the name of the kernel in use; the text belongs to the layer.
///
/// # Safety
/// `depthwise` is NULL or a layer that is not freed; `name` is NULL or points to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sn_depthwise_get_kernel(
    depthwise: *const sn_depthwise,
    name: *mut *const c_char,
) -> sn_status {
    status(|| {
        // SAFETY: promised by the caller.
        let (handle, name) = unsafe { (reference(depthwise, "depthwise")?, output(name, "name")?) };
        *name = handle.kernel.as_ptr();
        Ok(())
    })
}

/// Frees a layer and stores NULL in its place. Does nothing where there is NULL already.
///
/// # Safety
/// `depthwise` is NULL or points to NULL or to a layer that is not freed and not in use.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sn_depthwise_free(depthwise: *mut *mut sn_depthwise) -> sn_status {
    // SAFETY: promised by the caller.
    status(|| unsafe { free(depthwise, "depthwise") })
}

/// # Safety
/// `pointer` is NULL or points to NULL or to what comes from `Box::into_raw` and nobody uses.
unsafe fn free<T>(pointer: *mut *mut T, name: &str) -> Result<(), Failure> {
    // SAFETY: promised by the caller.
    let handle = unsafe { output(pointer, name) }?;
    if !handle.is_null() {
        // SAFETY: promised by the caller.
        unsafe {
            reference(*handle, name)?;
            drop(Box::from_raw(std::mem::replace(handle, ptr::null_mut())));
        }
    }
    Ok(())
}
