//! Every registered kernel against the scalar reference, and the reference against float64.
//!
//! Outputs lie in a matrix filled with a pattern that must survive everywhere else; around inputs
//! there is NaN, which reaches the result of a kernel that reads too much.

mod common;

use common::{bits, float64, relative_error};
use proptest::prelude::*;
use shufflenet::cpu::Level;
use shufflenet::kernels::{
    ColumnRange, Depthwise3x3, FullyConnected, Kernel, Layout, Matrix, MaxPool3x3, Operation,
    Pointwise, PointwiseMean, StemConvolution, Taps, View, ViewMut, registry,
};
use shufflenet::model::{Layer, LayerKind};
use std::sync::Arc;

/// A small generator, so that a case is its seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn float(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    fn floats(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.float()).collect()
    }

    /// Some values become ones that arithmetic treats specially.
    fn spice(&mut self, values: &mut [f32]) {
        let special = [
            0.0,
            -0.0,
            f32::MIN_POSITIVE / 8.0,
            -f32::MIN_POSITIVE / 4.0,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::NAN,
        ];
        for _ in 0..1 + values.len() / 20 {
            let at = self.below(values.len());
            values[at] = special[self.below(special.len())];
        }
    }

    /// Up to five ranges of so many columns in all, with gaps, and a row stride.
    fn ranges(&mut self, columns: usize) -> (Vec<ColumnRange>, usize) {
        let pieces = 1 + self.below(5.min(columns));
        let mut cuts: Vec<usize> = (1..pieces).map(|_| 1 + self.below(columns)).collect();
        cuts.extend([0, columns]);
        cuts.sort_unstable();
        cuts.dedup();
        let mut end = self.below(3);
        let mut ranges = Vec::new();
        for pair in cuts.windows(2) {
            ranges.push(ColumnRange { start: end, len: pair[1] - pair[0] });
            end += pair[1] - pair[0] + self.below(4);
        }
        (ranges, end + self.below(3))
    }
}

/// A matrix of which only some columns belong to a view.
#[derive(Clone)]
struct Columns {
    data: Vec<f32>,
    rows: usize,
    stride: usize,
    ranges: Vec<ColumnRange>,
}

/// Bits that no kernel makes: a NaN with a payload.
const GUARD: f32 = f32::from_bits(0x7fc0_dead);

impl Columns {
    /// All guard; a row more than belongs to the view.
    fn new(rows: usize, (ranges, stride): (Vec<ColumnRange>, usize)) -> Columns {
        Columns { data: vec![GUARD; (rows + 1) * stride], rows, stride, ranges }
    }

    fn dense(rows: usize, columns: usize) -> Columns {
        Columns::new(rows, (vec![ColumnRange { start: 0, len: columns }], columns))
    }

    /// The values that belong to the view, row by row.
    fn indices(&self) -> impl Iterator<Item = usize> {
        let columns = self.ranges.iter().flat_map(|range| range.start..range.end());
        (0..self.rows).flat_map(move |row| columns.clone().map(move |c| row * self.stride + c))
    }

    fn fill(mut self, values: &[f32]) -> Columns {
        let indices: Vec<usize> = self.indices().collect();
        assert_eq!(indices.len(), values.len());
        for (at, &value) in indices.into_iter().zip(values) {
            self.data[at] = value;
        }
        self
    }

    fn values(&self) -> Vec<f32> {
        self.indices().map(|at| self.data[at]).collect()
    }

    fn view(&self) -> View<'_> {
        View::new(&self.data, self.rows, self.stride, &self.ranges).unwrap()
    }

    fn view_mut(&mut self) -> ViewMut<'_> {
        ViewMut::new(&mut self.data, self.rows, self.stride, &self.ranges).unwrap()
    }

    /// Runs a kernel on a fresh copy and returns what it wrote.
    fn written(&self, run: impl FnOnce(&mut ViewMut<'_>)) -> Vec<f32> {
        let mut copy = self.clone();
        run(&mut copy.view_mut());
        let values = copy.values();
        for at in self.indices().collect::<Vec<_>>() {
            copy.data[at] = GUARD;
        }
        assert_eq!(bits(&copy.data), bits(&self.data), "stored outside the view");
        values
    }
}

/// Kernels of an operation that this CPU can run: the reference, then the others.
fn kernels(operation: Operation) -> Vec<&'static Kernel> {
    let mut kernels: Vec<_> =
        registry().iter().filter(|k| k.operation() == operation && k.runs_here()).collect();
    assert_eq!(kernels[0].level(), Level::Reference);
    kernels
}

/// Every kernel gives the reference's bits; the portable ones its values, up to the rounding of
/// `terms` products of at most `scale`.
fn assert_agree(kernel: &Kernel, found: &[f32], expected: &[f32], terms: usize, scale: f32) {
    if kernel.level() != Level::Portable {
        // NaN's sign and payload are the CPU's.
        let bits = |v: &f32| if v.is_nan() { f32::NAN.to_bits() } else { v.to_bits() };
        let (found, expected): (Vec<_>, Vec<_>) =
            (found.iter().map(bits).collect(), expected.iter().map(bits).collect());
        assert_eq!(found, expected, "{}", kernel.name());
        return;
    }
    let tolerance = (terms + 2) as f32 * scale * f32::EPSILON;
    for (i, (&f, &e)) in found.iter().zip(expected).enumerate() {
        let same = f == e || (f.is_nan() && e.is_nan()) || (f - e).abs() <= tolerance;
        assert!(same, "{}: element {i} is {f:e}, expected {e:e}", kernel.name());
    }
}

/// The largest finite magnitude.
fn scale(values: &[f32]) -> f32 {
    values.iter().filter(|v| v.is_finite()).fold(1.0, |m, v| m.max(v.abs()))
}

/// A layer to compare with float64.
fn layer(kind: LayerKind, inputs: usize, outputs: usize, relu: bool) -> Layer {
    Layer { name: "layer".to_owned(), batch_norm: None, kind, inputs, outputs, relu }
}

/// NHWC to float64's NCHW.
fn image(pixels: &[f32], [channels, height, width]: [usize; 3]) -> float64::Image {
    let value = |c: usize| (0..height * width).map(move |p| f64::from(pixels[p * channels + c]));
    float64::Image::new([channels, height, width], (0..channels).flat_map(value))
}

fn assert_near_float64(found: &[f32], expected: &float64::Image) {
    let [channels, height, width] = expected.shape;
    let nchw = image(found, [channels, height, width]);
    let found: Vec<f32> = nchw.values.iter().map(|&v| v as f32).collect();
    let scale = expected.values.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    if scale > 1e-3 {
        let error = relative_error(&found, &expected.values);
        assert!(error <= 2e-6, "{error:e}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn pointwise(
        seed: u64, rows in 0usize..14, inputs in 1usize..70, outputs in 1usize..70,
        relu: bool, special: bool,
    ) {
        let mut random = Random(seed);
        let (weights, bias) = (random.floats(inputs * outputs), random.floats(outputs));
        let mut values = random.floats(rows * inputs);
        if special && rows > 0 {
            random.spice(&mut values);
        }
        let input = Columns::new(rows, random.ranges(inputs)).fill(&values);
        let output = Columns::new(rows, random.ranges(outputs));
        let mut expected = Vec::new();
        for kernel in kernels(Operation::Pointwise) {
            let layout = kernel.layout().unwrap();
            let matrix = Matrix::new(layout, inputs, outputs, &weights, &bias).unwrap();
            let op = Pointwise::with_kernel(kernel, Arc::new(matrix), relu).unwrap();
            let found = output.written(|out| op.run(&input.view(), out).unwrap());
            if kernel.level() == Level::Reference {
                if !special && rows > 0 {
                    let layer = layer(LayerKind::Pointwise, inputs, outputs, relu);
                    let image = image(&values, [inputs, 1, rows]);
                    let exact = float64::convolve(&layer, &weights, &bias, &image);
                    assert_near_float64(&found, &exact);
                }
                expected = found;
            } else {
                assert_agree(kernel, &found, &expected, inputs, scale(&expected));
            }
        }
    }

    #[test]
    fn fully_connected(seed: u64, rows in 0usize..4, inputs in 1usize..300, outputs in 1usize..40) {
        let mut random = Random(seed);
        let (weights, bias) = (random.floats(inputs * outputs), random.floats(outputs));
        let values = random.floats(rows * inputs);
        let input = Columns::new(rows, random.ranges(inputs)).fill(&values);
        let output = Columns::new(rows, random.ranges(outputs));
        let mut expected = Vec::new();
        for kernel in kernels(Operation::FullyConnected) {
            let layout = kernel.layout().unwrap();
            let matrix = Matrix::new(layout, inputs, outputs, &weights, &bias).unwrap();
            let op = FullyConnected::with_kernel(kernel, Arc::new(matrix)).unwrap();
            let found = output.written(|out| op.run(&input.view(), out).unwrap());
            if kernel.level() == Level::Reference {
                for (n, &value) in found.iter().enumerate() {
                    let (row, output) = (&values[n / outputs * inputs..][..inputs], n % outputs);
                    let row_weights = &weights[output * inputs..][..inputs];
                    let blocks = row.chunks(64).zip(row_weights.chunks(64));
                    let definition = blocks.fold(bias[output], |sum, (x, w)| {
                        let pairs = x.iter().zip(w);
                        sum + pairs.fold(0.0f32, |block, (x, w)| x.mul_add(*w, block))
                    });
                    assert_eq!(value.to_bits(), definition.to_bits());
                }
                expected = found;
            } else {
                assert_agree(kernel, &found, &expected, inputs, scale(&expected));
            }
        }
    }

    #[test]
    fn depthwise(
        seed: u64, height in 1usize..8, width in 1usize..12, channels in 1usize..40,
        stride in 1usize..3, special: bool,
    ) {
        let mut random = Random(seed);
        let (weights, bias) = (random.floats(channels * 9), random.floats(channels));
        let mut values = random.floats(height * width * channels);
        if special {
            random.spice(&mut values);
        }
        let input = Columns::new(height * width, random.ranges(channels)).fill(&values);
        let pixels = height.div_ceil(stride) * width.div_ceil(stride);
        let output = Columns::new(pixels, random.ranges(channels));
        let taps = Arc::new(Taps::depthwise(channels, &weights, &bias).unwrap());
        let mut expected = Vec::new();
        for kernel in kernels(Operation::Depthwise { stride }) {
            let op = Depthwise3x3::with_kernel(kernel, Arc::clone(&taps)).unwrap();
            let found = output.written(|out| op.run(&input.view(), width, out).unwrap());
            if kernel.level() == Level::Reference {
                if !special {
                    let layer = layer(LayerKind::Depthwise { stride }, channels, channels, false);
                    let image = image(&values, [channels, height, width]);
                    assert_near_float64(&found, &float64::convolve(&layer, &weights, &bias, &image));
                }
                expected = found;
            } else {
                assert_agree(kernel, &found, &expected, 9, scale(&expected));
            }
        }
    }

    #[test]
    fn stem(
        seed: u64, height in 1usize..8, width in 1usize..12, channels in 1usize..40, special: bool,
    ) {
        let mut random = Random(seed);
        let (weights, bias) = (random.floats(channels * 27), random.floats(channels));
        let mut values = random.floats(height * width * 3);
        if special {
            random.spice(&mut values);
        }
        let stride = 3 + random.below(3);
        let colours = vec![ColumnRange { start: random.below(stride - 2), len: 3 }];
        let input = Columns::new(height * width, (colours, stride)).fill(&values);
        let output =
            Columns::new(height.div_ceil(2) * width.div_ceil(2), random.ranges(channels));
        let taps = Arc::new(Taps::stem(channels, &weights, &bias).unwrap());
        let mut expected = Vec::new();
        for kernel in kernels(Operation::Stem) {
            let op = StemConvolution::with_kernel(kernel, Arc::clone(&taps)).unwrap();
            let found = output.written(|out| op.run(&input.view(), width, out).unwrap());
            if kernel.level() == Level::Reference {
                if !special {
                    let layer = layer(LayerKind::Stem, 3, channels, true);
                    let image = image(&values, [3, height, width]);
                    assert_near_float64(&found, &float64::convolve(&layer, &weights, &bias, &image));
                }
                expected = found;
            } else {
                assert_agree(kernel, &found, &expected, 27, scale(&expected));
            }
        }
    }

    #[test]
    fn max_pool(seed: u64, height in 1usize..8, width in 1usize..12, channels in 1usize..40) {
        let mut random = Random(seed);
        let mut values = random.floats(height * width * channels);
        random.spice(&mut values);
        let input = Columns::new(height * width, random.ranges(channels)).fill(&values);
        let output =
            Columns::new(height.div_ceil(2) * width.div_ceil(2), random.ranges(channels));
        let mut expected = Vec::new();
        for kernel in kernels(Operation::MaxPool) {
            let op = MaxPool3x3::with_kernel(kernel).unwrap();
            let found = output.written(|out| op.run(&input.view(), width, out).unwrap());
            if kernel.level() == Level::Reference {
                let (out_width, mut definition) = (width.div_ceil(2), Vec::new());
                for pixel in 0..output.rows {
                    let (y, x) = (pixel / out_width * 2, pixel % out_width * 2);
                    for c in 0..channels {
                        let rows = y.saturating_sub(1)..(y + 2).min(height);
                        let columns = x.saturating_sub(1)..(x + 2).min(width);
                        let inside = rows.flat_map(|row| columns.clone().map(move |x| (row, x)));
                        let values = inside.map(|(y, x)| values[(y * width + x) * channels + c]);
                        let max = values.reduce(|max, v| if v > max { v } else { max });
                        definition.push(max.unwrap());
                    }
                }
                assert_eq!(bits(&found), bits(&definition));
                expected = found;
            } else {
                // No arithmetic, so that the portable kernel has no excuse.
                assert_eq!(bits(&found), bits(&expected), "{}", kernel.name());
            }
        }
    }

    #[test]
    fn pointwise_mean(
        seed: u64, height in 1usize..6, width in 1usize..12, inputs in 1usize..40,
        outputs in 1usize..70,
    ) {
        let mut random = Random(seed);
        let (weights, bias) = (random.floats(inputs * outputs), random.floats(outputs));
        let pixels = height * width;
        let values = random.floats(pixels * inputs);
        let input = Columns::new(pixels, random.ranges(inputs)).fill(&values);
        let output = Columns::new(1, random.ranges(outputs));
        let mut expected = Vec::new();
        for kernel in kernels(Operation::PointwiseMean) {
            let layout = kernel.layout().unwrap();
            let matrix = Matrix::new(layout, inputs, outputs, &weights, &bias).unwrap();
            let op = PointwiseMean::with_kernel(kernel, Arc::new(matrix), true).unwrap();
            let found = output.written(|out| op.run(&input.view(), width, out).unwrap());
            if kernel.level() == Level::Reference {
                let reference = kernels(Operation::Pointwise)[0];
                let layout = reference.layout().unwrap();
                let matrix = Matrix::new(layout, inputs, outputs, &weights, &bias).unwrap();
                let op = Pointwise::with_kernel(reference, Arc::new(matrix), true).unwrap();
                let stored = Columns::dense(pixels, outputs)
                    .written(|out| op.run(&input.view(), out).unwrap());
                let definition: Vec<f32> = (0..outputs).map(|n| {
                    let row = |y: usize| (0..width).map(move |x| (y * width + x) * outputs + n);
                    let row_sum = |y| row(y).fold(0.0f32, |sum, at| sum + stored[at]);
                    (0..height).fold(0.0f32, |sum, y| sum + row_sum(y)) / pixels as f32
                }).collect();
                assert_eq!(bits(&found), bits(&definition));
                expected = found;
            } else {
                assert_agree(kernel, &found, &expected, inputs + pixels, scale(&expected));
            }
        }
    }
}

#[test]
fn relu_turns_negative_zero_and_nan_into_zero() {
    let values = [-0.0, f32::NAN, -1.0, f32::NEG_INFINITY];
    let input = Columns::dense(values.len(), 1).fill(&values);
    for kernel in kernels(Operation::Pointwise) {
        let matrix = Matrix::new(kernel.layout().unwrap(), 1, 1, &[1.0], &[-0.0]).unwrap();
        let op = Pointwise::with_kernel(kernel, Arc::new(matrix), true).unwrap();
        let found =
            Columns::dense(values.len(), 1).written(|out| op.run(&input.view(), out).unwrap());
        assert_eq!(bits(&found), [0; 4], "{}", kernel.name());
    }
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let reference = kernels(Operation::Pointwise)[0];
    let matrix = || Arc::new(Matrix::new(Layout::RowMajor, 2, 3, &[0.0; 6], &[0.0; 3]).unwrap());
    let op = Pointwise::with_kernel(reference, matrix(), false).unwrap();
    let (data, mut out) = ([0.0; 12], [0.0; 12]);
    let message = |rows, columns, out_rows, out_columns, out: &mut [f32]| {
        let input = View::dense(&data, rows, columns).unwrap();
        let mut output = ViewMut::dense(out, out_rows, out_columns).unwrap();
        op.run(&input, &mut output).unwrap_err().to_string()
    };
    assert_eq!(message(2, 3, 2, 3, &mut out), "columns of the input is 3, expected 2");
    assert_eq!(message(2, 2, 2, 2, &mut out), "columns of the output is 2, expected 3");
    assert_eq!(message(2, 2, 1, 3, &mut out), "rows of the output is 1, expected 2");

    let wrong = kernels(Operation::MaxPool)[0];
    let error = Pointwise::with_kernel(wrong, matrix(), false).unwrap_err();
    assert_eq!(
        error.to_string(),
        "kernel is f32_maxpool3x3s2_ref, expected a kernel for Pointwise"
    );
    let panels = kernels(Operation::Pointwise)[1];
    assert!(Pointwise::with_kernel(panels, matrix(), false).is_err());

    let taps = Arc::new(Taps::stem(2, &[0.0; 54], &[0.0; 2]).unwrap());
    let depthwise = kernels(Operation::Depthwise { stride: 1 })[0];
    assert!(Depthwise3x3::with_kernel(depthwise, taps).is_err());
}
