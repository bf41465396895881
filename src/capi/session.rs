//! A network bound to an input size and memory.

use super::args::{
    Versioned, apart, check_alignment, check_range, output, read_array, read_or_default, reference,
    slice, slice_mut, write,
};
use super::cpu::{core_name, level_name};
use super::image::{sn_float_image, sn_image, sn_yuv_image};
use super::network::{count, masked_cpu, sn_network};
use super::status::{Failure, c_string, sn_status, status};
use crate::cpu::Cores;
use crate::image::{PixelFormat, Pixels, Preprocessor, Rotation};
use crate::kernels::{Operation, select};
use crate::session::{Arena, Draft, process};
use crate::{Error, Input, Session, SessionOptions, Threads, softmax, top_k};
use std::cell::UnsafeCell;
use std::ffi::{CString, c_char, c_void};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A network bound to an image size and memory. Used by one thread at a time; make one for each.
#[derive(Debug)]
pub struct sn_session {
    /// The process whose thread is inside; 0 for none. A fork copies this, but no such thread.
    user: AtomicU32,
    state: UnsafeCell<State>,
}

// SAFETY: `Guard` lets one thread at a time at the state, and the state may be used on any thread.
unsafe impl Sync for sn_session where State: Send {}

struct State {
    network: Arc<sn_network>,
    session: Session,
    results: Results,
    /// Made for the last picture that was resized.
    preprocessor: Option<(Source, Preprocessor)>,
    /// Pictures of a batch that were resized; each empty before the first.
    crops: Vec<Vec<u8>>,
    /// Empty between runs.
    inputs: Vec<Input<'static>>,
    /// By operation, as in [`Operation::ALL`].
    kernels: Vec<CString>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.session.fmt(f)
    }
}

/// Where the session keeps the last run's results; they stay until the next one.
struct Results {
    images: usize,
    features: *const f32,
    logits: *const f32,
}

// SAFETY: the pointers are into the session beside them, and are used where that may be.
unsafe impl Send for Results {}

const NO_RESULTS: Results = Results { images: 0, features: ptr::null(), logits: ptr::null() };

/// What the caller decides about a session. All zeros but for the size, or NULL, is the default.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sn_session_options {
    /// `sizeof(sn_session_options)`.
    pub struct_size: u32,
    /// Height of the images in pixels; with the width 0, the model's `crop`.
    pub height: u32,
    /// Width of the images in pixels; with the height 0, the model's `crop`.
    pub width: u32,
    /// Most images in a run; 0 is 1.
    pub batch: u32,
    /// Threads that share an image, the caller's among them; 0 is 1. No more than the cores that they may
    /// use, and than an image has parts: `sn_session_get_info` tells how many there are. Results do not depend
    /// on it.
    pub threads: u32,
    /// 1: as many threads as asked for, whatever the machine has. 0: not more than cores.
    pub exact_threads: u32,
    /// Which kernels to use, in the words of `sn_network_options`; NULL: the network's.
    pub cpu: *const c_char,
    /// Numbers of the CPUs that all threads but the caller's keep to, as `/sys/devices/system/cpu` counts them.
    /// NULL: those that the thread that makes the session may use. On systems other than Linux and Android a
    /// choice is `SN_UNSUPPORTED`.
    pub cores: *const u32,
    /// How many numbers there are; 0 with NULL.
    pub core_count: usize,
}

/// What a session was made with. The texts are always there.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sn_session_info {
    /// `sizeof(sn_session_info)`.
    pub struct_size: u32,
    /// Height of the images, in pixels.
    pub height: u32,
    /// Width of the images, in pixels.
    pub width: u32,
    /// Most images in a run.
    pub batch: u32,
    /// Threads that share an image, the caller's among them.
    pub threads: u32,
    /// 0.
    pub reserved: u32,
    /// Bytes of its arena.
    pub arena_size: usize,
    /// The level of instructions in use.
    pub level: *const c_char,
    /// The core type that kernels are scheduled for.
    pub core: *const c_char,
}

/// A class and its score.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sn_class {
    /// Its name, which belongs to the network; NULL if the file names none.
    pub label: *const c_char,
    /// Its number.
    pub index: u32,
    /// What the network gives for it.
    pub logit: f32,
    /// The softmax of the image's logits for it.
    pub probability: f32,
}

// SAFETY: `repr(C)`, begins with its size, integers and pointers only.
unsafe impl Versioned for sn_session_options {
    const NAME: &'static str = "sn_session_options";
}
// SAFETY: `repr(C)`, begins with its size, integers and pointers only.
unsafe impl Versioned for sn_session_info {
    const NAME: &'static str = "sn_session_info";
}

/// An operation of the network; see `sn_session_get_kernel`.
pub type sn_operation = u32;
/// The first convolution.
pub const SN_STEM: sn_operation = 0;
/// The max pool.
pub const SN_MAX_POOL: sn_operation = 1;
/// 1x1 convolutions.
pub const SN_POINTWISE: sn_operation = 2;
/// 3x3 depthwise convolutions of stride 1.
pub const SN_DEPTHWISE_STRIDE_1: sn_operation = 3;
/// 3x3 depthwise convolutions of stride 2.
pub const SN_DEPTHWISE_STRIDE_2: sn_operation = 4;
/// The last 1x1 convolution, with the mean over all pixels.
pub const SN_POINTWISE_MEAN: sn_operation = 5;
/// The fully connected layer.
pub const SN_FULLY_CONNECTED: sn_operation = 6;

/// The one use of a session at a time.
struct Guard<'a>(&'a sn_session);

impl<'a> Guard<'a> {
    /// # Safety
    /// `session` is anything that is refused here, or a session that is not freed.
    unsafe fn new(session: *const sn_session) -> Result<Guard<'a>, Failure> {
        // SAFETY: promised by the caller.
        let session = unsafe { reference(session, "session") }?;
        let process = process();
        match session.user.compare_exchange(0, process, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => Ok(Guard(session)),
            Err(user) if user == process => {
                let text = "the session is in use by another thread";
                Err(Failure::new(sn_status::SN_BUSY, text))
            }
            Err(_) => {
                let found = "one that was in use when this process was forked";
                let expected = "one that was made in this process, or not in use";
                Err(Failure::argument("session", found, expected))
            }
        }
    }

    fn state(&mut self) -> &mut State {
        // SAFETY: whoever set the flag has the state alone until it is cleared.
        unsafe { &mut *self.0.state.get() }
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.user.store(0, Ordering::Release);
    }
}

impl sn_session_options {
    /// # Safety
    /// `cpu` is NULL or a text that ends with a zero; `cores` is NULL or points to `core_count` numbers.
    unsafe fn to_rust(self, network: &sn_network) -> Result<SessionOptions, Failure> {
        let threads = match (self.exact_threads, self.threads.max(1) as usize) {
            (0, threads) => Threads::AtMost(threads),
            (1, threads) => Threads::Exactly(threads),
            (other, _) => return Err(Failure::argument("exact_threads", other, "0 or 1")),
        };
        // SAFETY: promised by the caller.
        let cores = unsafe { self.cores() }?;
        let size = match (self.height, self.width) {
            (0, 0) => None,
            (height, width) => Some((height as usize, width as usize)),
        };
        // SAFETY: promised by the caller.
        let cpu = unsafe { masked_cpu(self.cpu, || Ok(network.network.cpu())) }?;
        Ok(SessionOptions {
            input_size: size,
            batch: Some(self.batch.max(1) as usize),
            threads,
            cores,
            cpu: Some(cpu),
            ..SessionOptions::default()
        })
    }

    /// # Safety
    /// `cores` is NULL or points to `core_count` numbers.
    unsafe fn cores(&self) -> Result<Option<Cores>, Failure> {
        if self.cores.is_null() && self.core_count == 0 {
            return Ok(None);
        }
        // SAFETY: promised by the caller.
        let numbers = unsafe { slice(self.cores, self.core_count, "cores") }?;
        if !Cores::SUPPORTED {
            let text = "CPUs for threads are chosen on Linux and Android only";
            return Err(Failure::new(sn_status::SN_UNSUPPORTED, text));
        }
        Ok(Some(Cores::new(numbers.iter().map(|&number| number as usize))?))
    }
}

/// Stores how many bytes a session with these options needs for its arena, and what their address must
/// be a multiple of.
///
/// # Safety
/// `network` is NULL or a network that is not freed; `options` is NULL or points to as many bytes as its
/// `struct_size` says, and its pointers are NULL or cover what they should; `size` and `alignment` are NULL or
/// point to a `size_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sn_session_get_arena(
    network: *const sn_network,
    options: *const sn_session_options,
    size: *mut usize,
    alignment: *mut usize,
) -> sn_status {
    status(|| {
        // SAFETY: promised by the caller.
        let (size, alignment) = unsafe { (output(size, "size")?, output(alignment, "alignment")?) };
        // SAFETY: promised by the caller.
        let network = unsafe { reference(network, "network") }?;
        // SAFETY: promised by the caller.
        let options = unsafe { read_or_default(options)?.to_rust(network) }?;
        let draft = Draft::new(&network.network, &options)?;
        (*size, *alignment) = (draft.arena_bytes(), Arena::ALIGNMENT);
        Ok(())
    })
}

/// Makes a session, with an arena of its own. It keeps the network: that may be freed before.
///
/// Stores NULL where it fails. Give the session back with `sn_session_free`.
///
/// # Safety
/// `network` is NULL or a network that is not freed; `options` is NULL or points to as many bytes as its
/// `struct_size` says, and its pointers are NULL or cover what they should; `session` is NULL or points to a
/// pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sn_session_create(
    network: *const sn_network,
    options: *const sn_session_options,
    session: *mut *mut sn_session,
) -> sn_status {
    let make = |network: &sn_network, options: &SessionOptions| {
        Ok(Session::new(&network.network, options)?)
    };
    // SAFETY: promised by the caller.
    status(|| unsafe { create(network, options, session, make) })
}

/// Makes a session that works in the caller's memory, of the size and alignment that
/// `sn_session_get_arena` tells. What the memory holds is lost; it must stay until the session is freed,
/// and nobody else may use it.
///
/// # Safety
/// `arena` is NULL or points to `size` bytes of which the above is true; the rest is as for
/// `sn_session_create`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sn_session_create_in(
    network: *const sn_network,
    options: *const sn_session_options,
    arena: *mut c_void,
    size: usize,
    session: *mut *mut sn_session,
) -> sn_status {
    let make = |network: &sn_network, options: &SessionOptions| {
        check_range(arena.cast::<u8>(), size, "arena")?;
        check_alignment(arena.addr(), Arena::ALIGNMENT, "arena")?;
        let draft = Draft::new(&network.network, options)?;
        let needed = draft.arena_bytes();
        match NonNull::new(arena.cast::<u8>()) {
            Some(start) if size >= needed => {
                // SAFETY: aligned and long enough; the rest is promised by the caller.
                Ok(draft.build(unsafe { Arena::lent(start, needed) })?)
            }
            _ => {
                let text = format!("arena has {size} bytes, expected {needed}");
                Err(Failure::new(sn_status::SN_TOO_SMALL, text))
            }
        }
    };
    // SAFETY: promised by the caller.
    status(|| unsafe { create(network, options, session, make) })
}

/// # Safety
/// As for [`sn_session_create`].
unsafe fn create(
    network: *const sn_network,
    options: *const sn_session_options,
    session: *mut *mut sn_session,
    make: impl FnOnce(&sn_network, &SessionOptions) -> Result<Session, Failure>,
) -> Result<(), Failure> {
    // SAFETY: promised by the caller.
    let out = unsafe { output(session, "session") }?;
    *out = ptr::null_mut();
    // SAFETY: promised by the caller; such a pointer comes from `Arc::into_raw`.
    let network = unsafe {
        reference(network, "network")?;
        Arc::increment_strong_count(network);
        Arc::from_raw(network)
    };
    // SAFETY: promised by the caller.
    let options = unsafe { read_or_default(options)?.to_rust(&network) }?;
    let session = make(&network, &options)?;
    let name = |operation| select(session.cpu(), operation).map_or("", |kernel| kernel.name());
    let kernels = Operation::ALL.map(|operation| c_string(name(operation))).into();
    let (mut crops, mut inputs) = (Vec::new(), Vec::new());
    reserve(&mut crops, session.batch(), "batch")?;
    crops.resize_with(session.batch(), Vec::new);
    reserve(&mut inputs, session.batch(), "batch")?;
    let state =
        State { network, session, results: NO_RESULTS, preprocessor: None, crops, inputs, kernels };
    let handle = sn_session { user: AtomicU32::new(0), state: UnsafeCell::new(state) };
    *out = Box::into_raw(Box::new(handle));
    Ok(())
}

/// Frees a session and stores NULL in its place. Does nothing where there is NULL already, and leaves a
/// session that is in use as it is (`SN_BUSY`). Of one that was in use when this process was forked, the
/// memory stays.
///
/// # Safety
/// `session` is NULL or points to NULL or to a session that is not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sn_session_free(session: *mut *mut sn_session) -> sn_status {
    status(|| {
        // SAFETY: promised by the caller.
        let handle = unsafe { output(session, "session") }?;
        if !handle.is_null() {
            // SAFETY: promised by the caller.
            match unsafe { Guard::new(*handle) } {
                Ok(guard) => std::mem::forget(guard), // it stays in use
                // The thread that was inside may have left anything half done.
                Err(failure) if failure.status == sn_status::SN_INVALID_ARGUMENT => {
                    *handle = ptr::null_mut();
                    return Ok(());
                }
                Err(failure) => return Err(failure),
            }
            // SAFETY: such a pointer comes from `Box::into_raw`, and no other thread is inside.
            drop(unsafe { Box::from_raw(std::mem::replace(handle, ptr::null_mut())) });
        }
        Ok(())
    })
}

/// Tells what a session was made with.
///
/// # Safety
/// `session` is NULL or a session that is not freed; `info` is NULL or points to as many bytes as its
/// `struct_size` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sn_session_get_info(
    session: *const sn_session,
    info: *mut sn_session_info,
) -> sn_status {
    status(|| {
        // SAFETY: promised by the caller.
        let mut guard = unsafe { Guard::new(session) }?;
        let session = &guard.state().session;
        let (height, width) = session.input_size();
        let found = sn_session_info {
            struct_size: 0,
            height: count(height),
            width: count(width),
            batch: count(session.batch()),
            threads: count(session.threads()),
            reserved: 0,
            arena_size: session.arena_bytes(),
            level: level_name(session.cpu().level()).as_ptr(),
            core: core_name(session.cpu().core()).as_ptr(),
        };
        // SAFETY: promised by the caller.
        unsafe { write(info, found) }
    })
}

/// Stores the name of the kernel that a session uses for an operation, such as `f32_pw_6x16_avx2`. The
/// text belongs to the session.
///
/// # Safety
/// `session` is NULL or a session that is not freed; `name` is NULL or points to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sn_session_get_kernel(
    session: *const sn_session,
    operation: sn_operation,
    name: *mut *const c_char,
) -> sn_status {
    status(|| {
        // SAFETY: promised by the caller.
        let (mut guard, name) = unsafe { (Guard::new(session)?, output(name, "name")?) };
        match guard.state().kernels.get(operation as usize) {
            Some(kernel) => *name = kernel.as_ptr(),
            None => return Err(Failure::argument("operation", operation, "0 to 6")),
        }
        Ok(())
    })
}

/// Runs the network on 8-bit pictures, at most as many as the session's batch. All have the same
/// `struct_size`. With `SN_FIT_CROP`, memory is allocated when a picture's size or rotation is not the last
/// one's; else nothing is.
///
/// # Safety
/// `session` is NULL or a session that is not freed; `images` is NULL or points to `count` structs, each
/// of whose `data` is NULL or points to `size` bytes that nobody writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sn_session_run(
    session: *mut sn_session,
    images: *const sn_image,
    count: usize,
) -> sn_status {
    status(|| {
        // SAFETY: promised by the caller.
        let mut guard = unsafe { Guard::new(session) }?;
        let state = guard.state();
        state.check_count(count)?;
        // SAFETY: promised by the caller.
        let images = unsafe { read_array(images, count) }?;
        state.run_with(|session, preparation, inputs| {
            for image in images {
                let image: sn_image = image?;
                // SAFETY: promised by the caller.
                let pixels = unsafe { image.pixels() }?;
                let pixels = match image.crop()? {
                    Some(rotation) => {
                        let source =
                            Source { width: pixels.width(), height: pixels.height(), rotation };
                        let run = |p: &mut Preprocessor, out: &mut _| p.run(&pixels, out);
                        preparation.crop(session, source, run)?
                    }
                    None => pixels,
                };
                inputs.push(Input::Pixels(pixels));
            }
            Ok(())
        })
    })
}

/// Runs the network on a camera's frames, at most as many as the session's batch, whose images are square.
/// All have the same `struct_size`. Memory is allocated when a frame's size or rotation is not the last
/// one's; else nothing is.
///
/// # Safety
/// `session` is NULL or a session that is not freed; `images` is NULL or points to `count` structs, of whose
/// planes each `data` is NULL or points to `size` bytes that nobody writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sn_session_run_yuv(
    session: *mut sn_session,
    images: *const sn_yuv_image,
    count: usize,
) -> sn_status {
    status(|| {
        // SAFETY: promised by the caller.
        let mut guard = unsafe { Guard::new(session) }?;
        let state = guard.state();
        state.check_count(count)?;
        // SAFETY: promised by the caller.
        let images = unsafe { read_array(images, count) }?;
        state.run_with(|session, preparation, inputs| {
            for image in images {
                let image: sn_yuv_image = image?;
                // SAFETY: promised by the caller.
                let (frame, rotation) = unsafe { image.frame() }?;
                let source = Source { width: frame.width(), height: frame.height(), rotation };
                let run = |p: &mut Preprocessor, out: &mut _| p.run_yuv420(&frame, out);
                inputs.push(Input::Pixels(preparation.crop(session, source, run)?));
            }
            Ok(())
        })
    })
}

/// Runs the network on images of normalised floats, at most as many as the session's batch. All have the
/// same `struct_size`. Allocates nothing. Where a float is NaN or infinite, there are no results of any image.
///
/// # Safety
/// `session` is NULL or a session that is not freed; `images` is NULL or points to `count` structs, each
/// of whose `data` is NULL or points to `count` floats that nobody writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sn_session_run_floats(
    session: *mut sn_session,
    images: *const sn_float_image,
    count: usize,
) -> sn_status {
    status(|| {
        // SAFETY: promised by the caller.
        let mut guard = unsafe { Guard::new(session) }?;
        let state = guard.state();
        state.check_count(count)?;
        // SAFETY: promised by the caller.
        let images = unsafe { read_array(images, count) }?;
        state.run_with(|_, _, inputs| {
            for image in images {
                let image: sn_float_image = image?;
                // SAFETY: promised by the caller.
                inputs.push(unsafe { image.input() }?);
            }
            Ok(())
        })
    })
}

impl State {
    fn check_count(&self, images: usize) -> Result<(), Failure> {
        match images {
            1.. if images <= self.session.batch() => Ok(()),
            _ => {
                let expected = format!("1 to {}", self.session.batch());
                Err(Failure::argument("number of images", images, expected))
            }
        }
    }

    /// Runs the inputs that `fill` finds.
    fn run_with<'a>(
        &'a mut self,
        fill: impl FnOnce(&Session, &mut Preparation<'a>, &mut Vec<Input<'a>>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.results = NO_RESULTS;
        let mut inputs = reuse(std::mem::take(&mut self.inputs));
        let crops = self.crops.iter_mut();
        let mut preparation = Preparation { preprocessor: &mut self.preprocessor, crops };
        let filled = fill(&self.session, &mut preparation, &mut inputs);
        let output = filled.and_then(|()| Ok(self.session.run(&inputs)?));
        let results = output.map(|output| Results {
            images: output.images(),
            features: output.features().as_ptr(),
            logits: output.logits().as_ptr(),
        });
        // After a failure too, or the next run would allocate.
        self.inputs = reuse(inputs);
        self.results = results?;
        Ok(())
    }

    /// Logits and features of one image of the last run.
    fn results_of(&self, image: usize) -> Result<[&[f32]; 2], Failure> {
        let Results { images, features, logits } = self.results;
        if image >= images {
            let text = format!("image {image} of a run of {images}");
            return Err(Failure::new(sn_status::SN_NO_RESULT, text));
        }
        let architecture = self.session.network().architecture();
        // SAFETY: the session has so many results of each image, and keeps them until the next run.
        Ok(unsafe {
            [(logits, architecture.classes), (features, architecture.feature_channels)]
                .map(|(data, len)| std::slice::from_raw_parts(data.add(image * len), len))
        })
    }
}

/// What a preprocessor is made for.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Source {
    width: usize,
    height: usize,
    rotation: Rotation,
}

/// What makes pictures as large as a session's images.
struct Preparation<'a> {
    preprocessor: &'a mut Option<(Source, Preprocessor)>,
    /// Room for each picture of a batch that is still to come.
    crops: std::slice::IterMut<'a, Vec<u8>>,
}

impl<'a> Preparation<'a> {
    /// `run` writes the square.
    fn crop(
        &mut self,
        session: &Session,
        source: Source,
        run: impl FnOnce(&mut Preprocessor, &mut [u8]) -> Result<(), Error>,
    ) -> Result<Pixels<'a>, Failure> {
        let (height, width) = session.input_size();
        if height != width {
            let found = format!("{height} x {width}");
            return Err(Failure::argument("session's size", found, "a square, to resize to"));
        }
        let preprocessor = match self.preprocessor {
            Some((last, preprocessor)) if *last == source => preprocessor,
            _ => {
                let of_size = session.network().preprocessing().with_crop(width);
                let Source { width, height, rotation } = source;
                let preprocessor = Preprocessor::rotated(&of_size, width, height, rotation)?;
                &mut self.preprocessor.insert((source, preprocessor)).1
            }
        };
        let Some(crop) = self.crops.next() else {
            unreachable!("there are no more pictures than a batch has");
        };
        let size = 3 * width * width;
        reserve(crop, size.saturating_sub(crop.len()), "resized picture")?;
        crop.resize(size, 0);
        run(preprocessor, crop)?;
        Ok(Pixels::new(crop, width, width, 3 * width, PixelFormat::Rgb)?)
    }
}

/// Makes room for so many elements more.
fn reserve<T>(vector: &mut Vec<T>, more: usize, what: &str) -> Result<(), Failure> {
    vector.try_reserve_exact(more).map_err(|_| Error::Memory { what: what.to_owned() }.into())
}

/// The memory of an empty vector, for inputs that live shorter or longer.
fn reuse<'a>(mut inputs: Vec<Input<'_>>) -> Vec<Input<'a>> {
    inputs.clear();
    inputs.into_iter().map(|_| unreachable!("it is empty")).collect()
}

/// Stores where an image's logits are: one for each class. They belong to the session and stay until it
/// runs again.
///
/// # Safety
/// `session` is NULL or a session that is not freed; `logits` and `count` are NULL or point to a pointer
/// and to a `size_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sn_session_get_logits(
    session: *const sn_session,
    image: usize,
    logits: *mut *const f32,
    count: *mut usize,
) -> sn_status {
    // SAFETY: promised by the caller.
    status(|| unsafe { store_results(session, image, 0, logits, count) })
}

/// Stores where an image's pooled features are: what the classifier sees. They belong to the session and
/// stay until it runs again.
///
/// # Safety
/// `session` is NULL or a session that is not freed; `features` and `count` are NULL or point to a
/// pointer and to a `size_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sn_session_get_features(
    session: *const sn_session,
    image: usize,
    features: *mut *const f32,
    count: *mut usize,
) -> sn_status {
    // SAFETY: promised by the caller.
    status(|| unsafe { store_results(session, image, 1, features, count) })
}

/// # Safety
/// As for [`sn_session_get_logits`].
unsafe fn store_results(
    session: *const sn_session,
    image: usize,
    which: usize,
    data: *mut *const f32,
    count: *mut usize,
) -> Result<(), Failure> {
    // SAFETY: promised by the caller.
    let (data, count) = unsafe { (output(data, "result")?, output(count, "count")?) };
    // SAFETY: promised by the caller.
    let mut guard = unsafe { Guard::new(session) }?;
    let results = guard.state().results_of(image)?[which];
    (*data, *count) = (results.as_ptr(), results.len());
    Ok(())
}

/// Stores an image's `count` classes with the largest logits, the largest first, and of equal ones the
/// lower class first; NaN counts as the smallest. `count` becomes how many were stored: fewer where the
/// network has fewer classes.
///
/// # Safety
/// `session` is NULL or a session that is not freed; `count` is NULL or points to a `size_t`; `classes`
/// is NULL or points to room for so many.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sn_session_get_top(
    session: *const sn_session,
    image: usize,
    classes: *mut sn_class,
    count: *mut usize,
) -> sn_status {
    status(|| {
        // SAFETY: promised by the caller.
        let count = unsafe { output(count, "count") }?;
        // SAFETY: promised by the caller; memory that is only written may hold anything.
        let classes = unsafe {
            slice_mut(classes.cast::<std::mem::MaybeUninit<sn_class>>(), *count, "classes")
        }?;
        // SAFETY: promised by the caller.
        let mut guard = unsafe { Guard::new(session) }?;
        let state = guard.state();
        let [logits, _] = state.results_of(image)?;
        let mut probabilities = logits.to_vec();
        softmax(&mut probabilities);
        let top = top_k(logits, classes.len());
        *count = top.len();
        for (class, (index, logit)) in classes.iter_mut().zip(top) {
            class.write(sn_class {
                label: state.network.labels.get(index).map_or(ptr::null(), |text| text.as_ptr()),
                index: index as u32,
                logit,
                probability: probabilities[index],
            });
        }
        Ok(())
    })
}

/// Turns logits into probabilities. `probabilities` is `logits`, or overlaps it nowhere.
///
/// # Safety
/// `logits` and `probabilities` are NULL or point to `count` floats.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sn_softmax(
    logits: *const f32,
    count: usize,
    probabilities: *mut f32,
) -> sn_status {
    status(|| {
        check_range(logits, count, "logits")?;
        if !ptr::eq(logits, probabilities) {
            check_range(probabilities, count, "probabilities")?;
            apart((logits, count), (probabilities, count))?;
            // SAFETY: both are there and apart.
            unsafe { probabilities.copy_from_nonoverlapping(logits, count) };
        }
        // SAFETY: promised by the caller, and filled.
        softmax(unsafe { slice_mut(probabilities, count, "probabilities") }?);
        Ok(())
    })
}
