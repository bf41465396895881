//! Pointwise convolution and the fully connected layer: matrices times rows.

use super::args::{PointwiseArgs, PointwiseFn};
use super::registry::{Function, Kernel, Operation, select};
use super::{Layout, Matrix, View, ViewMut};
use crate::Error;
use crate::cpu::Cpu;
use std::sync::Arc;

/// A kernel with its packed matrix.
#[derive(Clone, Debug)]
struct Bound {
    kernel: &'static Kernel,
    run: PointwiseFn,
    matrix: Arc<Matrix>,
    relu: bool,
}

impl Bound {
    fn new(
        operation: Operation,
        kernel: &'static Kernel,
        matrix: Arc<Matrix>,
        relu: bool,
    ) -> Result<Bound, Error> {
        kernel.check(operation)?;
        match kernel.function {
            Function::Matrix { layout, run } if layout == matrix.layout() => {
                Ok(Bound { kernel, run, matrix, relu })
            }
            _ => Err(Error::argument(
                "layout of the matrix",
                format!("{:?}", matrix.layout()),
                format!("{:?} for {}", kernel.layout(), kernel.name()),
            )),
        }
    }

    fn run(&self, input: &View<'_>, output: &mut ViewMut<'_>) -> Result<(), Error> {
        let (inputs, outputs) = (self.matrix.inputs(), self.matrix.outputs());
        let checks = [
            ("columns of the input", input.columns(), inputs),
            ("columns of the output", output.columns(), outputs),
            ("rows of the output", output.rows(), input.rows()),
        ];
        for (name, found, expected) in checks {
            if found != expected {
                return Err(Error::argument(name, found, expected));
            }
        }
        let args = PointwiseArgs {
            rows: input.rows(),
            inputs,
            outputs,
            input: input.raw(),
            output: output.raw(),
            weights: self.matrix.weights().as_ptr(),
            bias: self.matrix.bias().as_ptr(),
            relu: self.relu,
        };
        // SAFETY: both views cover `rows` rows of their ranges, which have `inputs` and `outputs`
        // columns; the output is borrowed mutably, so it overlaps nothing; the matrix has the
        // kernel's layout, and `Kernel::check` found its instructions on this CPU.
        unsafe { (self.run)(&args) };
        Ok(())
    }
}

/// A 1x1 convolution: packed once, run on any number of pixels.
///
/// ```
/// use shufflenet::cpu::Cpu;
/// use shufflenet::kernels::{ColumnRange, Pointwise, View, ViewMut};
///
/// // Two inputs, one output: y = 10 + 1 * a + 2 * b, then ReLU.
/// let layer = Pointwise::new(Cpu::detect(), 2, 1, &[1.0, 2.0], &[10.0], true)?;
/// // Three pixels of four channels each; the layer reads channels 1 and 3, and writes channel 0.
/// let pixels = [0., 1., 0., 2., 0., 3., 0., 4., 0., 5., 0., -60.];
/// let reads = [ColumnRange { start: 1, len: 1 }, ColumnRange { start: 3, len: 1 }];
/// let mut output = [0.0; 3];
/// layer.run(&View::new(&pixels, 3, 4, &reads)?, &mut ViewMut::dense(&mut output, 3, 1)?)?;
/// assert_eq!(output, [15.0, 21.0, 0.0]);
/// # Ok::<(), shufflenet::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pointwise(Bound);

impl Pointwise {
    /// Packs row-major `[outputs][inputs]` weights for the CPU's best kernel.
    ///
    /// # Errors
    /// [`Error::Argument`] when a size is zero or a slice has another length.
    pub fn new(
        cpu: Cpu,
        inputs: usize,
        outputs: usize,
        weights: &[f32],
        bias: &[f32],
        relu: bool,
    ) -> Result<Pointwise, Error> {
        let kernel = select(cpu, Operation::Pointwise);
        let layout = kernel.layout().unwrap_or(Layout::RowMajor);
        let matrix = Matrix::new(layout, inputs, outputs, weights, bias)?;
        Pointwise::with_kernel(kernel, Arc::new(matrix), relu)
    }

    /// Uses the given kernel and a matrix in its layout.
    ///
    /// # Errors
    /// [`Error::Argument`] when the kernel is for another operation, CPU or layout.
    pub fn with_kernel(
        kernel: &'static Kernel,
        matrix: Arc<Matrix>,
        relu: bool,
    ) -> Result<Pointwise, Error> {
        Bound::new(Operation::Pointwise, kernel, matrix, relu).map(Pointwise)
    }

    /// Computes as many pixels as both views have rows.
    ///
    /// # Errors
    /// [`Error::Argument`] when the views' columns are not the layer's, or their rows differ.
    pub fn run(&self, input: &View<'_>, output: &mut ViewMut<'_>) -> Result<(), Error> {
        self.0.run(input, output)
    }

    /// The kernel in use.
    pub fn kernel(&self) -> &'static Kernel {
        self.0.kernel
    }
}

/// A matrix times each row, plus a bias. Inputs are summed in blocks of 64, each from 0, and the
/// blocks are added to the bias in order.
///
/// ```
/// use shufflenet::cpu::Cpu;
/// use shufflenet::kernels::{FullyConnected, View, ViewMut};
///
/// let layer = FullyConnected::new(Cpu::detect(), 2, 1, &[1.0, 2.0], &[10.0])?;
/// let mut output = [0.0; 2];
/// layer.run(&View::dense(&[1., 2., 3., 4.], 2, 2)?, &mut ViewMut::dense(&mut output, 2, 1)?)?;
/// assert_eq!(output, [15.0, 21.0]);
/// # Ok::<(), shufflenet::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct FullyConnected(Bound);

impl FullyConnected {
    /// Packs row-major `[outputs][inputs]` weights for the CPU's best kernel.
    ///
    /// # Errors
    /// [`Error::Argument`] when a size is zero or a slice has another length.
    pub fn new(
        cpu: Cpu,
        inputs: usize,
        outputs: usize,
        weights: &[f32],
        bias: &[f32],
    ) -> Result<FullyConnected, Error> {
        let kernel = select(cpu, Operation::FullyConnected);
        let layout = kernel.layout().unwrap_or(Layout::RowMajor);
        let matrix = Matrix::new(layout, inputs, outputs, weights, bias)?;
        FullyConnected::with_kernel(kernel, Arc::new(matrix))
    }

    /// Uses the given kernel and a matrix in its layout.
    ///
    /// # Errors
    /// [`Error::Argument`] when the kernel is for another operation, CPU or layout.
    pub fn with_kernel(
        kernel: &'static Kernel,
        matrix: Arc<Matrix>,
    ) -> Result<FullyConnected, Error> {
        Bound::new(Operation::FullyConnected, kernel, matrix, false).map(FullyConnected)
    }

    /// Computes as many vectors as both views have rows.
    ///
    /// # Errors
    /// [`Error::Argument`] when the views' columns are not the layer's, or their rows differ.
    pub fn run(&self, input: &View<'_>, output: &mut ViewMut<'_>) -> Result<(), Error> {
        self.0.run(input, output)
    }

    /// The kernel in use.
    pub fn kernel(&self) -> &'static Kernel {
        self.0.kernel
    }
}
