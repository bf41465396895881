//! What a forked process does.

use crate::common::target_variable;
use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

unsafe extern "C" {
    fn fork() -> c_int;
    fn waitpid(process: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn alarm(seconds: u32) -> u32;
    fn _exit(status: c_int) -> !;
}

/// Whether a forked process returns from `work`; one that hangs ends with a signal. Under an emulator it is not tried:
/// qemu loses count of its own threads.
pub fn returns_in_fork(work: impl FnOnce()) -> bool {
    if target_variable("RUNNER").is_some() {
        println!("skipped: emulators do not fork programs of several threads");
        return true;
    }
    // SAFETY: the C library keeps its memory in order, and so the new process may allocate.
    match unsafe { fork() } {
        0 => {
            // SAFETY: nothing is asked of the caller.
            unsafe { alarm(100) };
            let result = catch_unwind(AssertUnwindSafe(work));
            // SAFETY: the process is done.
            unsafe { _exit(result.is_err().into()) }
        }
        process => {
            assert!(process > 0, "fork");
            let mut status = 0;
            // SAFETY: there is such a process, and the status is here.
            assert_eq!(unsafe { waitpid(process, &mut status, 0) }, process);
            status == 0
        }
    }
}
