//! What functions return, and the text that goes with it.

use crate::Error;
use std::any::Any;
use std::cell::RefCell;
use std::ffi::{CString, c_char};
use std::fmt::Display;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a function returns. Later versions may add values.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum sn_status {
    /// It did what it says.
    SN_OK = 0,
    /// A pointer is NULL that must not be.
    SN_NULL = 1,
    /// An argument or a field is out of range, or does not fit the others.
    SN_INVALID_ARGUMENT = 2,
    /// A pointer is not aligned to what it points to.
    SN_MISALIGNED = 3,
    /// A `struct_size` is that of no version, or a field is set that this version does not know.
    SN_STRUCT_SIZE = 4,
    /// Memory that the caller gave is smaller than what the function needs.
    SN_TOO_SMALL = 5,
    /// A file cannot be opened or read.
    SN_IO = 6,
    /// A file is not a model that this library can run.
    SN_MODEL = 7,
    /// The session is in use by another thread. Nothing was done.
    SN_BUSY = 8,
    /// Nothing was run yet, or not so many images.
    SN_NO_RESULT = 9,
    /// This build, this system or this CPU cannot do it.
    SN_UNSUPPORTED = 10,
    /// There is not so much memory.
    SN_NO_MEMORY = 11,
    /// An error in the library itself. The call had no effect, or left a session's results undefined.
    SN_INTERNAL = 12,
}

/// Why a function does not return [`sn_status::SN_OK`].
#[derive(Debug)]
pub(super) struct Failure {
    pub status: sn_status,
    pub text: String,
}

impl Failure {
    pub fn new(status: sn_status, text: impl Into<String>) -> Failure {
        Failure { status, text: text.into() }
    }

    /// An argument that is out of range.
    pub fn argument(name: &'static str, found: impl Display, expected: impl Display) -> Failure {
        Error::argument(name, found, expected).into()
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure { status: status_of(&error), text: error.to_string() }
    }
}

fn status_of(error: &Error) -> sn_status {
    match error {
        Error::Io { source, .. } if source.kind() == io::ErrorKind::OutOfMemory => {
            sn_status::SN_NO_MEMORY
        }
        Error::Io { .. } | Error::Write { .. } => sn_status::SN_IO,
        Error::File { source, .. } => status_of(source),
        Error::Argument { .. } | Error::ImageNotFinite { .. } => sn_status::SN_INVALID_ARGUMENT,
        Error::Memory { .. } => sn_status::SN_NO_MEMORY,
        Error::Format { .. }
        | Error::MissingTensor { .. }
        | Error::UnexpectedTensor { .. }
        | Error::TensorShape { .. }
        | Error::TensorType { .. }
        | Error::NotFinite { .. }
        | Error::Negative { .. }
        | Error::Metadata { .. }
        | Error::MetadataKey { .. } => sn_status::SN_MODEL,
    }
}

thread_local! {
    static LAST_ERROR: RefCell<Option<CString>> = const { RefCell::new(None) };
}

/// A C string of a text that may hold zeros.
pub(super) fn c_string(text: &str) -> CString {
    CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default()
}

/// Runs a function's body. A panic ends here.
pub(super) fn status(body: impl FnOnce() -> Result<(), Failure>) -> sn_status {
    // What a panic leaves behind is whole: handles are handed out last, and a session's memory is
    // written before it is read.
    finish(catch_unwind(AssertUnwindSafe(body)))
}

#[inline(never)] // once, not in each function
fn finish(result: std::thread::Result<Result<(), Failure>>) -> sn_status {
    let failure = match result {
        Ok(Ok(())) => return sn_status::SN_OK,
        Ok(Err(failure)) => failure,
        Err(panic) => Failure::new(sn_status::SN_INTERNAL, panic_text(&*panic)),
    };
    let text = Some(c_string(&failure.text));
    // Without effect while the thread ends and its own variables are gone.
    _ = LAST_ERROR.try_with(|last| last.replace(text));
    failure.status
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref().copied()).unwrap_or("the library panicked")
}

/// The text of the calling thread's last failure: what was wrong, and what was expected. UTF-8, empty
/// before any failure, and valid until the thread's next one.
#[unsafe(no_mangle)]
pub extern "C" fn sn_last_error() -> *const c_char {
    let text = |last: &RefCell<Option<CString>>| last.borrow().as_ref().map(|text| text.as_ptr());
    LAST_ERROR.try_with(text).ok().flatten().unwrap_or(c"".as_ptr())
}
