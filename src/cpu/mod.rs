//! What this CPU can do, and how much of it may be used.

mod cache;
mod core_type;
mod cores;

pub(crate) use cache::second_level_cache;
pub use core_type::CoreType;
pub use cores::Cores;

use crate::Error;
use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

/// How far up the instruction sets kernels may go. Later levels are faster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Level {
    /// The scalar definition of every kernel; slow.
    Reference,
    /// Vector code for any CPU, with the instruction set that the crate was built for. Its results
    /// differ from the other levels' by rounding: logits by at most 1e-5 of the largest.
    Portable,
    /// x86-64 with AVX2 and fused multiply-add.
    Avx2,
    /// x86-64 with AVX-512 (F and VL).
    Avx512,
    /// AArch64 with NEON.
    Neon,
}

impl Level {
    /// Every level; of those that one CPU can have, the slowest first.
    pub const ALL: [Level; 5] =
        [Level::Reference, Level::Portable, Level::Avx2, Level::Avx512, Level::Neon];

    /// The name that `SHUFFLENET_CPU` takes.
    pub fn name(self) -> &'static str {
        match self {
            Level::Reference => "reference",
            Level::Portable => "portable",
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
            Level::Neon => "neon",
        }
    }

    /// Whether this machine has the level's instructions.
    pub fn is_available(self) -> bool {
        match self {
            Level::Reference | Level::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => {
                Level::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[cfg(target_arch = "aarch64")]
            Level::Neon => std::arch::is_aarch64_feature_detected!("neon"),
            _ => false,
        }
    }

    /// The levels of this machine, the slowest first.
    pub fn available() -> impl Iterator<Item = Level> {
        Level::ALL.into_iter().filter(|level| level.is_available())
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Level {
    type Err = Error;

    fn from_str(text: &str) -> Result<Level, Error> {
        let found = Level::ALL.into_iter().find(|level| level.name() == text);
        found.ok_or_else(|| {
            let names = Level::ALL.map(Level::name).join(", ");
            Error::argument("CPU level", format!("`{text}`"), format!("one of {names}"))
        })
    }
}

/// The environment variable that masks the CPU: a level, and after a comma a core type.
pub const MASK_VARIABLE: &str = "SHUFFLENET_CPU";

/// A CPU as kernels see it: what it has, less what was masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cpu {
    level: Level,
    core: CoreType,
}

impl Cpu {
    /// This machine with everything it has. Looked up once.
    pub fn detect() -> Cpu {
        static DETECTED: OnceLock<Cpu> = OnceLock::new();
        *DETECTED.get_or_init(|| {
            let best = Level::available().last().unwrap_or(Level::Reference);
            Cpu { level: best, core: CoreType::detect() }
        })
    }

    /// This machine, masked by the environment variable `SHUFFLENET_CPU` where it is set, for example
    /// to `reference` or `portable,a55`.
    ///
    /// # Errors
    /// [`Error::Argument`] when the variable names no level or core type, or a level that this CPU
    /// lacks.
    pub fn from_env() -> Result<Cpu, Error> {
        match std::env::var(MASK_VARIABLE) {
            Ok(mask) if !mask.is_empty() => Cpu::detect().masked(&mask),
            Ok(_) | Err(std::env::VarError::NotPresent) => Ok(Cpu::detect()),
            Err(_) => Err(Error::argument(MASK_VARIABLE, "not Unicode", "LEVEL[,CORE]")),
        }
    }

    /// This CPU under a mask in the words of `SHUFFLENET_CPU`.
    ///
    /// # Errors
    /// As for [`Cpu::from_env`].
    pub fn masked(self, mask: &str) -> Result<Cpu, Error> {
        let (level, core) = match mask.split_once(',') {
            Some((level, core)) => (level, Some(core.trim().parse()?)),
            None => (mask, None),
        };
        let cpu = self.with_level(level.trim().parse()?)?;
        Ok(core.map_or(cpu, |core| cpu.with_core(core)))
    }

    /// The same CPU held to a level.
    ///
    /// # Errors
    /// [`Error::Argument`] when this CPU lacks the level's instructions.
    pub fn with_level(self, level: Level) -> Result<Cpu, Error> {
        if !level.is_available() {
            let names: Vec<_> = Level::available().map(Level::name).collect();
            let expected = format!("one of this CPU's: {}", names.join(", "));
            return Err(Error::argument("CPU level", level, expected));
        }
        Ok(Cpu { level, ..self })
    }

    /// The same CPU with kernels tuned for another core type.
    pub fn with_core(self, core: CoreType) -> Cpu {
        Cpu { core, ..self }
    }

    /// The highest level that kernels may use.
    pub fn level(self) -> Level {
        self.level
    }

    /// The core type that kernels are tuned for.
    pub fn core(self) -> CoreType {
        self.core
    }

    /// Names of the instruction-set extensions found that matter to kernels, in the operating
    /// system's spelling. Not reduced by a mask.
    pub fn features() -> Vec<&'static str> {
        macro_rules! detected {
            ($detect:ident: $($name:tt)*) => {
                [$(($name, std::arch::$detect!($name))),*]
                    .into_iter()
                    .filter_map(|(name, has)| has.then_some(name))
                    .collect()
            };
        }
        #[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
        return detected!(is_x86_feature_detected:
            "sse4.1" "avx" "fma" "f16c" "avx2" "avxvnni"
            "avx512f" "avx512bw" "avx512dq" "avx512vl" "avx512vnni" "avx512bf16");
        #[cfg(target_arch = "aarch64")]
        return detected!(is_aarch64_feature_detected:
            "neon" "fp16" "dotprod" "i8mm" "bf16" "sve" "sve2");
        #[cfg(not(any(target_arch = "x86_64", target_arch = "x86", target_arch = "aarch64")))]
        return Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_take_a_level_and_a_core() {
        let cpu = Cpu::detect();
        let masked = cpu.masked("reference,a55").unwrap();
        assert_eq!((masked.level(), masked.core()), (Level::Reference, CoreType::A55));
        assert_eq!(cpu.masked("portable").unwrap().core(), cpu.core());
        assert_eq!(
            cpu.masked("sse9").unwrap_err().to_string(),
            "CPU level is `sse9`, expected one of reference, portable, avx2, avx512, neon"
        );
        assert_eq!(
            cpu.masked("portable,a99").unwrap_err().to_string(),
            "core type is `a99`, expected one of a53, a55, big"
        );
    }

    #[test]
    fn every_level_parses_from_its_name() {
        for level in Level::ALL {
            assert_eq!(level.name().parse::<Level>().unwrap(), level);
        }
    }
}
