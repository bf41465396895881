//! What kernels are called with: the signature of each kind, written once.
//!
//! The structs are `repr(C)` so that kernels in C and assembly read them too. They are made by the
//! checked functions in this module's siblings and nowhere else.

/// Columns `start .. start + len` of a matrix.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnRange {
    /// First column.
    pub start: usize,
    /// Number of columns.
    pub len: usize,
}

impl ColumnRange {
    /// The column after the last.
    pub const fn end(self) -> usize {
        self.start.saturating_add(self.len)
    }
}

/// Columns of a matrix as a kernel sees them. Strides count elements.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RawView<T> {
    /// Column 0 of row 0.
    pub data: T,
    /// From one row to the next.
    pub stride: usize,
    /// Ascending and disjoint, none empty.
    pub ranges: *const ColumnRange,
    /// How many ranges.
    pub range_count: usize,
}

/// `output[r][n] = bias[n] + sum over k of input[r][k] * weight[k][n]`, as one chain of fused
/// multiply-adds from the bias in ascending `k`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PointwiseArgs {
    /// Number of rows (pixels).
    pub rows: usize,
    /// Number of input columns, over all ranges.
    pub inputs: usize,
    /// Number of output columns, over all ranges.
    pub outputs: usize,
    /// The input.
    pub input: RawView<*const f32>,
    /// The output; overlaps nothing else.
    pub output: RawView<*mut f32>,
    /// Weights in the kernel's [`Layout`](super::Layout).
    pub weights: *const f32,
    /// One bias per output, padded with zeros like the weights.
    pub bias: *const f32,
    /// Whether `x > 0 ? x : 0` is applied.
    pub relu: bool,
    /// Weights that are read after these, which a kernel may ask for early; null, or any address.
    pub next: *const f32,
}

/// One tile of a pointwise convolution, for code in assembly: all rows and outputs that its name says, of
/// which the outputs are one panel. Strides count elements.
#[cfg(assembly)]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct TileArgs {
    /// Column 0 of the tile's first row of input.
    pub input: *const f32,
    /// From one row to the next.
    pub input_stride: usize,
    /// Columns of the input.
    pub ranges: *const ColumnRange,
    /// How many ranges.
    pub range_count: usize,
    /// The panel's weights.
    pub weights: *const f32,
    /// The panel's biases.
    pub bias: *const f32,
    /// Where the first row's outputs are stored, beside each other.
    pub output: *mut f32,
    /// From one row to the next.
    pub output_stride: usize,
    /// Whether `x > 0 ? x : 0` is applied.
    pub relu: bool,
    /// Whether the rows are added up from 0 then, and only their sum is stored.
    pub sum: bool,
}

/// A tile in assembly.
///
/// # Safety
/// Every pointer covers what its field describes, and the CPU has the tile's instructions.
#[cfg(assembly)]
pub type TileFn = unsafe extern "C" fn(&TileArgs);

/// One output row of a 3x3 operation with padding 1: three image rows in, one out.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct WindowArgs {
    /// First pixels of the rows above, at and below the centre; null where outside the image.
    pub rows: [*const f32; 3],
    /// Pixels in an input row.
    pub input_width: usize,
    /// From one input pixel to the next, in elements.
    pub input_stride: usize,
    /// From one colour of an input pixel to the next, in elements; only the stem reads it.
    pub colour_stride: usize,
    /// First pixel of the output row; overlaps nothing else.
    pub output: *mut f32,
    /// Pixels in the output row: the input width over the stride, rounded up.
    pub output_width: usize,
    /// From one output pixel to the next, in elements.
    pub output_stride: usize,
    /// Channels of the output.
    pub channels: usize,
    /// `[tap][channel]`, taps row-major; for the stem `[tap][input channel][channel]`; null for pools.
    /// Behind the last weight, and the last bias, up to 15 elements may be read.
    pub weights: *const f32,
    /// From one row of weights to the next, in elements; at least `channels`.
    pub weight_stride: usize,
    /// One per channel; null for pools.
    pub bias: *const f32,
}

impl WindowArgs {
    /// The same for the last `count` channels.
    #[inline(always)]
    pub fn last_channels(&self, count: usize) -> WindowArgs {
        let first = self.channels - count;
        WindowArgs {
            // Null stays null.
            rows: self.rows.map(|row| if row.is_null() { row } else { row.wrapping_add(first) }),
            output: self.output.wrapping_add(first),
            channels: count,
            weights: self.weights.wrapping_add(first),
            bias: self.bias.wrapping_add(first),
            ..*self
        }
    }
}

/// A pointwise convolution of whole images, of whose output only the means over all pixels are stored.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PointwiseMeanArgs {
    /// The convolution; its rows are the pixels of all images, and its output has a row for each image.
    pub pointwise: PointwiseArgs,
    /// Number of images, all of one size.
    pub images: usize,
    /// Pixels in an image row.
    pub width: usize,
}

/// A pointwise or fully connected kernel.
///
/// # Safety
/// Every pointer covers what its field describes, and the CPU has the kernel's instructions.
pub type PointwiseFn = unsafe extern "C" fn(&PointwiseArgs);

/// A stem, depthwise or max pool kernel.
///
/// # Safety
/// Every pointer covers what its field describes, and the CPU has the kernel's instructions.
pub type WindowFn = unsafe extern "C" fn(&WindowArgs);

/// A pointwise kernel with the pooled mean folded in.
///
/// # Safety
/// Every pointer covers what its field describes, and the CPU has the kernel's instructions.
pub type PointwiseMeanFn = unsafe extern "C" fn(&PointwiseMeanArgs);
