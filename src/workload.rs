//! One layer at a time: what a network asks of its kernels, and a bench on which they run by themselves.
//!
//! ```
//! use shufflenet::cpu::Cpu;
//! use shufflenet::kernels::select;
//! use shufflenet::model::Architecture;
//! use shufflenet::workload::{Workbench, workloads};
//!
//! let layers = workloads(&Architecture::X0_5, 224, 224);
//! let mut bench = Workbench::new(&layers, |operation| select(Cpu::detect(), operation))?;
//! let start = std::time::Instant::now();
//! bench.run(0)?;
//! println!("{}: {} multiply-adds in {:?}", layers[0].layer, layers[0].macs(), start.elapsed());
//! # Ok::<(), shufflenet::Error>(())
//! ```

use crate::Error;
use crate::kernels::{
    AlignedFloats, ColumnRange, Depthwise3x3, FullyConnected, Kernel, Layout, Matrix, MaxPool3x3,
    Operation, Pointwise, PointwiseMean, StemConvolution, Taps, View, ViewMut,
};
use crate::model::Architecture;
use crate::plan::{Bands, Plan, Schedule, Step};
use std::sync::Arc;

/// Columns of the matrix of an image's pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    /// Height and width of the image, in pixels.
    pub size: [usize; 2],
    /// Elements from one pixel to the next.
    pub stride: usize,
    /// The columns that are read or written.
    pub ranges: Vec<ColumnRange>,
}

impl Columns {
    fn new(size: [usize; 2], stride: usize, ranges: &[ColumnRange]) -> Columns {
        Columns { size, stride, ranges: ranges.to_vec() }
    }

    /// All columns of a matrix that has no others.
    fn dense(size: [usize; 2], channels: usize) -> Columns {
        Columns::new(size, channels, &[ColumnRange { start: 0, len: channels }])
    }

    /// Number of pixels.
    pub fn pixels(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.ranges.iter().map(|range| range.len).sum()
    }

    fn floats(&self) -> usize {
        self.pixels() * self.stride
    }

    fn view<'a>(&'a self, data: &'a [f32]) -> Result<View<'a>, Error> {
        View::new(data, self.pixels(), self.stride, &self.ranges)
    }

    fn view_mut<'a>(&'a self, data: &'a mut [f32]) -> Result<ViewMut<'a>, Error> {
        ViewMut::new(data, self.pixels(), self.stride, &self.ranges)
    }
}

/// What one layer asks of its kernel: shapes, and where its data lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Torchvision's name of the layer.
    pub layer: String,
    /// What it computes. The last convolution is one of which only the mean is kept.
    pub operation: Operation,
    /// What it reads.
    pub input: Columns,
    /// What it writes.
    pub output: Columns,
    /// Whether a ReLU follows.
    pub relu: bool,
}

impl Workload {
    /// Weights of an output pixel, without the bias.
    fn weights(&self) -> usize {
        let (inputs, outputs) = (self.input.channels(), self.output.channels());
        match self.operation {
            Operation::Stem => 27 * outputs,
            Operation::MaxPool => 0,
            Operation::Depthwise { .. } => 9 * outputs,
            _ => inputs * outputs,
        }
    }

    /// Height and width of what is computed, in pixels: the output, or what its mean is taken of.
    pub fn size(&self) -> [usize; 2] {
        match self.operation {
            Operation::PointwiseMean => self.input.size,
            _ => self.output.size,
        }
    }

    /// Multiply-adds, without the bias; none for the max pool.
    pub fn macs(&self) -> u64 {
        let [height, width] = self.size();
        (height * width * self.weights()) as u64
    }

    /// Bytes of the input, the weights and the output, each once.
    pub fn bytes(&self) -> u64 {
        let elements = |columns: &Columns| columns.pixels() * columns.channels();
        4 * (elements(&self.input) + self.weights() + elements(&self.output)) as u64
    }
}

/// The layers of a network in the order in which they run, for images of that height and width in
/// pixels, each at least 1.
pub fn workloads(architecture: &Architecture, height: usize, width: usize) -> Vec<Workload> {
    let plan = Plan::new(architecture);
    let schedule = Schedule::new(architecture, &plan, [height, width], 1, Bands::Rows(1));
    let layers = architecture.layers();
    let mut list = Vec::new();
    let mut push = |layer: Option<usize>, operation, input: Columns, output: Columns| {
        let layer = layer.map(|number| &layers[number]);
        list.push(Workload {
            layer: layer.map_or("maxpool", |layer| &layer.name).to_owned(),
            operation,
            input,
            output,
            relu: layer.is_some_and(|layer| layer.relu),
        });
    };
    for step in schedule.steps {
        match step {
            Step::Stem(s) => {
                let conv = Columns::dense(s.conv, s.channels);
                push(Some(0), Operation::Stem, Columns::dense(s.image, 3), conv.clone());
                push(None, Operation::MaxPool, conv, Columns::dense(s.pool, s.channels));
            }
            Step::Downsample(s) => {
                let depthwise = Operation::Depthwise { stride: 2 };
                let read = Columns::new(s.input_size, s.inputs, &s.reads);
                let stored = |ranges| Columns::new(s.output_size, s.outputs, ranges);
                let rows = Columns::dense(s.output_size, s.inputs);
                push(Some(s.layer), depthwise, read.clone(), rows.clone());
                let output = stored(&s.branch1_writes);
                push(Some(s.layer + 1), Operation::Pointwise, rows, output);
                let expanded = Columns::dense(s.input_size, s.half);
                push(Some(s.layer + 2), Operation::Pointwise, read, expanded.clone());
                let rows = Columns::dense(s.output_size, s.half);
                push(Some(s.layer + 3), depthwise, expanded, rows.clone());
                let output = stored(&s.branch2_writes);
                push(Some(s.layer + 4), Operation::Pointwise, rows, output);
            }
            Step::Unit(s) => {
                let stage = |ranges| Columns::new(s.size, s.columns, ranges);
                let half = Columns::dense(s.size, s.half);
                push(Some(s.layer), Operation::Pointwise, stage(&s.reads), half.clone());
                let depthwise = Operation::Depthwise { stride: 1 };
                push(Some(s.layer + 1), depthwise, half.clone(), half.clone());
                push(Some(s.layer + 2), Operation::Pointwise, half, stage(&s.writes));
            }
            Step::Conv5(s) => {
                let features = Columns::dense([1, 1], s.features);
                let input = Columns::dense(s.size, s.columns);
                push(Some(s.layer), Operation::PointwiseMean, input, features);
            }
            Step::Classify(s) => {
                let features = Columns::dense([1, 1], s.features);
                let logits = Columns::dense([1, 1], s.classes);
                push(Some(s.layer), Operation::FullyConnected, features, logits);
            }
        }
    }
    list
}

/// A layer bound to a kernel.
enum Bound {
    Stem(StemConvolution),
    MaxPool(MaxPool3x3),
    Depthwise(Depthwise3x3),
    Pointwise(Pointwise),
    Mean(PointwiseMean),
    FullyConnected(FullyConnected),
}

impl Bound {
    fn new(workload: &Workload, kernel: &'static Kernel) -> Result<Bound, Error> {
        let (inputs, outputs) = (workload.input.channels(), workload.output.channels());
        let (weight, bias) = (|k: usize, n: usize| value(k * outputs + n), |n: usize| value(n));
        let taps = |count| Arc::new(Taps::from_elements(count, outputs, weight, bias));
        let matrix = || {
            let layout = kernel.layout().unwrap_or(Layout::RowMajor);
            let rows = (0..outputs).flat_map(|n| (0..inputs).map(move |k| weight(k, n)));
            Arc::new(Matrix::from_rows(
                layout,
                inputs,
                rows.collect(),
                (0..outputs).map(bias).collect(),
            ))
        };
        let relu = workload.relu;
        Ok(match workload.operation {
            Operation::Stem => Bound::Stem(StemConvolution::with_kernel(kernel, taps(27))?),
            Operation::MaxPool => Bound::MaxPool(MaxPool3x3::with_kernel(kernel)?),
            Operation::Depthwise { .. } => {
                Bound::Depthwise(Depthwise3x3::with_kernel(kernel, taps(9))?)
            }
            Operation::Pointwise => {
                Bound::Pointwise(Pointwise::with_kernel(kernel, matrix(), relu)?)
            }
            Operation::PointwiseMean => {
                Bound::Mean(PointwiseMean::with_kernel(kernel, matrix(), relu)?)
            }
            Operation::FullyConnected => {
                Bound::FullyConnected(FullyConnected::with_kernel(kernel, matrix())?)
            }
        })
    }
}

/// Numbers between -0.5 and 0.5.
fn value(index: usize) -> f32 {
    (index.wrapping_mul(2_654_435_761) >> 8 & 0xffff) as f32 / 65536.0 - 0.5
}

/// The layers of a list, each bound to a kernel of one's choice, with weights that mean nothing. All
/// read one buffer and write another, as a network's do: run in their order, they find the caches as
/// a network leaves them.
pub struct Workbench {
    layers: Vec<(Workload, &'static Kernel, Bound)>,
    /// The input, and from `split` on the output.
    memory: AlignedFloats,
    split: usize,
}

impl std::fmt::Debug for Workbench {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Workbench({} layers)", self.layers.len())
    }
}

impl Workbench {
    /// Takes memory, and binds each layer to the kernel that `choose` gives for its operation.
    ///
    /// # Errors
    /// [`Error::Argument`] for a kernel of another operation, or one that this CPU cannot run.
    pub fn new(
        workloads: &[Workload],
        choose: impl Fn(Operation) -> Option<&'static Kernel>,
    ) -> Result<Workbench, Error> {
        let bind = |workload: &Workload| {
            let operation = workload.operation;
            let kernel = choose(operation).filter(|kernel| kernel.operation() == operation);
            let kernel = kernel.ok_or_else(|| Error::argument("kernel", "another's", operation))?;
            Ok((workload.clone(), kernel, Bound::new(workload, kernel)?))
        };
        let largest = |floats: fn(&Workload) -> usize| workloads.iter().map(floats).max();
        let input = largest(|w| w.input.floats()).unwrap_or(0);
        let output = largest(|w| w.output.floats()).unwrap_or(0);
        // Half a page apart: where a pixel's input and output have the same place in their pages, a load
        // waits for a store that has nothing to do with it.
        let split = input.next_multiple_of(1024) + 512;
        let mut memory = AlignedFloats::zeroed(split + output);
        memory.iter_mut().enumerate().for_each(|(i, float)| *float = value(i));
        let layers = workloads.iter().map(bind).collect::<Result<_, Error>>()?;
        Ok(Workbench { layers, memory, split })
    }

    /// The kernel of a layer by its number in the list.
    pub fn kernel(&self, index: usize) -> Option<&'static Kernel> {
        self.layers.get(index).map(|&(_, kernel, _)| kernel)
    }

    /// Runs a layer by its number in the list.
    ///
    /// # Errors
    /// [`Error::Argument`] when there is no such layer.
    pub fn run(&mut self, index: usize) -> Result<(), Error> {
        let count = self.layers.len();
        let Some((Workload { input, output, .. }, _, bound)) = self.layers.get(index) else {
            return Err(Error::argument("layer", index, format!("less than {count}")));
        };
        let width = input.size[1];
        let (from, to) = self.memory.split_at_mut(self.split);
        let (input, mut output) = (input.view(from)?, output.view_mut(to)?);
        match bound {
            Bound::Stem(layer) => layer.run(&input, width, &mut output),
            Bound::MaxPool(layer) => layer.run(&input, width, &mut output),
            Bound::Depthwise(layer) => layer.run(&input, width, &mut output),
            Bound::Pointwise(layer) => layer.run(&input, &mut output),
            Bound::Mean(layer) => layer.run(&input, width, &mut output),
            Bound::FullyConnected(layer) => layer.run(&input, &mut output),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::Cpu;
    use crate::kernels::select;

    #[test]
    fn layers_are_the_architectures() {
        for architecture in [Architecture::X0_5, Architecture::X2_0] {
            let list = workloads(&architecture, 75, 224);
            let layers = architecture.layers();
            let with_weights: Vec<_> = list.iter().filter(|w| w.layer != "maxpool").collect();
            assert_eq!(with_weights.len(), layers.len());
            for (workload, layer) in with_weights.iter().zip(&layers) {
                assert_eq!((&workload.layer, workload.relu), (&layer.name, layer.relu));
                assert_eq!(workload.output.channels(), layer.outputs);
            }
            let macs: u64 = list.iter().map(Workload::macs).sum();
            assert_eq!(macs, architecture.macs(75, 224));
        }
    }

    #[test]
    fn every_layer_runs() {
        let list = workloads(&Architecture::X0_5, 33, 20);
        let mut bench = Workbench::new(&list, |op| select(Cpu::detect(), op)).unwrap();
        for (index, workload) in list.iter().enumerate() {
            let split = bench.split;
            bench.memory[split..].fill(f32::NAN);
            bench.run(index).unwrap();
            let first = workload.output.ranges[0].start;
            assert!(!bench.memory[split + first].is_nan(), "{}", workload.layer);
        }
        assert!(bench.run(list.len()).is_err());
        let depthwise = select(Cpu::detect(), Operation::Depthwise { stride: 2 });
        assert!(Workbench::new(&list, |_| depthwise).is_err());
    }
}
