//! Every kernel there is, one line each. Dispatch, tests and benchmarks all read this list.

use super::args::{PointwiseFn, PointwiseMeanFn, WindowFn};
#[cfg(target_arch = "aarch64")]
use super::neon;
use super::{Layout, portable, reference};
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};
use crate::Error;
use crate::cpu::{CoreType, Cpu, Level};
use std::fmt;

/// What a kernel computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// 3x3 convolution of a 3-channel image, stride 2, padding 1, with ReLU.
    Stem,
    /// 3x3 maximum, stride 2, padding 1.
    MaxPool,
    /// 1x1 convolution.
    Pointwise,
    /// 3x3 convolution of each channel by itself, padding 1.
    Depthwise {
        /// 1 or 2.
        stride: usize,
    },
    /// 1x1 convolution of which only the mean over all pixels is kept.
    PointwiseMean,
    /// Matrix times vector, summed in blocks of 64 inputs.
    FullyConnected,
}

impl Operation {
    /// Every operation, in a network's order.
    pub const ALL: [Operation; 7] = [
        Operation::Stem,
        Operation::MaxPool,
        Operation::Pointwise,
        Operation::Depthwise { stride: 1 },
        Operation::Depthwise { stride: 2 },
        Operation::PointwiseMean,
        Operation::FullyConnected,
    ];
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operation::Stem => f.write_str("stem"),
            Operation::MaxPool => f.write_str("max pool"),
            Operation::Pointwise => f.write_str("pointwise"),
            Operation::Depthwise { stride } => write!(f, "depthwise, stride {stride}"),
            Operation::PointwiseMean => f.write_str("pointwise, mean"),
            Operation::FullyConnected => f.write_str("fully connected"),
        }
    }
}

/// A kernel's code, by signature.
#[derive(Clone, Copy, Debug)]
pub(super) enum Function {
    Matrix { layout: Layout, run: PointwiseFn },
    Window(WindowFn),
    MatrixMean { layout: Layout, run: PointwiseMeanFn },
}

/// One registered kernel.
#[derive(Debug)]
pub struct Kernel {
    name: &'static str,
    level: Level,
    /// The core type that it is scheduled for, or any.
    core: Option<CoreType>,
    operation: Operation,
    pub(super) function: Function,
}

impl Kernel {
    /// `<dtype>_<op>_<tile>_<level>[_<core>]`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The instruction set that it needs.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The core type that it is scheduled for; `None` is any.
    pub fn core(&self) -> Option<CoreType> {
        self.core
    }

    /// What it computes.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// The layout of its weight matrix, for pointwise and fully connected kernels.
    pub fn layout(&self) -> Option<Layout> {
        match self.function {
            Function::Matrix { layout, .. } | Function::MatrixMean { layout, .. } => Some(layout),
            Function::Window(_) => None,
        }
    }

    /// Whether this CPU can run it.
    pub fn runs_here(&self) -> bool {
        self.level.is_available()
    }

    pub(super) fn check(&self, operation: Operation) -> Result<(), Error> {
        if self.operation != operation {
            let expected = format!("a kernel for {operation:?}");
            return Err(Error::argument("kernel", self.name, expected));
        }
        if !self.runs_here() {
            return Err(Error::argument("kernel", self.name, "one that this CPU can run"));
        }
        Ok(())
    }
}

/// The core type in a kernel's name.
const fn core_of(name: &str) -> Option<CoreType> {
    match name.as_bytes() {
        [.., b'_', b'a', b'5', b'3'] => Some(CoreType::A53),
        [.., b'_', b'a', b'5', b'5'] => Some(CoreType::A55),
        _ => None,
    }
}

macro_rules! kernels {
    ($($(#[$attribute:meta])* $name:ident: $operation:expr, $level:ident, $function:expr;)*) => {
        &[$($(#[$attribute])* Kernel {
            name: stringify!($name),
            level: Level::$level,
            core: core_of(stringify!($name)),
            operation: $operation,
            function: $function,
        }),*]
    };
}

use Function::{Matrix, MatrixMean, Window};
use Operation as Op;

const PLAIN: Layout = Layout::RowMajor;
const PANELS_8: Layout = Layout::Panels { width: 8 };
#[cfg(target_arch = "x86_64")]
const PANELS_16: Layout = Layout::Panels { width: 16 };

#[rustfmt::skip]
static KERNELS: &[Kernel] = kernels! {
    f32_stem_1x1_ref: Op::Stem, Reference, Window(reference::stem);
    f32_maxpool3x3s2_ref: Op::MaxPool, Reference, Window(reference::max_pool);
    f32_pw_1x1_ref: Op::Pointwise, Reference, Matrix { layout: PLAIN, run: reference::pointwise };
    f32_dw3x3s1_ref: Op::Depthwise { stride: 1 }, Reference, Window(reference::depthwise_s1);
    f32_dw3x3s2_ref: Op::Depthwise { stride: 2 }, Reference, Window(reference::depthwise_s2);
    f32_pwmean_1x1_ref: Op::PointwiseMean, Reference, MatrixMean { layout: PLAIN, run: reference::pointwise_mean };
    f32_fc_1x1_ref: Op::FullyConnected, Reference, Matrix { layout: PLAIN, run: reference::fully_connected };

    f32_stem_4x8_portable: Op::Stem, Portable, Window(portable::stem);
    f32_maxpool3x3s2_portable: Op::MaxPool, Portable, Window(portable::max_pool);
    f32_pw_4x8_portable: Op::Pointwise, Portable, Matrix { layout: PANELS_8, run: portable::pointwise };
    f32_dw3x3s1_portable: Op::Depthwise { stride: 1 }, Portable, Window(portable::depthwise_s1);
    f32_dw3x3s2_portable: Op::Depthwise { stride: 2 }, Portable, Window(portable::depthwise_s2);
    f32_pwmean_4x8_portable: Op::PointwiseMean, Portable, MatrixMean { layout: PANELS_8, run: portable::pointwise_mean };
    f32_fc_1x32_portable: Op::FullyConnected, Portable, Matrix { layout: PANELS_8, run: portable::fully_connected };

    #[cfg(target_arch = "x86_64")] f32_stem_4x24_avx2: Op::Stem, Avx2, Window(avx2::stem);
    #[cfg(target_arch = "x86_64")] f32_maxpool3x3s2_avx2: Op::MaxPool, Avx2, Window(avx2::max_pool);
    #[cfg(target_arch = "x86_64")] f32_pw_6x16_avx2: Op::Pointwise, Avx2, Matrix { layout: PANELS_16, run: avx2::pointwise };
    #[cfg(target_arch = "x86_64")] f32_dw3x3s1_avx2: Op::Depthwise { stride: 1 }, Avx2, Window(avx2::depthwise_s1);
    #[cfg(target_arch = "x86_64")] f32_dw3x3s2_avx2: Op::Depthwise { stride: 2 }, Avx2, Window(avx2::depthwise_s2);
    #[cfg(target_arch = "x86_64")] f32_pwmean_6x16_avx2: Op::PointwiseMean, Avx2, MatrixMean { layout: PANELS_16, run: avx2::pointwise_mean };
    #[cfg(target_arch = "x86_64")] f32_fc_1x64_avx2: Op::FullyConnected, Avx2, Matrix { layout: PANELS_16, run: avx2::fully_connected };

    #[cfg(target_arch = "x86_64")] f32_stem_14x32_avx512: Op::Stem, Avx512, Window(avx512::stem);
    #[cfg(target_arch = "x86_64")] f32_pw_13x32_avx512: Op::Pointwise, Avx512, Matrix { layout: PANELS_16, run: avx512::pointwise };
    #[cfg(target_arch = "x86_64")] f32_dw3x3s1_avx512: Op::Depthwise { stride: 1 }, Avx512, Window(avx512::depthwise_s1);
    #[cfg(target_arch = "x86_64")] f32_dw3x3s2_avx512: Op::Depthwise { stride: 2 }, Avx512, Window(avx512::depthwise_s2);
    #[cfg(target_arch = "x86_64")] f32_pwmean_13x32_avx512: Op::PointwiseMean, Avx512, MatrixMean { layout: PANELS_16, run: avx512::pointwise_mean };

    #[cfg(target_arch = "aarch64")] f32_stem_3x24_neon: Op::Stem, Neon, Window(neon::stem);
    #[cfg(target_arch = "aarch64")] f32_maxpool3x3s2_neon: Op::MaxPool, Neon, Window(neon::max_pool);
    #[cfg(target_arch = "aarch64")] f32_pw_8x8_neon: Op::Pointwise, Neon, Matrix { layout: PANELS_8, run: neon::pointwise };
    #[cfg(all(target_arch = "aarch64", assembly))] f32_pw_8x8_neon_a53: Op::Pointwise, Neon, Matrix { layout: PANELS_8, run: neon::pointwise_a53 };
    #[cfg(all(target_arch = "aarch64", assembly))] f32_pw_8x8_neon_a55: Op::Pointwise, Neon, Matrix { layout: PANELS_8, run: neon::pointwise_a55 };
    #[cfg(target_arch = "aarch64")] f32_dw3x3s1_neon: Op::Depthwise { stride: 1 }, Neon, Window(neon::depthwise_s1);
    #[cfg(target_arch = "aarch64")] f32_dw3x3s2_neon: Op::Depthwise { stride: 2 }, Neon, Window(neon::depthwise_s2);
    #[cfg(target_arch = "aarch64")] f32_pwmean_8x8_neon: Op::PointwiseMean, Neon, MatrixMean { layout: PANELS_8, run: neon::pointwise_mean };
    #[cfg(all(target_arch = "aarch64", assembly))] f32_pwmean_8x8_neon_a53: Op::PointwiseMean, Neon, MatrixMean { layout: PANELS_8, run: neon::pointwise_mean_a53 };
    #[cfg(all(target_arch = "aarch64", assembly))] f32_pwmean_8x8_neon_a55: Op::PointwiseMean, Neon, MatrixMean { layout: PANELS_8, run: neon::pointwise_mean_a55 };
    #[cfg(target_arch = "aarch64")] f32_fc_1x32_neon: Op::FullyConnected, Neon, Matrix { layout: PANELS_8, run: neon::fully_connected };
};

/// Every kernel of this build, whether or not this CPU can run it.
pub fn registry() -> &'static [Kernel] {
    KERNELS
}

/// The kernel that a CPU uses for an operation: of those that it may run, the one of the highest level,
/// and of these one for its core type before one for any. `None` for a depthwise stride other than 1
/// and 2.
pub fn select(cpu: Cpu, operation: Operation) -> Option<&'static Kernel> {
    let fits = |kernel: &&Kernel| {
        kernel.operation == operation
            && kernel.level <= cpu.level()
            && kernel.core.is_none_or(|core| core == cpu.core())
    };
    KERNELS.iter().filter(fits).max_by_key(|k| (k.level, k.core.is_some()))
}

/// The same for an operation of a network.
pub(crate) fn select_known(cpu: Cpu, operation: Operation) -> &'static Kernel {
    // `every_operation_has_a_reference` holds this.
    select(cpu, operation).expect("every operation of a network has a reference kernel")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_a_reference() {
        assert!(select(Cpu::detect(), Operation::Depthwise { stride: 3 }).is_none());
        for operation in Operation::ALL {
            let reference = Cpu::detect().with_level(Level::Reference).unwrap();
            assert_eq!(select_known(reference, operation).level(), Level::Reference);
            // A level need not be faster at everything than the one below.
            let level = Cpu::detect().level();
            let expected = if level == Level::Avx512 { Level::Avx2..=level } else { level..=level };
            assert!(expected.contains(&select_known(Cpu::detect(), operation).level()));
        }
    }

    #[test]
    fn names_are_unique_and_end_in_their_level() {
        for (i, kernel) in KERNELS.iter().enumerate() {
            assert!(KERNELS[i + 1..].iter().all(|other| other.name != kernel.name));
            let suffix = match kernel.level {
                Level::Reference => "_ref",
                level => level.name(),
            };
            let name = match kernel.core {
                Some(core) => kernel.name.strip_suffix(&format!("_{}", core.name())).unwrap(),
                None => kernel.name,
            };
            assert!(name.ends_with(suffix), "{}", kernel.name);
        }
    }
}
