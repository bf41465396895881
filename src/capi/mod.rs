//! The C interface: `include/shufflenet.h` is made of this module.
//!
//! Handles are opaque. An [`sn_network`] is immutable, counted, and shared by threads; an [`sn_session`]
//! is used by one thread at a time, and a second one gets `SN_BUSY`. Structs begin with their size, so
//! that they can grow. Every function returns an [`sn_status`], and [`sn_last_error`] has the text.
//! Arguments are checked; a panic becomes `SN_INTERNAL`.

#![allow(non_camel_case_types)]

mod args;
mod cpu;
mod image;
mod kernels;
mod network;
mod session;
mod status;

pub use cpu::*;
pub use image::*;
pub use kernels::*;
pub use network::*;
pub use session::*;
pub use status::{sn_last_error, sn_status};

use args::output;
use std::ffi::{CStr, c_char};

/// Version of this interface. Functions and fields are added under the same number; it grows when a
/// program must be changed or compiled again.
pub const SN_ABI_VERSION: u32 = 1;

const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => panic!("a version has no zeros"),
    };

/// Stores the library's `SN_ABI_VERSION`, to be compared with the header's.
///
/// # Safety
/// `version` is NULL or points to a `uint32_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sn_abi_version(version: *mut u32) -> sn_status {
    status::status(|| {
        // SAFETY: promised by the caller.
        *unsafe { output(version, "version") }? = SN_ABI_VERSION;
        Ok(())
    })
}

/// Stores the library's version, such as `1.2.3`; a text that is always there.
///
/// # Safety
/// `version` is NULL or points to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sn_version(version: *mut *const c_char) -> sn_status {
    status::status(|| {
        // SAFETY: promised by the caller.
        *unsafe { output(version, "version") }? = VERSION.as_ptr();
        Ok(())
    })
}

/// Panics, for the tests.
#[cfg(test_panic)]
#[unsafe(no_mangle)]
pub extern "C" fn sn_test_panic() -> sn_status {
    status::status(|| panic!("a test's panic"))
}
