//! The 3x3 operations with padding 1: stem and depthwise convolution, and max pool.

use super::args::{WindowArgs, WindowFn};
use super::layout::{AlignedFloats, LINE};
use super::registry::{Function, Kernel, Operation, select, select_known};
use super::view::{ZipRanges, expect};
use super::{View, ViewMut};
use crate::Error;
use crate::cpu::Cpu;
use std::ops::Range;
use std::sync::Arc;

/// An image of which all rows are at hand, or the newest in place of the oldest.
#[derive(Clone, Copy, Debug)]
pub struct ImageRows<'a> {
    pixels: View<'a>,
    width: usize,
    /// Where the image's first row lies, and how many there are; modulo the rows at hand.
    first: usize,
    height: usize,
    /// Whether the view is of three planes of one colour each.
    planes: bool,
}

impl<'a> ImageRows<'a> {
    /// A whole image: rows of `width` pixels in reading order.
    ///
    /// # Errors
    /// [`Error::Argument`] when the pixels are not a multiple of the width, at least one.
    #[inline]
    pub fn whole(pixels: View<'a>, width: usize) -> Result<ImageRows<'a>, Error> {
        let height = pixels.rows().checked_div(width).unwrap_or(0);
        ImageRows::ring(pixels, width, 0, height)
    }

    /// A whole image of three colours, for the stem: all pixels of one, `width` in a row, then of the next.
    ///
    /// # Errors
    /// [`Error::Argument`] when the floats are not three times a multiple of the width, at least one.
    #[inline]
    pub fn planes(floats: &'a [f32], width: usize) -> Result<ImageRows<'a>, Error> {
        let pixels = View::dense(floats, floats.len(), 1)?;
        let height = (floats.len() / 3).checked_div(width).unwrap_or(0);
        if height * width * 3 != floats.len() {
            let expected = format!("three times a multiple of width {width}");
            return Err(Error::argument("floats of the planes", floats.len(), expected));
        }
        Ok(ImageRows { planes: true, ..ImageRows::ring(pixels, width, 0, height)? })
    }

    /// An image of `height` rows of which row `y` lies at row `first + y` modulo the number of rows that
    /// the view has room for.
    ///
    /// # Errors
    /// [`Error::Argument`] when the pixels are not a multiple of the width, at least one, or there is no
    /// room for three rows of the image.
    #[inline(always)]
    pub fn ring(
        pixels: View<'a>,
        width: usize,
        first: usize,
        height: usize,
    ) -> Result<ImageRows<'a>, Error> {
        let held = pixels.rows().checked_div(width).unwrap_or(0);
        if held * width != pixels.rows() || held == 0 {
            let expected = format!("a multiple of width {width}");
            return Err(Error::argument("rows of the input", pixels.rows(), expected));
        }
        if held < height.min(3) {
            return Err(Error::argument("image rows at hand", held, "at least 3"));
        }
        match first.checked_add(height) {
            Some(_) if height > 0 => Ok(ImageRows { pixels, width, first, height, planes: false }),
            _ => Err(Error::argument("height of the image", height, "at least 1")),
        }
    }

    /// The first pixel of row `y`; null where that is outside the image.
    #[inline(always)]
    fn row(&self, y: usize, column: usize) -> *const f32 {
        if y >= self.height {
            return std::ptr::null();
        }
        let held = self.pixels.rows() / self.width;
        let before = (self.first + y) % held * self.width * self.pixels.stride();
        // SAFETY: the view covers every row that it has room for, and the column.
        unsafe { self.pixels.as_ptr().add(before + column) }
    }
}

/// Weights `[tap][channel]` and a bias per channel. A depthwise convolution has 9 taps, row-major; the
/// stem has 27, each of the 9 with red, green and blue.
#[derive(Clone)]
pub struct Taps {
    taps: usize,
    channels: usize,
    /// From one tap's weights to the next's: each tap's begin at a cache line.
    stride: usize,
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
        let stride = channels.next_multiple_of(LINE);
        // A line more, for the last channels are loaded as a whole vector.
        let mut packed = Taps {
            taps,
            channels,
            stride,
            weights: AlignedFloats::zeroed(taps * stride + LINE),
            bias: AlignedFloats::zeroed(stride + LINE),
        };
        for c in 0..channels {
            packed.bias[c] = bias(c);
            for t in 0..taps {
                packed.weights[t * stride + c] = weight(t, c);
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

    #[inline(always)]
    fn run_rows(
        &self,
        image: &ImageRows<'_>,
        rows: Range<usize>,
        output: &mut ViewMut<'_>,
    ) -> Result<(), Error> {
        let (input, taps) = (&image.pixels, self.taps.as_deref());
        let channels = taps.map_or(input.columns(), |taps| taps.channels);
        let stem = self.kernel.operation() == Operation::Stem;
        let (height, width) =
            (image.height.div_ceil(self.stride), image.width.div_ceil(self.stride));
        let colours = if image.planes { 1 } else { 3 };
        expect("columns of the input", input.columns(), if stem { colours } else { channels })?;
        if image.planes && !stem {
            return Err(Error::argument("image", "in planes", "its channels side by side"));
        }
        if stem {
            expect("ranges of a stem's input", input.ranges().len(), 1)?;
        }
        expect("columns of the output", output.columns(), channels)?;
        if rows.start > rows.end || rows.end > height {
            let expected = format!("rows of 0..{height}");
            return Err(Error::argument("output rows", format!("{rows:?}"), expected));
        }
        if rows.len().checked_mul(width) != Some(output.rows()) {
            let expected = format!("{} x {width} pixels", rows.len());
            return Err(Error::argument("rows of the output", output.rows(), expected));
        }
        if rows.is_empty() {
            return Ok(()); // a view without rows may have any columns
        }
        let data = output.as_mut_ptr();
        // All outputs of a stem are of all its inputs.
        let inputs = if stem { output.ranges() } else { input.ranges() };
        for (from, to, len, before) in ZipRanges::new(inputs, output.ranges()) {
            let from = if stem { input.ranges()[0].start } else { from };
            let none = (std::ptr::null(), std::ptr::null());
            // SAFETY: `before` is a channel inside the weights and the bias.
            let tap =
                |t: &Taps| unsafe { (t.weights.as_ptr().add(before), t.bias.as_ptr().add(before)) };
            let (weights, bias) = taps.map_or(none, tap);
            let mut args = WindowArgs {
                rows: [std::ptr::null(); 3],
                input_width: image.width,
                input_stride: input.stride(),
                colour_stride: if image.planes { image.height * image.width } else { 1 },
                output: data,
                output_width: width,
                output_stride: output.stride(),
                channels: len,
                weights,
                weight_stride: taps.map_or(0, |taps| taps.stride),
                bias,
            };
            for (i, y) in rows.clone().enumerate() {
                let centre = y * self.stride;
                let above = centre.checked_sub(1).map_or(std::ptr::null(), |y| image.row(y, from));
                args.rows = [above, image.row(centre, from), image.row(centre + 1, from)];
                // SAFETY: the column lies in the output, which has so many rows. The views cover every
                // pixel's columns of this piece; the output is borrowed mutably, so it overlaps nothing;
                // `Kernel::check` found the kernel's instructions on this CPU.
                unsafe {
                    args.output = data.add(i * width * args.output_stride + to);
                    (self.run)(&args);
                }
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
            /// Computes some rows of an image: those of the output, from `ceil(height / stride)`, each of
            /// `ceil(width / stride)` pixels. Row `y` reads image rows `stride * y - 1` to `stride * y + 1`,
            /// which must be at hand.
            ///
            /// # Errors
            /// [`Error::Argument`] when the views' pixels or channels do not fit, or there are no such rows.
            pub fn run_rows(
                &self,
                image: &ImageRows<'_>,
                rows: Range<usize>,
                output: &mut ViewMut<'_>,
            ) -> Result<(), Error> {
                self.0.run_rows(image, rows, output)
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
                let image = ImageRows::whole(*input, width)?;
                self.run_rows(&image, 0..image.height.div_ceil(self.0.stride), output)
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
    /// The largest of each channel's 3x3 neighbourhood, stride 2. A later value replaces an earlier one where it
    /// is greater: in each column from top to bottom, then among the columns from left to right.
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
