//! Every kernel there is, one line each. Dispatch, tests and benchmarks all read this list.

use super::args::{PointwiseFn, RowSumFn, WindowFn};
use super::{Layout, portable, reference};
use crate::Error;
use crate::cpu::{Cpu, Level};
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
    /// Sums of image rows, for the pooled mean.
    RowSum,
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
        Operation::RowSum,
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
            Operation::RowSum => f.write_str("row sum"),
            Operation::FullyConnected => f.write_str("fully connected"),
        }
    }
}

/// A kernel's code, by signature.
#[derive(Clone, Copy, Debug)]
pub(super) enum Function {
    Matrix { layout: Layout, run: PointwiseFn },
    Window(WindowFn),
    RowSum(RowSumFn),
}

/// One registered kernel.
#[derive(Debug)]
pub struct Kernel {
    name: &'static str,
    level: Level,
    operation: Operation,
    pub(super) function: Function,
}

impl Kernel {
    /// `<dtype>_<op>_<tile>_<level>`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The instruction set that it needs.
    pub fn level(&self) -> Level {
        self.level
    }

    /// What it computes.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// The layout of its weight matrix, for pointwise and fully connected kernels.
    pub fn layout(&self) -> Option<Layout> {
        match self.function {
            Function::Matrix { layout, .. } => Some(layout),
            _ => None,
        }
    }

    /// Whether this CPU can run it.
    pub fn runs_here(&self) -> bool {
        self.level <= Cpu::detect().level()
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

macro_rules! kernels {
    ($($name:ident: $operation:expr, $level:ident, $function:expr;)*) => {
        &[$(Kernel {
            name: stringify!($name),
            level: Level::$level,
            operation: $operation,
            function: $function,
        }),*]
    };
}

use Function::{Matrix, RowSum, Window};
use Operation as Op;

const PLAIN: Layout = Layout::RowMajor;
const PANELS_8: Layout = Layout::Panels { width: 8 };

static KERNELS: &[Kernel] = kernels! {
    f32_stem3x3s2_ref: Op::Stem, Reference, Window(reference::stem);
    f32_maxpool3x3s2_ref: Op::MaxPool, Reference, Window(reference::max_pool);
    f32_pw_1x1_ref: Op::Pointwise, Reference, Matrix { layout: PLAIN, run: reference::pointwise };
    f32_dw3x3s1_ref: Op::Depthwise { stride: 1 }, Reference, Window(reference::depthwise_s1);
    f32_dw3x3s2_ref: Op::Depthwise { stride: 2 }, Reference, Window(reference::depthwise_s2);
    f32_rowsum_ref: Op::RowSum, Reference, RowSum(reference::row_sum);
    f32_fc_1x1_ref: Op::FullyConnected, Reference, Matrix { layout: PLAIN, run: reference::fully_connected };

    f32_stem3x3s2_portable: Op::Stem, Portable, Window(portable::stem);
    f32_maxpool3x3s2_portable: Op::MaxPool, Portable, Window(portable::max_pool);
    f32_pw_4x8_portable: Op::Pointwise, Portable, Matrix { layout: PANELS_8, run: portable::pointwise };
    f32_dw3x3s1_portable: Op::Depthwise { stride: 1 }, Portable, Window(portable::depthwise_s1);
    f32_dw3x3s2_portable: Op::Depthwise { stride: 2 }, Portable, Window(portable::depthwise_s2);
    f32_rowsum_portable: Op::RowSum, Portable, RowSum(portable::row_sum);
    f32_fc_1x8_portable: Op::FullyConnected, Portable, Matrix { layout: PANELS_8, run: portable::fully_connected };
};

/// Every kernel of this build, whether or not this CPU can run it.
pub fn registry() -> &'static [Kernel] {
    KERNELS
}

/// The kernel that a CPU uses for an operation: the table starts at the reference, and each better
/// instruction set overwrites its entries.
pub fn select(cpu: Cpu, operation: Operation) -> &'static Kernel {
    let mut selected = None;
    for kernel in KERNELS.iter().filter(|k| k.operation == operation && k.level <= cpu.level()) {
        if selected.is_none_or(|best: &Kernel| best.level <= kernel.level) {
            selected = Some(kernel);
        }
    }
    // `every_operation_has_a_reference` holds this.
    selected.expect("every operation has a reference kernel")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_a_reference() {
        for operation in Operation::ALL {
            let reference = Cpu::detect().with_level(Level::Reference).unwrap();
            assert_eq!(select(reference, operation).level(), Level::Reference);
            assert_eq!(select(Cpu::detect(), operation).level(), Cpu::detect().level());
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
            assert!(kernel.name.ends_with(suffix), "{}", kernel.name);
        }
    }
}
