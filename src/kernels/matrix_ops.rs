//! Pointwise convolution and the fully connected layer: matrices times rows.

use super::args::{PointwiseArgs, PointwiseFn, PointwiseMeanArgs, PointwiseMeanFn};
use super::registry::{Function, Kernel, Operation, select_known};
use super::view::expect;
use super::{Layout, Matrix, View, ViewMut};
use crate::Error;
use crate::cpu::Cpu;
use std::ops::Range;
use std::ptr::null;
use std::sync::Arc;

/// A kernel with its packed matrix.
#[derive(Clone, Debug)]
struct Bound<F> {
    kernel: &'static Kernel,
    run: F,
    matrix: Arc<Matrix>,
    /// The outputs to compute; they begin with a panel.
    outputs: Range<usize>,
    relu: bool,
    /// Whose weights are read soon.
    next: Option<Arc<Matrix>>,
}

/// Packs row-major weights for the CPU's best kernel.
fn packed(
    cpu: Cpu,
    operation: Operation,
    (inputs, outputs): (usize, usize),
    weights: &[f32],
    bias: &[f32],
) -> Result<(&'static Kernel, Arc<Matrix>), Error> {
    let kernel = select_known(cpu, operation);
    let layout = kernel.layout().unwrap_or(Layout::RowMajor);
    Ok((kernel, Arc::new(Matrix::new(layout, inputs, outputs, weights, bias)?)))
}

impl<F> Bound<F> {
    /// `function` takes what it needs of the kernel's code: its layout and the function.
    fn new(
        operation: Operation,
        kernel: &'static Kernel,
        matrix: Arc<Matrix>,
        relu: bool,
        function: impl Fn(Function) -> Option<(Layout, F)>,
    ) -> Result<Bound<F>, Error> {
        kernel.check(operation)?;
        match function(kernel.function) {
            Some((layout, run)) if layout == matrix.layout() => {
                let outputs = 0..matrix.outputs();
                Ok(Bound { kernel, run, matrix, outputs, relu, next: None })
            }
            _ => Err(Error::argument(
                "layout of the matrix",
                format!("{:?}", matrix.layout()),
                format!("{:?} for {}", kernel.layout(), kernel.name()),
            )),
        }
    }

    /// The same, for some of the outputs.
    fn part(&self, outputs: Range<usize>) -> Result<Bound<F>, Error>
    where
        F: Clone,
    {
        let (all, granule) = (self.outputs.clone(), self.matrix.layout().granule());
        let part = all.start.saturating_add(outputs.start)..all.start.saturating_add(outputs.end);
        let ends = part.end == all.end || part.end.is_multiple_of(granule);
        if part.is_empty() || part.end > all.end || !part.start.is_multiple_of(granule) || !ends {
            return Err(Error::argument(
                "part of the outputs",
                format!("{outputs:?}"),
                format!("whole panels of {granule} of 0..{}", all.len()),
            ));
        }
        Ok(Bound { outputs: part, ..self.clone() })
    }

    /// The arguments of a run that writes `rows` rows of output.
    #[inline(always)]
    fn args(
        &self,
        input: &View<'_>,
        output: &mut ViewMut<'_>,
        rows: usize,
    ) -> Result<PointwiseArgs, Error> {
        let (inputs, outputs) = (self.matrix.inputs(), self.outputs.len());
        let (weights, bias) = (self.matrix.weights(), self.matrix.bias());
        expect("columns of the input", input.columns(), inputs)?;
        expect("columns of the output", output.columns(), outputs)?;
        expect("rows of the output", output.rows(), rows)?;
        Ok(PointwiseArgs {
            rows: input.rows(),
            inputs,
            outputs,
            input: input.raw(),
            output: output.raw(),
            weights: weights[self.outputs.start * inputs..].as_ptr(),
            bias: bias[self.outputs.start..].as_ptr(),
            relu: self.relu,
            next: self.next.as_ref().map_or(null(), |next| next.weights().as_ptr()),
        })
    }
}

impl Bound<PointwiseFn> {
    #[inline(always)]
    fn run(&self, input: &View<'_>, output: &mut ViewMut<'_>) -> Result<(), Error> {
        let args = self.args(input, output, input.rows())?;
        if args.rows == 0 {
            return Ok(()); // a view without rows may have any columns
        }
        // SAFETY: both views cover `rows` rows of their ranges, which have `inputs` and `outputs`
        // columns; the output is borrowed mutably, so it overlaps nothing; the matrix has the
        // kernel's layout, and `Kernel::check` found its instructions on this CPU.
        unsafe { (self.run)(&args) };
        Ok(())
    }
}

fn matrix_function(function: Function) -> Option<(Layout, PointwiseFn)> {
    match function {
        Function::Matrix { layout, run } => Some((layout, run)),
        _ => None,
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
pub struct Pointwise(Bound<PointwiseFn>);

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
        let (kernel, matrix) = packed(cpu, Operation::Pointwise, (inputs, outputs), weights, bias)?;
        Pointwise::with_kernel(kernel, matrix, relu)
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
        Bound::new(Operation::Pointwise, kernel, matrix, relu, matrix_function).map(Pointwise)
    }

    /// The same layer, which may ask for the first of these weights while it computes.
    pub(crate) fn before(mut self, next: Option<Arc<Matrix>>) -> Self {
        self.0.next = next;
        self
    }

    /// Computes as many pixels as both views have rows.
    ///
    /// # Errors
    /// [`Error::Argument`] when the views' columns are not the layer's, or their rows differ.
    #[inline]
    pub fn run(&self, input: &View<'_>, output: &mut ViewMut<'_>) -> Result<(), Error> {
        self.0.run(input, output)
    }

    /// The same layer for some of its outputs, of the same weights. They begin and end with a panel of
    /// the kernel's layout, or end with the last output.
    ///
    /// # Errors
    /// [`Error::Argument`] when they do not, or are none.
    pub fn part(&self, outputs: Range<usize>) -> Result<Pointwise, Error> {
        self.0.part(outputs).map(Pointwise)
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
pub struct FullyConnected(Bound<PointwiseFn>);

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
        let (kernel, matrix) =
            packed(cpu, Operation::FullyConnected, (inputs, outputs), weights, bias)?;
        FullyConnected::with_kernel(kernel, matrix)
    }

    /// Uses the given kernel and a matrix in its layout.
    ///
    /// # Errors
    /// [`Error::Argument`] when the kernel is for another operation, CPU or layout.
    pub fn with_kernel(
        kernel: &'static Kernel,
        matrix: Arc<Matrix>,
    ) -> Result<FullyConnected, Error> {
        Bound::new(Operation::FullyConnected, kernel, matrix, false, matrix_function)
            .map(FullyConnected)
    }

    /// Computes as many vectors as both views have rows.
    ///
    /// # Errors
    /// [`Error::Argument`] when the views' columns are not the layer's, or their rows differ.
    #[inline]
    pub fn run(&self, input: &View<'_>, output: &mut ViewMut<'_>) -> Result<(), Error> {
        self.0.run(input, output)
    }

    /// The same layer for some of its outputs, of the same weights. They begin and end with a panel of
    /// the kernel's layout, or end with the last output.
    ///
    /// # Errors
    /// [`Error::Argument`] when they do not, or are none.
    pub fn part(&self, outputs: Range<usize>) -> Result<FullyConnected, Error> {
        self.0.part(outputs).map(FullyConnected)
    }

    /// The kernel in use.
    pub fn kernel(&self) -> &'static Kernel {
        self.0.kernel
    }
}

/// A 1x1 convolution of whole images and the mean of its output over all pixels: the last layer before
/// the classifier, without storing what the mean is taken of. Each image row is summed left to right
/// from 0, the rows' sums from top to bottom, and the total is divided once.
///
/// ```
/// use shufflenet::cpu::Cpu;
/// use shufflenet::kernels::{PointwiseMean, View, ViewMut};
///
/// // One input, one output, y = 2 * x; 2 x 2 pixels.
/// let layer = PointwiseMean::new(Cpu::detect(), 1, 1, &[2.0], &[0.0], true)?;
/// let mut mean = [0.0];
/// layer.run(&View::dense(&[1., 2., 3., 4.], 4, 1)?, 2, &mut ViewMut::dense(&mut mean, 1, 1)?)?;
/// assert_eq!(mean, [5.0]);
/// # Ok::<(), shufflenet::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct PointwiseMean(Bound<PointwiseMeanFn>);

impl PointwiseMean {
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
    ) -> Result<PointwiseMean, Error> {
        let (kernel, matrix) =
            packed(cpu, Operation::PointwiseMean, (inputs, outputs), weights, bias)?;
        PointwiseMean::with_kernel(kernel, matrix, relu)
    }

    /// Uses the given kernel and a matrix in its layout.
    ///
    /// # Errors
    /// [`Error::Argument`] when the kernel is for another operation, CPU or layout.
    pub fn with_kernel(
        kernel: &'static Kernel,
        matrix: Arc<Matrix>,
        relu: bool,
    ) -> Result<PointwiseMean, Error> {
        let function = |function| match function {
            Function::MatrixMean { layout, run } => Some((layout, run)),
            _ => None,
        };
        Bound::new(Operation::PointwiseMean, kernel, matrix, relu, function).map(PointwiseMean)
    }

    /// Computes as many images of one size as the output has rows. They follow each other in the input,
    /// and their rows have `width` pixels.
    ///
    /// # Errors
    /// [`Error::Argument`] when the views' columns are not the layer's, or the input's rows are not
    /// as many for each image, a multiple of the width, at least one.
    pub fn run(
        &self,
        input: &View<'_>,
        width: usize,
        output: &mut ViewMut<'_>,
    ) -> Result<(), Error> {
        let (pixels, images) = (input.rows(), output.rows());
        let image_rows = images.checked_mul(width).filter(|&pixels| pixels > 0);
        if pixels == 0 || !image_rows.is_some_and(|n| pixels.is_multiple_of(n)) {
            let expected = format!("{images} images of a multiple of width {width}, at least 1");
            return Err(Error::argument("rows of the input", pixels, expected));
        }
        let pointwise = self.0.args(input, output, images)?;
        let args = PointwiseMeanArgs { pointwise, images, width };
        // SAFETY: the input covers `rows` rows and the output one for each image, of ranges that have
        // `inputs` and `outputs` columns; the rest is as for `Pointwise`.
        unsafe { (self.0.run)(&args) };
        Ok(())
    }

    /// The same layer for some of its outputs, of the same weights. They begin and end with a panel of
    /// the kernel's layout, or end with the last output.
    ///
    /// # Errors
    /// [`Error::Argument`] when they do not, or are none.
    pub fn part(&self, outputs: Range<usize>) -> Result<PointwiseMean, Error> {
        self.0.part(outputs).map(PointwiseMean)
    }

    /// The kernel in use.
    pub fn kernel(&self) -> &'static Kernel {
        self.0.kernel
    }
}
