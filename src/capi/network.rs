//! A model ready to run.

use super::args::{Versioned, output, read_or_default, reference, slice, text, write};
use super::status::{Failure, c_string, sn_status, status};
use crate::cpu::{Cpu, Level};
use crate::model::{Fit, Model};
use crate::{Error, Network, weights};
use std::ffi::{CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr;
use std::sync::Arc;

/// A model ready to run. Immutable and counted: any number of threads may use it at once.
#[derive(Debug)]
pub struct sn_network {
    pub(super) network: Network,
    /// One for each class, or none.
    pub(super) labels: Vec<CString>,
    provenance: Option<CString>,
}

/// How a network is opened. All zeros but for the size, or NULL, is the default.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sn_network_options {
    /// `sizeof(sn_network_options)`.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// The CPU that weights are packed for: a level (`reference`, `portable`, `avx2`, `avx512`, `neon`),
    /// and after a comma a core type (`a53`, `a55`, `big`). NULL: what the environment variable
    /// `SHUFFLENET_CPU` says, or else all that this CPU has.
    pub cpu: *const c_char,
}

/// How a picture is resized before the middle is cut out: `SN_MODEL_FIT_CROP`, `SN_MODEL_FIT_STRETCH` or
/// `SN_MODEL_FIT_PAD`.
pub type sn_model_fit = u32;
/// The shorter side becomes `resize`, and the longer keeps the ratio.
pub const SN_MODEL_FIT_CROP: sn_model_fit = 0;
/// Both sides become `resize`, and the ratio is lost.
pub const SN_MODEL_FIT_STRETCH: sn_model_fit = 1;
/// The longer side becomes `resize`, and the shorter keeps the ratio; the mean fills what is missing.
pub const SN_MODEL_FIT_PAD: sn_model_fit = 2;

/// What a model is. The texts belong to the network.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sn_network_info {
    /// `sizeof(sn_network_info)`.
    pub struct_size: u32,
    /// Number of classes: logits of an image.
    pub classes: u32,
    /// Pooled features of an image.
    pub features: u32,
    /// Height and width of the images that it was made for, in pixels.
    pub crop: u32,
    /// Length of a picture's sides that `fit` names before the centre is cut out, in pixels.
    pub resize: u32,
    /// Output channels of the first convolution.
    pub stem_channels: u32,
    /// Channels of stages 2, 3 and 4.
    pub stage_channels: [u32; 3],
    /// Units of stages 2, 3 and 4.
    pub stage_units: [u32; 3],
    /// Mean of red, green and blue, in 0 to 1, by which 8-bit pixels are normalised.
    pub mean: [f32; 3],
    /// Their standard deviation.
    pub std: [f32; 3],
    /// 1 if the file names the classes, else 0.
    pub has_labels: u32,
    /// How a picture is resized.
    pub fit: sn_model_fit,
    /// `x0.5`, `x1.0`, `x1.5`, `x2.0` or `custom`.
    pub name: *const c_char,
    /// Where the model comes from; NULL if its file does not say.
    pub provenance: *const c_char,
}

// SAFETY: `repr(C)`, begins with its size, integers and pointers only.
unsafe impl Versioned for sn_network_options {
    const NAME: &'static str = "sn_network_options";
}
// SAFETY: `repr(C)`, begins with its size, numbers and pointers only.
unsafe impl Versioned for sn_network_info {
    const NAME: &'static str = "sn_network_info";
}

/// A CPU held to a mask, or `default` without one.
///
/// # Safety
/// `mask` is NULL or a text that ends with a zero.
pub(super) unsafe fn masked_cpu(
    mask: *const c_char,
    default: impl FnOnce() -> Result<Cpu, Error>,
) -> Result<Cpu, Failure> {
    // SAFETY: promised by the caller.
    let Some(mask) = unsafe { text(mask, "CPU mask") }? else {
        return Ok(default()?);
    };
    let level = mask.split(',').next().unwrap_or_default().trim().parse::<Level>();
    let known = level.is_ok_and(|level| !level.is_available());
    Cpu::detect().masked(mask).map_err(|error| match known {
        true => Failure::new(sn_status::SN_UNSUPPORTED, error.to_string()),
        false => error.into(),
    })
}

/// Opens what `load` reads.
///
/// # Safety
/// `options` and `network` are as for [`sn_network_open`].
unsafe fn open(
    options: *const sn_network_options,
    network: *mut *mut sn_network,
    load: impl FnOnce() -> Result<Model, Failure>,
) -> Result<(), Failure> {
    // SAFETY: promised by the caller.
    let network = unsafe { output(network, "network") }?;
    *network = ptr::null_mut();
    // SAFETY: promised by the caller.
    let options = unsafe { read_or_default(options) }?;
    reserved(options.reserved)?;
    // SAFETY: promised by the caller.
    let cpu = unsafe { masked_cpu(options.cpu, Cpu::from_env) }?;
    let opened = Network::for_cpu(load()?, cpu);
    let labels = opened.labels().iter().map(|label| c_string(label)).collect();
    let provenance = opened.provenance().map(c_string);
    let handle = sn_network { network: opened, labels, provenance };
    *network = Arc::into_raw(Arc::new(handle)).cast_mut();
    Ok(())
}

/// A field that later versions may use.
pub(super) fn reserved(field: u32) -> Result<(), Failure> {
    match field {
        0 => Ok(()),
        _ => Err(Failure::argument("reserved field", field, 0)),
    }
}

/// Opens a safetensors file. Other checkpoints go through `shufflenet convert`.
///
/// Stores NULL where it fails. Give the network back with `sn_network_free`.
///
/// # Safety
/// `path` is NULL or a text that ends with a zero; `options` is NULL or points to as many bytes as its
/// `struct_size` says; `network` is NULL or points to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sn_network_open(
    path: *const c_char,
    options: *const sn_network_options,
    network: *mut *mut sn_network,
) -> sn_status {
    status(|| {
        let load = || {
            // SAFETY: promised by the caller.
            let path = unsafe { file_name(path) }?;
            Ok(weights::load(path)?)
        };
        // SAFETY: promised by the caller.
        unsafe { open(options, network, load) }
    })
}

/// # Safety
/// `path` is NULL or a text that ends with a zero.
unsafe fn file_name<'a>(path: *const c_char) -> Result<&'a Path, Failure> {
    if path.is_null() {
        return Err(Failure::new(sn_status::SN_NULL, "path is NULL"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        // SAFETY: not null, and promised by the caller.
        let bytes = unsafe { std::ffi::CStr::from_ptr(path) }.to_bytes();
        Ok(Path::new(std::ffi::OsStr::from_bytes(bytes)))
    }
    #[cfg(not(unix))]
    {
        // SAFETY: promised by the caller.
        let path = unsafe { text(path, "path") }?;
        Ok(Path::new(path.unwrap_or_default()))
    }
}

/// Opens the bytes of a safetensors file. They are copied: the caller may free them afterwards.
///
/// # Safety
/// `data` is NULL or points to `size` bytes; the rest is as for `sn_network_open`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sn_network_open_memory(
    data: *const c_void,
    size: usize,
    options: *const sn_network_options,
    network: *mut *mut sn_network,
) -> sn_status {
    status(|| {
        let load = || {
            // SAFETY: promised by the caller.
            let bytes = unsafe { slice(data.cast::<u8>(), size, "data") }?;
            Ok(weights::from_bytes(bytes)?)
        };
        // SAFETY: promised by the caller.
        unsafe { open(options, network, load) }
    })
}

/// Opens `length` bytes at `offset` of a file, such as an asset in an Android package. The descriptor is
/// neither closed nor moved, and its file is a regular one. On systems that are not like Unix the result is
/// `SN_UNSUPPORTED`.
///
/// # Safety
/// `fd` is no descriptor, or one that stays open during the call; the rest is as for `sn_network_open`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sn_network_open_fd(
    fd: c_int,
    offset: u64,
    length: u64,
    options: *const sn_network_options,
    network: *mut *mut sn_network,
) -> sn_status {
    status(|| {
        // SAFETY: promised by the caller.
        unsafe { open(options, network, || load_part(fd, offset, length)) }
    })
}

/// # Safety
/// `fd` is no descriptor, or one that stays open.
#[cfg(unix)]
unsafe fn load_part(fd: c_int, offset: u64, length: u64) -> Result<Model, Failure> {
    use std::os::fd::BorrowedFd;
    if fd < 0 {
        return Err(Failure::argument("file descriptor", fd, "0 or more"));
    }
    // SAFETY: not -1; promised to stay open.
    let shared = unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned();
    let path = std::path::PathBuf::from(format!("file descriptor {fd}"));
    let file = match shared {
        Ok(file) => file.into(),
        Err(source) => return Err(Error::Io { path, source }.into()),
    };
    Ok(weights::load_part(file, &path, (offset, length))?)
}

/// # Safety
/// None is needed.
#[cfg(not(unix))]
unsafe fn load_part(_: c_int, _: u64, _: u64) -> Result<Model, Failure> {
    let text = "file descriptors are for systems like Unix";
    Err(Failure::new(sn_status::SN_UNSUPPORTED, text))
}

/// Counts one more owner, who calls `sn_network_free` too.
///
/// # Safety
/// `network` is NULL or a network that is not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sn_network_retain(network: *const sn_network) -> sn_status {
    status(|| {
        // SAFETY: promised by the caller; such a pointer comes from `Arc::into_raw`.
        unsafe {
            reference(network, "network")?;
            Arc::increment_strong_count(network);
        }
        Ok(())
    })
}

/// Gives up one owner's network and stores NULL in its place. Memory is freed when no owner and no
/// session is left. Does nothing where there is NULL already.
///
/// # Safety
/// `network` is NULL or points to NULL or to a network that is not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sn_network_free(network: *mut *mut sn_network) -> sn_status {
    status(|| {
        // SAFETY: promised by the caller.
        let handle = unsafe { output(network, "network") }?;
        if !handle.is_null() {
            // SAFETY: promised by the caller; such a pointer comes from `Arc::into_raw`.
            unsafe {
                reference(*handle, "network")?;
                drop(Arc::from_raw(std::mem::replace(handle, ptr::null_mut()).cast_const()));
            }
        }
        Ok(())
    })
}

/// Tells what a model is.
///
/// # Safety
/// `network` is NULL or a network that is not freed; `info` is NULL or points to as many bytes as its
/// `struct_size` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sn_network_get_info(
    network: *const sn_network,
    info: *mut sn_network_info,
) -> sn_status {
    status(|| {
        // SAFETY: promised by the caller.
        let handle = unsafe { reference(network, "network") }?;
        let architecture = handle.network.architecture();
        let preprocessing = handle.network.preprocessing();
        let name = match architecture.name() {
            "x0.5" => c"x0.5",
            "x1.0" => c"x1.0",
            "x1.5" => c"x1.5",
            "x2.0" => c"x2.0",
            _ => c"custom",
        };
        let found = sn_network_info {
            struct_size: 0,
            classes: count(architecture.classes),
            features: count(architecture.feature_channels),
            crop: count(preprocessing.crop),
            resize: count(preprocessing.resize),
            stem_channels: count(architecture.stem_channels),
            stage_channels: architecture.stages.map(|stage| count(stage.channels)),
            stage_units: architecture.stages.map(|stage| count(stage.units)),
            mean: preprocessing.mean,
            std: preprocessing.std,
            has_labels: u32::from(!handle.labels.is_empty()),
            fit: match preprocessing.fit {
                Fit::Crop => SN_MODEL_FIT_CROP,
                Fit::Stretch => SN_MODEL_FIT_STRETCH,
                Fit::Pad => SN_MODEL_FIT_PAD,
            },
            name: name.as_ptr(),
            provenance: handle.provenance.as_ref().map_or(ptr::null(), |text| text.as_ptr()),
        };
        // SAFETY: promised by the caller.
        unsafe { write(info, found) }
    })
}

/// A number that the library keeps below 2^32.
pub(super) fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Stores the name of a class; NULL if the file names none. UTF-8; it belongs to the network.
///
/// # Safety
/// `network` is NULL or a network that is not freed; `label` is NULL or points to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sn_network_get_label(
    network: *const sn_network,
    class_index: u32,
    label: *mut *const c_char,
) -> sn_status {
    status(|| {
        // SAFETY: promised by the caller.
        let (handle, label) = unsafe { (reference(network, "network")?, output(label, "label")?) };
        let classes = handle.network.architecture().classes;
        if class_index as usize >= classes {
            return Err(Failure::argument("class", class_index, format!("less than {classes}")));
        }
        let text = handle.labels.get(class_index as usize);
        *label = text.map_or(ptr::null(), |text| text.as_ptr());
        Ok(())
    })
}
