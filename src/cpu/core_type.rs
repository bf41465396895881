//! Which kind of core runs: in-order cores want their own instruction schedules.

use crate::Error;
use std::str::FromStr;

/// The kind of core that kernels are scheduled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CoreType {
    /// ARM Cortex-A53: in-order; a 128-bit load takes both issue slots.
    A53,
    /// ARM Cortex-A55: in-order; a 64-bit load pairs with a multiply-add.
    A55,
    /// Everything that reorders instructions by itself.
    Big,
}

impl CoreType {
    const ALL: [CoreType; 3] = [CoreType::A53, CoreType::A55, CoreType::Big];

    /// The name that `SHUFFLENET_CPU` takes.
    pub fn name(self) -> &'static str {
        match self {
            CoreType::A53 => "a53",
            CoreType::A55 => "a55",
            CoreType::Big => "big",
        }
    }

    /// The fastest kind among this machine's cores.
    pub(super) fn detect() -> CoreType {
        let fastest = core_ids().map(CoreType::from_midr).max_by_key(|core| match core {
            CoreType::A53 => 0,
            CoreType::A55 => 1,
            CoreType::Big => 2,
        });
        fastest.unwrap_or(CoreType::Big)
    }

    /// From an AArch64 main ID register: implementer in bits 31 to 24, part number in bits 15 to 4.
    fn from_midr(midr: u64) -> CoreType {
        match (midr >> 24 & 0xff, midr >> 4 & 0xfff) {
            // Cortex-A53, and Cortex-A35, which is a smaller one of its kind.
            (0x41, 0xd03 | 0xd04) => CoreType::A53,
            // Cortex-A55 and Cortex-A510.
            (0x41, 0xd05 | 0xd46) => CoreType::A55,
            _ => CoreType::Big,
        }
    }
}

/// Main ID registers of all cores. The kernel's files are read, never the register itself: reading
/// that faults on kernels that do not emulate it.
fn core_ids() -> impl Iterator<Item = u64> {
    const CORES: usize = if cfg!(target_arch = "aarch64") { 64 } else { 0 };
    // A core that is offline has no file.
    (0..CORES).filter_map(|cpu| {
        let path = format!("/sys/devices/system/cpu/cpu{cpu}/regs/identification/midr_el1");
        let text = std::fs::read_to_string(path).ok()?;
        u64::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok()
    })
}

impl FromStr for CoreType {
    type Err = Error;

    fn from_str(text: &str) -> Result<CoreType, Error> {
        let found = CoreType::ALL.into_iter().find(|core| core.name() == text);
        found.ok_or_else(|| {
            let names = CoreType::ALL.map(CoreType::name).join(", ");
            Error::argument("core type", format!("`{text}`"), format!("one of {names}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_told_by_their_part_number() {
        assert_eq!(CoreType::from_midr(0x410f_d034), CoreType::A53);
        assert_eq!(CoreType::from_midr(0x411f_d050), CoreType::A55);
        assert_eq!(CoreType::from_midr(0x413f_d0b1), CoreType::Big); // Cortex-A76
        assert_eq!(CoreType::from_midr(0x510f_8031), CoreType::Big); // Kryo, another implementer
    }
}
