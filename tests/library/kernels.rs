//! Every registered kernel against the scalar reference, and the reference against float64.
//!
//! Outputs lie in a matrix filled with a pattern that must survive everywhere else; around inputs
//! there is NaN, which reaches the result of a kernel that reads too much.

use crate::common;
use crate::common::bits;
use proptest::prelude::*;
use shufflenet::cpu::{Cpu, Level};
use shufflenet::kernels::{
    ColumnRange, Depthwise3x3, FullyConnected, ImageRows, Kernel, Layout, Matrix, MaxPool3x3,
    Operation, Pointwise, PointwiseMean, StemConvolution, Taps, View, ViewMut, registry,
};
use std::ops::Range;
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
    let kernels: Vec<_> =
        registry().iter().filter(|k| k.operation() == operation && k.runs_here()).collect();
    assert_eq!(kernels[0].level(), Level::Reference);
    for level in common::demanded_levels() {
        let exists = registry().iter().any(|k| k.operation() == operation && k.level() == level);
        let runs = kernels.iter().any(|kernel| kernel.level() == level);
        // Only pools and the fully connected layer may lack a level: they wait for memory.
        let may_lack = matches!(operation, Operation::MaxPool | Operation::FullyConnected);
        assert!(runs || may_lack && !exists, "{operation} was not tested at {level}");
    }
    kernels
}

/// Every kernel gives the reference's bits; the portable ones its values, up to the rounding of
/// `terms` products of at most `scale`.
fn assert_agree(kernel: &Kernel, found: &[f32], expected: &[f32], terms: usize, scale: f32) {
    if kernel.level() != Level::Portable {
        println!("{}", kernel.name()); // shown where the next line fails
        return assert_same(found, expected);
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

/// The definition of a convolution's output: a chain of fused multiply-adds from the bias. Taps outside
/// the image are not in it. It is near the same sum in float64, as far as each step's rounding allows.
fn chain(bias: f32, products: impl Iterator<Item = (f32, f32)> + Clone) -> f32 {
    let sum = products.clone().fold(bias, |sum, (input, weight)| input.mul_add(weight, sum));
    let exact = products.clone().map(|(input, weight)| f64::from(input) * f64::from(weight));
    let (exact, terms): (f64, f64) = exact
        .fold((f64::from(bias), f64::from(bias).abs()), |(sum, terms), product| {
            (sum + product, terms + product.abs())
        });
    if terms.is_finite() {
        let tolerance = products.count() as f64 * terms * f64::from(f32::EPSILON);
        let error = (f64::from(sum) - exact).abs();
        assert!(error <= tolerance + 1e-37, "{sum} is {error:e} from {exact}");
    }
    sum
}

/// `if x > 0 { x } else { 0 }`
fn relu(x: f32) -> f32 {
    if x > 0.0 { x } else { 0.0 }
}

/// The pixels of the 3x3 window around `(y, x)` inside an image, in reading order, with their taps.
fn window(
    (y, x): (usize, usize),
    (height, width): (usize, usize),
) -> impl Iterator<Item = (usize, usize)> + Clone {
    (0..9).filter_map(move |tap| {
        let row = (y + tap / 3).checked_sub(1).filter(|&row| row < height)?;
        let column = (x + tap % 3).checked_sub(1).filter(|&column| column < width)?;
        Some((tap, row * width + column))
    })
}

/// The output pixels of a strided operation, by their centres.
fn centres(height: usize, width: usize, stride: usize) -> impl Iterator<Item = (usize, usize)> {
    let columns = (0..width).step_by(stride);
    (0..height).step_by(stride).flat_map(move |y| columns.clone().map(move |x| (y, x)))
}

/// Equal bits, except that a NaN may have any sign and payload.
fn assert_same(found: &[f32], definition: &[f32]) {
    let bits = |v: &f32| if v.is_nan() { f32::NAN.to_bits() } else { v.to_bits() };
    let all = |values: &[f32]| values.iter().map(bits).collect::<Vec<_>>();
    assert_eq!(all(found), all(definition));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn pointwise(
        seed: u64, rows in 0usize..30, inputs in 1usize..70, outputs in 1usize..70,
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
                let output = |at: usize| {
                    let (row, n) = (at / outputs, at % outputs);
                    let x = &values[row * inputs..][..inputs];
                    let w = &weights[n * inputs..][..inputs];
                    let sum = chain(bias[n], x.iter().copied().zip(w.iter().copied()));
                    if relu { self::relu(sum) } else { sum }
                };
                assert_same(&found, &(0..rows * outputs).map(output).collect::<Vec<_>>());
                expected = found;
            } else {
                assert_agree(kernel, &found, &expected, inputs, scale(&expected));
            }
        }
    }

    #[test]
    fn fully_connected(
        seed: u64, rows in 0usize..4, inputs in 1usize..300, outputs in 1usize..40, special: bool,
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
        for kernel in kernels(Operation::FullyConnected) {
            let layout = kernel.layout().unwrap();
            let matrix = Matrix::new(layout, inputs, outputs, &weights, &bias).unwrap();
            let op = FullyConnected::with_kernel(kernel, Arc::new(matrix)).unwrap();
            let found = output.written(|out| op.run(&input.view(), out).unwrap());
            if kernel.level() == Level::Reference {
                let output = |at: usize| {
                    let (x, n) = (&values[at / outputs * inputs..][..inputs], at % outputs);
                    let blocks = x.chunks(64).zip(weights[n * inputs..][..inputs].chunks(64));
                    blocks.fold(bias[n], |sum, (x, w)| {
                        sum + chain(0.0, x.iter().copied().zip(w.iter().copied()))
                    })
                };
                assert_same(&found, &(0..rows * outputs).map(output).collect::<Vec<_>>());
                expected = found;
            } else {
                assert_agree(kernel, &found, &expected, inputs, scale(&expected));
            }
        }
    }

    #[test]
    fn depthwise(
        seed: u64, height in 1usize..8, width in 1usize..33, channels in 1usize..40,
        stride in 1usize..3, special: bool,
    ) {
        let mut random = Random(seed);
        let (mut weights, bias) = (random.floats(channels * 9), random.floats(channels));
        if special {
            random.spice(&mut weights); // an infinity times a zero of padding would be seen
        }
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
                let mut definition = Vec::new();
                for centre in centres(height, width, stride) {
                    for c in 0..channels {
                        let products = window(centre, (height, width)).map(|(tap, pixel)| {
                            (values[pixel * channels + c], weights[c * 9 + tap])
                        });
                        definition.push(chain(bias[c], products));
                    }
                }
                assert_same(&found, &definition);
                expected = found;
            } else {
                assert_agree(kernel, &found, &expected, 9, scale(&expected));
            }
        }
    }

    #[test]
    fn stem(
        seed: u64, height in 1usize..8, width in 1usize..50, channels in 1usize..40, special: bool,
    ) {
        let mut random = Random(seed);
        let (mut weights, bias) = (random.floats(channels * 27), random.floats(channels));
        if special {
            random.spice(&mut weights);
        }
        let mut values = random.floats(height * width * 3);
        if special {
            random.spice(&mut values);
        }
        let colour = |colour: usize| values.iter().skip(colour).step_by(3);
        let planes: Vec<f32> = (0..3).flat_map(colour).copied().collect();
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
            let image = ImageRows::planes(&planes, width).unwrap();
            let rows = 0..height.div_ceil(2);
            let of_planes = output.written(|out| op.run_rows(&image, rows, out).unwrap());
            assert_eq!(bits(&of_planes), bits(&found), "{}", kernel.name());
            if kernel.level() == Level::Reference {
                let mut definition = Vec::new();
                for centre in centres(height, width, 2) {
                    for c in 0..channels {
                        let products = window(centre, (height, width)).flat_map(|(tap, pixel)| {
                            let weight = |colour: usize| weights[(c * 3 + colour) * 9 + tap];
                            [0, 1, 2].map(|k| (values[pixel * 3 + k], weight(k)))
                        });
                        definition.push(relu(chain(bias[c], products)));
                    }
                }
                assert_same(&found, &definition);
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
                        let greater = |max: f32, v: f32| if v > max { v } else { max };
                        let value = |y: usize, x: usize| values[(y * width + x) * channels + c];
                        let column = |x| rows.clone().map(|y| value(y, x)).reduce(greater);
                        definition.push(columns.filter_map(column).reduce(greater).unwrap());
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
        seed: u64, images in 1usize..4, height in 1usize..6, width in 1usize..12,
        inputs in 1usize..40, outputs in 1usize..70, special: bool,
    ) {
        let mut random = Random(seed);
        let (weights, bias) = (random.floats(inputs * outputs), random.floats(outputs));
        let pixels = height * width;
        let mut values = random.floats(images * pixels * inputs);
        if special {
            random.spice(&mut values);
        }
        let input = Columns::new(images * pixels, random.ranges(inputs)).fill(&values);
        let output = Columns::new(images, random.ranges(outputs));
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
                let stored = Columns::dense(images * pixels, outputs)
                    .written(|out| op.run(&input.view(), out).unwrap());
                let mean = |image: usize, n: usize| {
                    let first = image * pixels;
                    let row = |y| (0..width).map(move |x| (first + y * width + x) * outputs + n);
                    let row_sum = |y| row(y).fold(0.0f32, |sum, at| sum + stored[at]);
                    (0..height).fold(0.0f32, |sum, y| sum + row_sum(y)) / pixels as f32
                };
                let means = (0..images).flat_map(|image| (0..outputs).map(move |n| (image, n)));
                let definition: Vec<f32> = means.map(|(image, n)| mean(image, n)).collect();
                assert_same(&found, &definition);
                expected = found;
            } else {
                assert_agree(kernel, &found, &expected, inputs + pixels, scale(&expected));
            }
        }
    }

    #[test]
    fn parts_make_the_whole(
        seed: u64, rows in 1usize..9, inputs in 1usize..70, outputs in 1usize..150,
    ) {
        let mut random = Random(seed);
        let (weights, bias) = (random.floats(inputs * outputs), random.floats(outputs));
        let input = Columns::new(rows, random.ranges(inputs));
        let input = input.fill(&random.floats(rows * inputs));
        let operations =
            [Operation::Pointwise, Operation::PointwiseMean, Operation::FullyConnected];
        for kernel in operations.into_iter().flat_map(kernels) {
            let layout = kernel.layout().unwrap();
            let matrix = Arc::new(Matrix::new(layout, inputs, outputs, &weights, &bias).unwrap());
            // Of the whole, and then of a part of it, relative to the part.
            let run = |within: &Range<usize>, part: Range<usize>, columns| {
                let (input, matrix) = (input.view(), Arc::clone(&matrix));
                let rows = if kernel.operation() == Operation::PointwiseMean { 1 } else { rows };
                Columns::new(rows, columns).written(|out| match kernel.operation() {
                    Operation::PointwiseMean => {
                        let op = PointwiseMean::with_kernel(kernel, matrix, true).unwrap();
                        let op = op.part(within.clone()).unwrap().part(part.clone()).unwrap();
                        op.run(&input, rows, out).unwrap();
                    }
                    Operation::FullyConnected => {
                        let op = FullyConnected::with_kernel(kernel, matrix).unwrap();
                        let op = op.part(within.clone()).unwrap().part(part.clone()).unwrap();
                        op.run(&input, out).unwrap();
                    }
                    _ => {
                        let op = Pointwise::with_kernel(kernel, matrix, true).unwrap();
                        let op = op.part(within.clone()).unwrap().part(part.clone()).unwrap();
                        op.run(&input, out).unwrap();
                    }
                })
            };
            let all = 0..outputs;
            let whole = run(&all, all.clone(), random.ranges(outputs));
            let granule = if let Layout::Panels { width } = layout { width } else { 1 };
            let mut cuts = [0; 3].map(|_| random.below(1 + outputs / granule) * granule);
            cuts.sort_unstable();
            let first = cuts[0].min((outputs - 1) / granule * granule);
            for part in [0..cuts[0], cuts[0]..cuts[1], cuts[1]..cuts[2], cuts[2]..outputs] {
                let columns = random.ranges(part.len().max(1));
                if part.is_empty() {
                    continue;
                }
                // Either way the same outputs.
                let (within, relative) = match part.start < first {
                    true => (all.clone(), part.clone()),
                    false => (first..outputs, part.start - first..part.end - first),
                };
                let found = run(&within, relative, columns);
                let expected = whole.chunks(outputs).flat_map(|row| &row[part.clone()]).copied();
                let expected: Vec<f32> = expected.collect();
                assert_eq!(bits(&found), bits(&expected), "{}, {part:?}", kernel.name());
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

    let panels = kernels(Operation::Pointwise).into_iter();
    let panels = panels.filter_map(|kernel| match kernel.layout() {
        Some(Layout::Panels { width }) => Some((kernel, width)),
        _ => None,
    });
    for (kernel, width) in panels {
        let outputs = 2 * width + 1;
        let layout = kernel.layout().unwrap();
        let (weights, bias) = (vec![0.0; outputs], vec![0.0; outputs]);
        let matrix = Arc::new(Matrix::new(layout, 1, outputs, &weights, &bias).unwrap());
        let op = Pointwise::with_kernel(kernel, matrix, false).unwrap();
        for part in [1..width, 0..width - 1, 0..0, 2 * width..outputs + 1, width..usize::MAX] {
            let error = op.part(part.clone()).unwrap_err().to_string();
            let expected = format!(
                "part of the outputs is {part:?}, expected whole panels of {width} of 0..{outputs}"
            );
            assert_eq!(error, expected);
        }
    }

    let taps = Arc::new(Taps::stem(2, &[0.0; 54], &[0.0; 2]).unwrap());
    let depthwise = kernels(Operation::Depthwise { stride: 1 })[0];
    assert!(Depthwise3x3::with_kernel(depthwise, taps).is_err());

    let mean = kernels(Operation::PointwiseMean)[0];
    let mean = PointwiseMean::with_kernel(mean, matrix(), false).unwrap();
    let message = |rows, columns, width, out_rows, out_columns, out: &mut [f32]| {
        let input = View::dense(&data, rows, columns).unwrap();
        let mut output = ViewMut::dense(out, out_rows, out_columns).unwrap();
        mean.run(&input, width, &mut output).unwrap_err().to_string()
    };
    let rows = |rows, images, width| {
        format!(
            "rows of the input is {rows}, expected {images} images of a multiple of width {width}, \
             at least 1"
        )
    };
    assert_eq!(message(5, 2, 2, 1, 3, &mut out), rows(5, 1, 2));
    assert_eq!(message(4, 2, 0, 1, 3, &mut out), rows(4, 1, 0));
    assert_eq!(message(0, 2, 2, 1, 3, &mut out), rows(0, 1, 2));
    assert_eq!(message(4, 2, 2, 0, 3, &mut out), rows(4, 0, 2));
    assert_eq!(message(6, 2, 2, 2, 3, &mut out), rows(6, 2, 2));
    assert_eq!(message(4, 3, 2, 1, 3, &mut out), "columns of the input is 3, expected 2");
    assert_eq!(message(4, 2, 2, 1, 2, &mut out), "columns of the output is 2, expected 3");
}

#[test]
fn windows_that_do_not_fit_are_refused_by_name() {
    let data = [0.0; 64];
    let columns = [0, 1, 2, 3].map(|len| [ColumnRange { start: 0, len }]);
    let view = |rows, len: usize| View::new(&data, rows, 4, &columns[len]).unwrap();
    let pixels = |rows| view(rows, 2);
    let taps = Taps::depthwise(2, &[0.0; 18], &[0.0; 2]).unwrap();
    let depthwise = Depthwise3x3::new(Cpu::detect(), 1, taps).unwrap();
    let run = |view, rows: Range<usize>, out_rows, columns| {
        let mut out = [0.0; 64];
        let mut output = ViewMut::dense(&mut out, out_rows, columns).unwrap();
        let image = ImageRows::ring(view, 3, 4, 5).unwrap();
        depthwise.run_rows(&image, rows, &mut output).map_err(|error| error.to_string())
    };
    let fails = |view, rows, out_rows, columns| run(view, rows, out_rows, columns).unwrap_err();
    assert_eq!(fails(view(9, 3), 0..1, 3, 2), "columns of the input is 3, expected 2");
    assert_eq!(fails(pixels(9), 0..1, 3, 1), "columns of the output is 1, expected 2");
    assert_eq!(fails(pixels(9), 0..1, 2, 2), "rows of the output is 2, expected 1 x 3 pixels");
    assert_eq!(fails(pixels(9), 4..6, 6, 2), "output rows is 4..6, expected rows of 0..5");
    assert!(run(pixels(9), 3..5, 6, 2).is_ok());
    assert!(run(pixels(9), 5..5, 0, 2).is_ok());

    let refused = |view, width, first, height| {
        ImageRows::ring(view, width, first, height).unwrap_err().to_string()
    };
    let multiple = |rows| format!("rows of the input is {rows}, expected a multiple of width 3");
    assert_eq!(refused(pixels(8), 3, 0, 2), multiple(8));
    assert_eq!(refused(pixels(0), 3, 0, 0), multiple(0));
    assert_eq!(refused(pixels(6), 3, 0, 3), "image rows at hand is 2, expected at least 3");
    assert!(ImageRows::ring(pixels(6), 3, 0, 2).is_ok());
    let absent = "height of the image is 0, expected at least 1";
    assert_eq!(refused(pixels(6), 3, 0, 0), absent);
    assert!(ImageRows::ring(pixels(9), 3, usize::MAX, 4).is_err());

    let stem = Taps::stem(1, &[0.0; 27], &[0.0]).unwrap();
    let stem = StemConvolution::new(Cpu::detect(), stem).unwrap();
    let parted = [ColumnRange { start: 0, len: 1 }, ColumnRange { start: 2, len: 2 }];
    let input = View::new(&data, 2, 4, &parted).unwrap();
    let mut out = [0.0];
    let mut output = ViewMut::dense(&mut out, 1, 1).unwrap();
    let error = stem.run(&input, 2, &mut output).unwrap_err();
    assert_eq!(error.to_string(), "ranges of a stem's input is 2, expected 1");
    let error = stem.run(&pixels(2), 2, &mut output).unwrap_err();
    assert_eq!(error.to_string(), "columns of the input is 2, expected 3");

    let planes = |len, width| ImageRows::planes(&data[..len], width);
    let message = |len, width| planes(len, width).unwrap_err().to_string();
    assert_eq!(
        message(10, 2),
        "floats of the planes is 10, expected three times a multiple of width 2"
    );
    assert_eq!(
        message(9, 0),
        "floats of the planes is 9, expected three times a multiple of width 0"
    );
    let nothing = "rows of the input is 0, expected a multiple of width 2";
    assert_eq!(message(0, 2), nothing);
    let taps = Taps::depthwise(1, &[0.0; 9], &[0.0]).unwrap();
    let one = Depthwise3x3::new(Cpu::detect(), 1, taps).unwrap();
    let image = planes(12, 2).unwrap();
    let mut output = ViewMut::dense(&mut out, 1, 1).unwrap();
    let error = one.run_rows(&image, 0..1, &mut output).unwrap_err();
    assert_eq!(error.to_string(), "image is in planes, expected its channels side by side");

    let mut out = [0.0; 64];
    let whole = |rows, width, out_rows, out: &mut [f32]| {
        let mut output = ViewMut::dense(out, out_rows, 2).unwrap();
        depthwise.run(&pixels(rows), width, &mut output).unwrap_err().to_string()
    };
    assert_eq!(whole(5, 2, 5, &mut out), "rows of the input is 5, expected a multiple of width 2");
    assert_eq!(whole(4, 0, 4, &mut out), "rows of the input is 4, expected a multiple of width 0");
    assert_eq!(whole(4, 2, 3, &mut out), "rows of the output is 3, expected 2 x 2 pixels");
}
