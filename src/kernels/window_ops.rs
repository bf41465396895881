//! The 3x3 operations with padding 1: stem and depthwise convolution, and max pool.

use super::args::{WindowArgs, WindowFn};
use super::layout::AlignedFloats;
use super::registry::{Function, Kernel, Operation, select, select_known};
use super::view::zip_ranges;
use super::{View, ViewMut};
use crate::Error;
use crate::cpu::Cpu;
use std::sync::Arc;

/// The image rows above, at and below an output row's centre; `None` where outside the image.
pub type Window<'a> = [Option<View<'a>>; 3];

/// Weights `[tap][channel]` and a bias per channel. A depthwise convolution has 9 taps, row-major; the
/// stem has 27, each of the 9 with red, green and blue.
#[derive(Clone)]
pub struct Taps {
    taps: usize,
    channels: usize,
    weights: AlignedFloats,
    bias: AlignedFloats,
}

impl Taps {
    pub(crate) fn from_elements(
        taps: usize,
        channels: usize,
        weight: impl Fn(usize, usize) -> f32,
        bias: impl Fn(usize) -> f32,
    ) -> Taps {
        let mut packed = Taps {
            taps,
            channels,
            weights: AlignedFloats::zeroed(taps * channels),
            bias: AlignedFloats::zeroed(channels),
        };
        for c in 0..channels {
            packed.bias[c] = bias(c);
            for t in 0..taps {
                packed.weights[t * channels + c] = weight(t, c);
            }
        }
        packed
    }

    fn check(taps: usize, channels: usize, weights: &[f32], bias: &[f32]) -> Result<(), Error> {
        if channels.checked_mul(taps) != Some(weights.len()) || channels == 0 {
            return Err(Error::argument(
                "length of the weights",
                weights.len(),
                format!("{taps} for each of {channels} channels, at least 1"),
            ));
        }
        if bias.len() != channels {
            return Err(Error::argument("length of the bias", bias.len(), channels));
        }
        Ok(())
    }

    /// From torchvision's order of a depthwise weight: `[channel][1][kernel row][kernel column]`.
    ///
    /// # Errors
    /// [`Error::Argument`] when there is no channel or a slice has another length.
    pub fn depthwise(channels: usize, weights: &[f32], bias: &[f32]) -> Result<Taps, Error> {
        Taps::check(9, channels, weights, bias)?;
        Ok(Taps::from_elements(9, channels, |t, c| weights[c * 9 + t], |c| bias[c]))
    }

    /// From torchvision's order of `conv1`: `[channel][red, green, blue][kernel row][kernel column]`.
    ///
    /// # Errors
    /// [`Error::Argument`] when there is no channel or a slice has another length.
    pub fn stem(channels: usize, weights: &[f32], bias: &[f32]) -> Result<Taps, Error> {
        Taps::check(27, channels, weights, bias)?;
        let weight = |t, c| weights[c * 27 + t % 3 * 9 + t / 3];
        Ok(Taps::from_elements(27, channels, weight, |c| bias[c]))
    }
}

impl std::fmt::Debug for Taps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Taps({} x {})", self.taps, self.channels)
    }
}

/// A window kernel, its weights and its stride.
#[derive(Clone, Debug)]
struct Bound {
    kernel: &'static Kernel,
    run: WindowFn,
    taps: Option<Arc<Taps>>,
    stride: usize,
}

impl Bound {
    fn new(
        kernel: &'static Kernel,
        operation: Operation,
        taps: Option<Arc<Taps>>,
    ) -> Result<Bound, Error> {
        kernel.check(operation)?;
        let expected = match operation {
            Operation::Stem => Some(27),
            Operation::Depthwise { .. } => Some(9),
            _ => None,
        };
        let found = taps.as_ref().map(|taps| taps.taps);
        if found != expected {
            return Err(Error::argument(
                "taps",
                format!("{found:?}"),
                format!("{expected:?} for {operation:?}"),
            ));
        }
        let stride = match operation {
            Operation::Depthwise { stride } => stride,
            _ => 2,
        };
        match kernel.function {
            Function::Window(run) => Ok(Bound { kernel, run, taps, stride }),
            _ => Err(Error::argument("kernel", kernel.name(), "a 3x3 kernel")),
        }
    }

    fn run_row(&self, window: &Window<'_>, output: &mut ViewMut<'_>) -> Result<(), Error> {
        let [_, Some(centre), _] = window else {
            return Err(Error::argument("centre row of the window", "absent", "a row"));
        };
        let same = |row: &View<'_>| {
            row.rows() == centre.rows()
                && row.stride() == centre.stride()
                && row.ranges() == centre.ranges()
        };
        if !window.iter().flatten().all(same) {
            return Err(Error::argument("rows of the window", "unequal", "rows of one shape"));
        }
        let channels = match &self.taps {
            Some(taps) => taps.channels,
            None => centre.columns(),
        };
        let stem = self.kernel.operation() == Operation::Stem;
        let checks = [
            ("columns of the input", centre.columns(), if stem { 3 } else { channels }),
            ("ranges of a stem's input", centre.ranges().len().min(if stem { 2 } else { 1 }), 1),
            ("columns of the output", output.columns(), channels),
            ("pixels of the output row", output.rows(), centre.rows().div_ceil(self.stride)),
        ];
        for (name, found, expected) in checks {
            if found != expected {
                return Err(Error::argument(name, found, expected));
            }
        }
        if centre.rows() == 0 {
            return Ok(()); // a view without rows may have any columns
        }
        let data = output.as_mut_ptr();
        let piece = |from: usize, to: usize, len: usize, before: usize| {
            // SAFETY: `from` and `to` are columns inside the views' rows, and `before` is a channel
            // inside the weights and the bias, so the offsets stay inside their allocations.
            let args = unsafe {
                WindowArgs {
                    rows: window.map(|row| match row {
                        Some(row) => row.as_ptr().add(from),
                        None => std::ptr::null(),
                    }),
                    input_width: centre.rows(),
                    input_stride: centre.stride(),
                    output: data.add(to),
                    output_width: output.rows(),
                    output_stride: output.stride(),
                    channels: len,
                    weights: self
                        .taps
                        .as_ref()
                        .map_or(std::ptr::null(), |taps| taps.weights.as_ptr().add(before)),
                    weight_stride: channels,
                    bias: self
                        .taps
                        .as_ref()
                        .map_or(std::ptr::null(), |taps| taps.bias.as_ptr().add(before)),
                }
            };
            // SAFETY: the views cover every pixel's columns of this piece; the output is borrowed
            // mutably, so it overlaps nothing; `Kernel::check` found the kernel's instructions on
            // this CPU.
            unsafe { (self.run)(&args) };
        };
        if stem {
            let mut before = 0;
            let from = centre.ranges()[0].start;
            for range in output.ranges() {
                piece(from, range.start, range.len, before);
                before += range.len;
            }
        } else {
            zip_ranges(centre.ranges(), output.ranges(), piece);
        }
        Ok(())
    }

    fn run(&self, input: &View<'_>, width: usize, output: &mut ViewMut<'_>) -> Result<(), Error> {
        let height = input.rows().checked_div(width).unwrap_or(0);
        if height * width != input.rows() || input.rows() == 0 {
            return Err(Error::argument(
                "rows of the input",
                input.rows(),
                format!("a multiple of width {width}"),
            ));
        }
        let (out_height, out_width) = (height.div_ceil(self.stride), width.div_ceil(self.stride));
        if output.rows() != out_height * out_width {
            let expected = format!("{out_height} x {out_width} pixels");
            return Err(Error::argument("rows of the output", output.rows(), expected));
        }
        for y in 0..out_height {
            let row = |y: usize| input.slice(y * width..(y + 1) * width);
            let centre = y * self.stride;
            let window = [centre.checked_sub(1).and_then(row), row(centre), row(centre + 1)];
            if let Some(mut output) = output.slice(y * out_width..(y + 1) * out_width) {
                self.run_row(&window, &mut output)?;
            }
        }
        Ok(())
    }
}

macro_rules! window_operation {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name(Bound);

        impl $name {
            /// Computes one output row from the image rows around its centre.
            ///
            /// # Errors
            /// [`Error::Argument`] when the rows' widths or channels do not fit.
            pub fn run_row(
                &self,
                window: &Window<'_>,
                output: &mut ViewMut<'_>,
            ) -> Result<(), Error> {
                self.0.run_row(window, output)
            }

            /// Computes a whole image: the input's rows are `height x width` pixels in reading order,
            /// the output's are `ceil(height / stride) x ceil(width / stride)`.
            ///
            /// # Errors
            /// [`Error::Argument`] when the views' pixels or channels do not fit.
            pub fn run(
                &self,
                input: &View<'_>,
                width: usize,
                output: &mut ViewMut<'_>,
            ) -> Result<(), Error> {
                self.0.run(input, width, output)
            }

            /// The kernel in use.
            pub fn kernel(&self) -> &'static Kernel {
                self.0.kernel
            }
        }
    };
}

window_operation! {
    /// The first convolution: 3x3 over red, green and blue, stride 2, padding 1, then ReLU.
    ///
    /// ```
    /// use shufflenet::cpu::Cpu;
    /// use shufflenet::kernels::{StemConvolution, Taps, View, ViewMut};
    ///
    /// // One output channel that adds all colours of the 3x3 neighbourhood.
    /// let taps = Taps::stem(1, &[1.0; 27], &[0.0])?;
    /// let stem = StemConvolution::new(Cpu::detect(), taps)?;
    /// let mut output = [0.0; 4];
    /// let image = [1.0; 3 * 3 * 3];
    /// stem.run(&View::dense(&image, 9, 3)?, 3, &mut ViewMut::dense(&mut output, 4, 1)?)?;
    /// assert_eq!(output, [12.0; 4]); // each corner has 4 neighbours inside the image
    /// # Ok::<(), shufflenet::Error>(())
    /// ```
    StemConvolution
}

window_operation! {
    /// A 3x3 convolution of each channel by itself, padding 1. Pixels outside the image are skipped.
    ///
    /// ```
    /// use shufflenet::cpu::Cpu;
    /// use shufflenet::kernels::{Depthwise3x3, Taps, View, ViewMut};
    ///
    /// let taps = Taps::depthwise(2, &[1.0; 18], &[0.0, 100.0])?;
    /// let layer = Depthwise3x3::new(Cpu::detect(), 1, taps)?;
    /// let mut output = [0.0; 4];
    /// let image = [1.0, 2.0, 3.0, 4.0]; // two pixels of two channels
    /// layer.run(&View::dense(&image, 2, 2)?, 2, &mut ViewMut::dense(&mut output, 2, 2)?)?;
    /// assert_eq!(output, [4.0, 106.0, 4.0, 106.0]);
    /// # Ok::<(), shufflenet::Error>(())
    /// ```
    Depthwise3x3
}

window_operation! {
    /// The largest of each channel's 3x3 neighbourhood, stride 2. Of taps in reading order, a later one
    /// replaces an earlier one where it is greater.
    ///
    /// ```
    /// use shufflenet::cpu::Cpu;
    /// use shufflenet::kernels::{MaxPool3x3, View, ViewMut};
    ///
    /// let pool = MaxPool3x3::new(Cpu::detect())?;
    /// let mut output = [0.0; 2];
    /// pool.run(&View::dense(&[1., 2., 3.], 3, 1)?, 3, &mut ViewMut::dense(&mut output, 2, 1)?)?;
    /// assert_eq!(output, [2.0, 3.0]);
    /// # Ok::<(), shufflenet::Error>(())
    /// ```
    MaxPool3x3
}

impl StemConvolution {
    /// Binds the CPU's best kernel.
    ///
    /// # Errors
    /// [`Error::Argument`] when the taps are not a stem's.
    pub fn new(cpu: Cpu, taps: Taps) -> Result<StemConvolution, Error> {
        StemConvolution::with_kernel(select_known(cpu, Operation::Stem), Arc::new(taps))
    }

    /// Uses the given kernel.
    ///
    /// # Errors
    /// [`Error::Argument`] when the kernel is for another operation or CPU, or the taps are not a
    /// stem's.
    pub fn with_kernel(kernel: &'static Kernel, taps: Arc<Taps>) -> Result<StemConvolution, Error> {
        Bound::new(kernel, Operation::Stem, Some(taps)).map(StemConvolution)
    }
}

impl Depthwise3x3 {
    /// Binds the CPU's best kernel; `stride` is 1 or 2.
    ///
    /// # Errors
    /// [`Error::Argument`] for another stride or when the taps are a stem's.
    pub fn new(cpu: Cpu, stride: usize, taps: Taps) -> Result<Depthwise3x3, Error> {
        match select(cpu, Operation::Depthwise { stride }) {
            Some(kernel) => Depthwise3x3::with_kernel(kernel, Arc::new(taps)),
            None => Err(Error::argument("stride", stride, "1 or 2")),
        }
    }

    /// Uses the given kernel, which decides the stride.
    ///
    /// # Errors
    /// [`Error::Argument`] when the kernel is for another operation or CPU, or the taps are a stem's.
    pub fn with_kernel(kernel: &'static Kernel, taps: Arc<Taps>) -> Result<Depthwise3x3, Error> {
        let operation = match kernel.operation() {
            operation @ Operation::Depthwise { .. } => operation,
            _ => Operation::Depthwise { stride: 1 },
        };
        Bound::new(kernel, operation, Some(taps)).map(Depthwise3x3)
    }
}

impl MaxPool3x3 {
    /// Binds the CPU's best kernel.
    ///
    /// # Errors
    /// None today.
    pub fn new(cpu: Cpu) -> Result<MaxPool3x3, Error> {
        MaxPool3x3::with_kernel(select_known(cpu, Operation::MaxPool))
    }

    /// Uses the given kernel.
    ///
    /// # Errors
    /// [`Error::Argument`] when the kernel is for another operation or CPU.
    pub fn with_kernel(kernel: &'static Kernel) -> Result<MaxPool3x3, Error> {
        Bound::new(kernel, Operation::MaxPool, None).map(MaxPool3x3)
    }
}
