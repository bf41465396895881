//! What this CPU can do.

use super::args::{Versioned, write};
use super::status::{c_string, sn_status, status};
use crate::cpu::{CoreType, Cpu, Level};
use std::ffi::{CStr, CString, c_char};
use std::sync::OnceLock;

/// This machine's CPU. The texts are always there.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sn_cpu_info {
    /// `sizeof(sn_cpu_info)`.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// The highest level of instructions that kernels use: `reference`, `portable`, `avx2`, `avx512` or
    /// `neon`.
    pub level: *const c_char,
    /// The core type that kernels are scheduled for: `a53`, `a55` or `big`.
    pub core: *const c_char,
    /// Every level that this CPU has, the slowest first, with spaces between.
    pub levels: *const c_char,
    /// Instruction set extensions that were found and matter to kernels, with spaces between.
    pub features: *const c_char,
}

// SAFETY: `repr(C)`, begins with its size, integers and pointers only.
unsafe impl Versioned for sn_cpu_info {
    const NAME: &'static str = "sn_cpu_info";
}

/// A level's name as a C string.
pub(super) fn level_name(level: Level) -> &'static CStr {
    match level {
        Level::Reference => c"reference",
        Level::Portable => c"portable",
        Level::Avx2 => c"avx2",
        Level::Avx512 => c"avx512",
        Level::Neon => c"neon",
    }
}

/// A core type's name as a C string.
pub(super) fn core_name(core: CoreType) -> &'static CStr {
    match core {
        CoreType::A53 => c"a53",
        CoreType::A55 => c"a55",
        CoreType::Big => c"big",
    }
}

/// Tells what this CPU can do. `SHUFFLENET_CPU` changes nothing here.
///
/// # Safety
/// `info` is NULL or points to as many bytes as its `struct_size` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sn_cpu_get_info(info: *mut sn_cpu_info) -> sn_status {
    static LISTS: OnceLock<[CString; 2]> = OnceLock::new();
    status(|| {
        let [levels, features] = LISTS.get_or_init(|| {
            let levels: Vec<&str> = Level::available().map(Level::name).collect();
            [c_string(&levels.join(" ")), c_string(&Cpu::features().join(" "))]
        });
        let cpu = Cpu::detect();
        let found = sn_cpu_info {
            struct_size: 0,
            reserved: 0,
            level: level_name(cpu.level()).as_ptr(),
            core: core_name(cpu.core()).as_ptr(),
            levels: levels.as_ptr(),
            features: features.as_ptr(),
        };
        // SAFETY: promised by the caller.
        unsafe { write(info, found) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_mask() {
        for level in Level::ALL {
            assert_eq!(level_name(level).to_str(), Ok(level.name()));
        }
        for core in [CoreType::A53, CoreType::A55, CoreType::Big] {
            assert_eq!(core_name(core).to_str(), Ok(core.name()));
        }
    }
}
