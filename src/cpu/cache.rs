//! The cache behind a core's first one.

use std::sync::OnceLock;

/// What is assumed where a CPU does not tell, in bytes. Phones have 128 KiB to 1 MiB for a core.
const USUAL: usize = 256 * 1024;

/// Size of the second-level cache in bytes. Looked up once.
pub(crate) fn second_level_cache() -> usize {
    static SIZE: OnceLock<usize> = OnceLock::new();
    *SIZE.get_or_init(|| caches().find(|&(level, _)| level == 2).map_or(USUAL, |(_, size)| size))
}

/// The levels and sizes of this core's caches of data.
#[cfg(target_arch = "x86_64")]
fn caches() -> impl Iterator<Item = (u32, usize)> {
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    // Intel's leaf and AMD's, of which each has no caches on the other's CPUs. A leaf beyond the last one would
    // be answered with another's contents.
    let leaves = [(0, 4), (0x8000_0000, 0x8000_001d)].into_iter();
    let leaves = leaves.filter(|&(range, leaf)| __cpuid(range).eax >= leaf);
    leaves.flat_map(|(_, leaf)| {
        let entries = (0..8).map(move |index| __cpuid_count(leaf, index));
        entries.filter_map(|entry| cache([entry.eax, entry.ebx, entry.ecx]))
    })
}

#[cfg(not(target_arch = "x86_64"))]
fn caches() -> impl Iterator<Item = (u32, usize)> {
    std::iter::empty()
}

/// The level and size of a cache of data, from the registers that describe it: Intel's manual, volume 2,
/// `CPUID`, leaf 4.
#[cfg(target_arch = "x86_64")]
fn cache([eax, ebx, ecx]: [u32; 3]) -> Option<(u32, usize)> {
    let (kind, level) = (eax & 0x1f, eax >> 5 & 7);
    let [line, partitions, ways] = [ebx & 0xfff, ebx >> 12 & 0x3ff, ebx >> 22];
    let size = [line, partitions, ways, ecx].map(|less| less as usize + 1);
    // Data alone, or instructions too.
    matches!(kind, 1 | 3).then(|| (level, size.into_iter().fold(1, usize::saturating_mul)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn caches_are_told_by_their_registers() {
        // A Xeon's 48 KiB of data, 32 KiB of instructions and 2 MiB of both; then no more.
        assert_eq!(cache([0x0400_0121, 0x02c0_003f, 0x3f]), Some((1, 48 << 10)));
        assert_eq!(cache([0x0400_0122, 0x01c0_003f, 0x3f]), None);
        assert_eq!(cache([0x0400_0143, 0x03c0_003f, 0x7ff]), Some((2, 2 << 20)));
        assert_eq!(cache([0; 3]), None);
    }

    #[test]
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    fn the_kernel_knows_the_same_size() {
        let path = "/sys/devices/system/cpu/cpu0/cache/index2/size";
        let Ok(text) = std::fs::read_to_string(path) else {
            return eprintln!("skipped: this machine has no {path}");
        };
        assert_eq!(format!("{}K", second_level_cache() >> 10), text.trim());
    }
}
