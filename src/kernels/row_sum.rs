//! The pooled mean: sums of image rows, divided once.

use super::View;
use super::args::{RowSumArgs, RowSumFn};
use super::registry::{Function, Kernel, Operation, select};
use crate::Error;
use crate::cpu::Cpu;

/// Adds image rows to a sum per channel: each row left to right from 0, then the row's sum to the
/// channel's, so that an image may be handed over in any number of bands.
///
/// ```
/// use shufflenet::cpu::Cpu;
/// use shufflenet::kernels::{RowSum, View};
///
/// let mut sums = [0.0; 2];
/// let image = [1.0, 10.0, 2.0, 20.0, 3.0, 30.0, 4.0, 40.0]; // 2 x 2 pixels of two channels
/// RowSum::new(Cpu::detect())?.run(&View::dense(&image, 4, 2)?, 2, &mut sums)?;
/// assert_eq!(sums, [10.0, 100.0]);
/// # Ok::<(), shufflenet::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct RowSum {
    kernel: &'static Kernel,
    run: RowSumFn,
}

impl RowSum {
    /// Binds the CPU's best kernel.
    ///
    /// # Errors
    /// None today.
    pub fn new(cpu: Cpu) -> Result<RowSum, Error> {
        RowSum::with_kernel(select(cpu, Operation::RowSum))
    }

    /// Uses the given kernel.
    ///
    /// # Errors
    /// [`Error::Argument`] when the kernel is for another operation or CPU.
    pub fn with_kernel(kernel: &'static Kernel) -> Result<RowSum, Error> {
        kernel.check(Operation::RowSum)?;
        match kernel.function {
            Function::RowSum(run) => Ok(RowSum { kernel, run }),
            _ => Err(Error::argument("kernel", kernel.name(), "a row sum kernel")),
        }
    }

    /// Adds image rows of `width` pixels to `sums`, one per column. The view has one range.
    ///
    /// # Errors
    /// [`Error::Argument`] when the rows are no multiple of the width, the view has several ranges, or
    /// the columns are not as many as the sums.
    pub fn run(&self, input: &View<'_>, width: usize, sums: &mut [f32]) -> Result<(), Error> {
        let &[range] = input.ranges() else {
            return Err(Error::argument("ranges of the input", input.ranges().len(), 1));
        };
        if range.len != sums.len() {
            return Err(Error::argument("columns of the input", range.len, sums.len()));
        }
        let height = input.rows().checked_div(width).unwrap_or(0);
        if height * width != input.rows() || width == 0 {
            let expected = format!("a multiple of width {width}");
            return Err(Error::argument("rows of the input", input.rows(), expected));
        }
        let args = RowSumArgs {
            // SAFETY: the range's start lies inside the view's rows.
            input: unsafe { input.as_ptr().add(range.start) },
            height,
            width,
            stride: input.stride(),
            channels: range.len,
            sums: sums.as_mut_ptr(),
        };
        // SAFETY: the view covers the range's columns of `height * width` pixels, the sums are as many
        // and borrowed mutably; `Kernel::check` found the kernel's instructions on this CPU.
        unsafe { (self.run)(&args) };
        Ok(())
    }

    /// The kernel in use.
    pub fn kernel(&self) -> &'static Kernel {
        self.kernel
    }
}
