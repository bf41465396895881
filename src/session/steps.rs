//! Executes one step: its layers by turns over bands of rows, so that what one writes is still in cache
//! when the next reads it.

use super::arena::Arena;
use super::input::Input;
use super::profile::{Clock, INPUT, POOL, STEM, entry};
use super::ring::Ring;
use crate::Error;
use crate::cpu::Cpu;
use crate::image::Normalization;
use crate::kernels::{
    Depthwise3x3, FullyConnected, ImageRows, Kernel, Layout, MaxPool3x3, Operation, Pointwise,
    PointwiseMean, StemConvolution, View, ViewMut, select_known,
};
use crate::model::Layer;
use crate::plan::{DownsampleStep, HeadStep, Network, StemStep, Step, UnitStep, window_rows};
use std::ops::Range;

/// A step with its kernels and their weights.
pub(super) enum BoundStep {
    Stem(StemStep, StemConvolution, MaxPool3x3),
    /// Branch 1's depthwise and pointwise; branch 2's pointwise, depthwise and pointwise.
    Downsample(DownsampleStep, Depthwise3x3, Pointwise, Branch),
    Unit(UnitStep, Branch),
    /// The last convolution with its output kept, and with only the mean.
    Head(HeadStep, Pointwise, PointwiseMean, FullyConnected),
}

/// What a run has besides the arena.
pub(super) struct Images<'a> {
    pub inputs: &'a [Input<'a>],
    pub normalization: &'a Normalization,
    /// One after the other, for each input.
    pub features: &'a mut [f32],
    pub logits: &'a mut [f32],
    pub clock: Clock<'a>,
}

/// Pointwise, depthwise, pointwise.
pub(super) struct Branch {
    expand: Pointwise,
    depthwise: Depthwise3x3,
    project: Pointwise,
}

/// Makes bound operations of layer numbers.
struct Binder<'a> {
    network: &'a Network,
    cpu: Cpu,
}

impl Binder<'_> {
    fn layer(&self, layer: usize) -> &Layer {
        &self.network.layers()[layer]
    }

    fn matrix_kernel(&self, operation: Operation) -> (&'static Kernel, Layout) {
        let kernel = select_known(self.cpu, operation);
        (kernel, kernel.layout().unwrap_or(Layout::RowMajor))
    }

    fn pointwise(&self, layer: usize) -> Result<Pointwise, Error> {
        let (kernel, layout) = self.matrix_kernel(Operation::Pointwise);
        let matrix = self.network.matrix(layer, layout)?;
        Pointwise::with_kernel(kernel, matrix, self.layer(layer).relu)
    }

    fn pointwise_mean(&self, layer: usize) -> Result<PointwiseMean, Error> {
        let (kernel, layout) = self.matrix_kernel(Operation::PointwiseMean);
        let matrix = self.network.matrix(layer, layout)?;
        PointwiseMean::with_kernel(kernel, matrix, self.layer(layer).relu)
    }

    fn fully_connected(&self, layer: usize) -> Result<FullyConnected, Error> {
        let (kernel, layout) = self.matrix_kernel(Operation::FullyConnected);
        FullyConnected::with_kernel(kernel, self.network.matrix(layer, layout)?)
    }

    fn depthwise(&self, layer: usize, stride: usize) -> Result<Depthwise3x3, Error> {
        let kernel = select_known(self.cpu, Operation::Depthwise { stride });
        Depthwise3x3::with_kernel(kernel, self.network.taps(layer))
    }

    fn branch(&self, layer: usize, stride: usize) -> Result<Branch, Error> {
        Ok(Branch {
            expand: self.pointwise(layer)?,
            depthwise: self.depthwise(layer + 1, stride)?,
            project: self.pointwise(layer + 2)?,
        })
    }
}

/// Ranges of at most `band` rows.
fn bands(rows: usize, band: usize) -> impl Iterator<Item = Range<usize>> {
    (0..rows).step_by(band).map(move |y| y..rows.min(y + band))
}

impl BoundStep {
    pub fn new(step: Step, network: &Network, cpu: Cpu) -> Result<BoundStep, Error> {
        let bind = Binder { network, cpu };
        Ok(match step {
            Step::Stem(s) => BoundStep::Stem(
                s,
                StemConvolution::with_kernel(select_known(cpu, Operation::Stem), network.taps(0))?,
                MaxPool3x3::new(cpu)?,
            ),
            Step::Downsample(s) => {
                let depthwise = bind.depthwise(s.layer, 2)?;
                let pointwise = bind.pointwise(s.layer + 1)?;
                let branch = bind.branch(s.layer + 2, 2)?;
                BoundStep::Downsample(s, depthwise, pointwise, branch)
            }
            Step::Unit(s) => {
                let branch = bind.branch(s.layer, 1)?;
                BoundStep::Unit(s, branch)
            }
            Step::Head(s) => {
                let conv = bind.pointwise(s.layer)?;
                let mean = bind.pointwise_mean(s.layer)?;
                let fc = bind.fully_connected(s.layer + 1)?;
                BoundStep::Head(s, conv, mean, fc)
            }
        })
    }

    /// Runs the step for some of the images: an early one for a single image, a late one for all.
    pub fn run(
        &self,
        arena: &mut Arena,
        images: &mut Images<'_>,
        which: Range<usize>,
    ) -> Result<(), Error> {
        let clock = &mut images.clock;
        match self {
            BoundStep::Stem(s, conv, pool) => {
                let image = (&images.inputs[which.start], images.normalization);
                stem(conv, pool, s, arena, image, clock)
            }
            BoundStep::Downsample(s, depthwise, pointwise, branch) => {
                downsample((depthwise, pointwise, branch), s, arena, which.start, clock)
            }
            BoundStep::Unit(s, branch) => unit(branch, s, arena, which.len(), clock),
            BoundStep::Head(s, conv, mean, fc) => head((conv, mean, fc), s, arena, images),
        }
    }
}

fn stem(
    conv: &StemConvolution,
    pool: &MaxPool3x3,
    s: &StemStep,
    arena: &mut Arena,
    (input, normalization): (&Input<'_>, &Normalization),
    clock: &mut Clock<'_>,
) -> Result<(), Error> {
    let [image_ring, conv_ring, output] = arena.split([s.image_ring, s.conv_ring, s.output]);
    let [height, width] = s.image;
    let mut image = Ring::new(image_ring, width, 3);
    let mut rows = Ring::new(conv_ring, s.conv[1], s.channels);
    for band in bands(s.pool[0], s.band) {
        rows.write(window_rows(band.clone(), 2, s.conv[0]), |conv_rows, out| {
            let pixels = match input {
                Input::Pixels(pixels) => pixels,
                Input::Nhwc(floats) => {
                    let image = ImageRows::whole(View::dense(floats, height * width, 3)?, width)?;
                    return clock.time(STEM, || conv.run_rows(&image, conv_rows, out));
                }
                Input::Nchw(floats) => {
                    let image = ImageRows::planes(floats, width)?;
                    return clock.time(STEM, || conv.run_rows(&image, conv_rows, out));
                }
            };
            for (i, y) in conv_rows.enumerate() {
                for from in window_rows(y..y + 1, 2, height) {
                    let out = image.row_mut(from);
                    clock.time(INPUT, || normalization.row(pixels, from, out))?;
                }
                let Some(mut out) = out.slice(i * s.conv[1]..(i + 1) * s.conv[1]) else {
                    unreachable!("a row that the ring did not hand out");
                };
                let image = image.image(0, height)?;
                clock.time(STEM, || conv.run_rows(&image, y..y + 1, &mut out))?;
            }
            Ok(())
        })?;
        let out = &mut output[band.start * s.pool[1] * s.channels..];
        let out = &mut ViewMut::dense(out, band.len() * s.pool[1], s.channels)?;
        let image = rows.image(0, s.conv[0])?;
        clock.time(POOL, || pool.run_rows(&image, band, out))?;
    }
    Ok(())
}

fn downsample(
    (depthwise, pointwise, branch): (&Depthwise3x3, &Pointwise, &Branch),
    s: &DownsampleStep,
    arena: &mut Arena,
    image: usize,
    clock: &mut Clock<'_>,
) -> Result<(), Error> {
    let [memory, ring, branch1_rows, branch2_rows] =
        arena.split([s.memory, s.ring, s.branch1_rows, s.branch2_rows]);
    let ([in_height, in_width], [height, width]) = (s.input_size, s.output_size);
    let input = s.input.offset - s.memory.offset;
    let image = image % s.images * height * width * s.outputs;
    let output = s.output.offset - s.memory.offset + image;
    let mut ring = Ring::new(ring, in_width, s.half);
    for band in bands(height, s.band) {
        ring.write(window_rows(band.clone(), 2, in_height), |rows, out| {
            let pixels = rows.len() * in_width;
            let from = &memory[input + rows.start * in_width * s.inputs..];
            let from = View::new(from, pixels, s.inputs, &s.reads)?;
            clock.time(entry(s.layer + 2), || branch.expand.run(&from, out))
        })?;
        let pixels = band.len() * width;
        let from = View::new(&memory[input..], in_height * in_width, s.inputs, &s.reads)?;
        let from = ImageRows::whole(from, in_width)?;
        let out = &mut ViewMut::dense(branch1_rows, pixels, s.inputs)?;
        clock.time(entry(s.layer), || depthwise.run_rows(&from, band.clone(), out))?;
        let from = ring.image(0, in_height)?;
        let out = &mut ViewMut::dense(branch2_rows, pixels, s.half)?;
        clock.time(entry(s.layer + 3), || branch.depthwise.run_rows(&from, band.clone(), out))?;
        // Where memory is shared: input rows that later bands read lie behind these.
        let out = &mut memory[output + band.start * width * s.outputs..];
        let from = View::dense(branch1_rows, pixels, s.inputs)?;
        let to = &mut ViewMut::new(out, pixels, s.outputs, &s.branch1_writes)?;
        clock.time(entry(s.layer + 1), || pointwise.run(&from, to))?;
        let from = View::dense(branch2_rows, pixels, s.half)?;
        let to = &mut ViewMut::new(out, pixels, s.outputs, &s.branch2_writes)?;
        clock.time(entry(s.layer + 4), || branch.project.run(&from, to))?;
    }
    Ok(())
}

/// Several images lie one after the other, and only their depthwise convolution tells them apart.
fn unit(
    branch: &Branch,
    s: &UnitStep,
    arena: &mut Arena,
    images: usize,
    clock: &mut Clock<'_>,
) -> Result<(), Error> {
    let [stage, ring, rows] = arena.split([s.stage, s.ring, s.rows]);
    let [height, width] = s.size;
    let all = images * height;
    let mut ring = Ring::new(ring, width, s.half);
    for band in bands(all, s.band) {
        ring.write(window_rows(band.clone(), 1, all), |rows, out| {
            let pixels = rows.len() * width;
            let from = &stage[rows.start * width * s.columns..];
            let from = View::new(from, pixels, s.columns, &s.reads)?;
            clock.time(entry(s.layer), || branch.expand.run(&from, out))
        })?;
        let mut done = band.start;
        while done < band.end {
            let first = done - done % height;
            let end = band.end.min(first + height);
            let out = &mut rows[(done - band.start) * width * s.half..];
            let out = &mut ViewMut::dense(out, (end - done) * width, s.half)?;
            let (image, part) = (ring.image(first, height)?, done - first..end - first);
            clock.time(entry(s.layer + 1), || branch.depthwise.run_rows(&image, part, out))?;
            done = end;
        }
        // Rows that the next band still reads come after these.
        let pixels = band.len() * width;
        let out = &mut stage[band.start * width * s.columns..];
        let from = View::dense(rows, pixels, s.half)?;
        let to = &mut ViewMut::new(out, pixels, s.columns, &s.writes)?;
        clock.time(entry(s.layer + 2), || branch.project.run(&from, to))?;
    }
    Ok(())
}

fn head(
    (conv, mean, fc): (&Pointwise, &PointwiseMean, &FullyConnected),
    s: &HeadStep,
    arena: &mut Arena,
    Images { inputs, features, logits, clock, .. }: &mut Images<'_>,
) -> Result<(), Error> {
    let [input, kept] = arena.split([s.input, s.kept]);
    let ([height, width], count) = (s.size, inputs.len());
    let input = View::dense(input, count * height * width, s.columns)?;
    if !kept.is_empty() {
        conv.run(&input, &mut ViewMut::dense(kept, height * width, s.features)?)?;
    }
    let means = &mut ViewMut::dense(features, count, s.features)?;
    clock.time(entry(s.layer), || mean.run(&input, width, means))?;
    let classes = logits.len() / count;
    let (from, to) = (View::dense(features, count, s.features)?, logits);
    let to = &mut ViewMut::dense(to, count, classes)?;
    clock.time(entry(s.layer + 1), || fc.run(&from, to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Architecture, LayerWeights, Model, Stage};
    use crate::plan::{Bands, Region, Schedule};

    /// Weights that make every unit write something new.
    fn network(architecture: Architecture) -> Network {
        let layers = architecture.layers().into_iter().map(|layer| LayerWeights {
            weight: vec![0.23; layer.weight_shape().iter().product()],
            bias: vec![1.0; layer.outputs],
        });
        let preprocessing = architecture.default_preprocessing();
        let model = Model::new(architecture, layers.collect(), preprocessing).unwrap();
        Network::new(model).unwrap()
    }

    /// A program linked with `-ffast-math` gets the same bits, and its own settings back.
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    #[test]
    fn the_callers_float_environment_changes_nothing() {
        use crate::float_env::tests::in_fast_mode;
        use crate::{Session, SessionOptions};
        let mut architecture = Architecture::new([20, 20, 20], 20, 20);
        architecture.stages[1].units = 2;
        let network = network(architecture);
        // So small that everything after the first layer's bias is rounded, and much is subnormal.
        let image: Vec<f32> = (0..3 * 40 * 40).map(|i| i as f32 * 1e-42).collect();
        let options = SessionOptions { input_size: Some((40, 40)), ..SessionOptions::default() };
        let mut session = Session::new(&network, &options).unwrap();
        let mut run = || {
            let output = session.run(&[Input::Nchw(&image)]).unwrap();
            let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            [bits(output.features()), bits(output.logits())]
        };
        let expected = run();
        assert_eq!(in_fast_mode(run), (expected, true));
    }

    /// Runs a network step by step and looks at the whole arena before and after each: a unit stores
    /// to no column of its stage outside its slots, and to nothing else but its own scratch regions.
    #[test]
    fn units_store_to_their_slots_only() {
        let architecture = Architecture {
            stem_channels: 5,
            stages: [4, 8, 5].map(|units| Stage { units, channels: 22 }),
            feature_channels: 9,
            classes: 3,
        };
        let network = network(architecture);
        let cpu = network.cpu();
        for bands in [Bands::Auto, Bands::Rows(1), Bands::Unfused] {
            let schedule = Schedule::new(&architecture, network.plan(), [75, 53], 1, bands);
            let mut arena = Arena::new(schedule.arena).unwrap();
            let all = Region { offset: 0, len: schedule.arena };
            let image: Vec<f32> = (0..3 * 75 * 53).map(|i| (i % 7) as f32).collect();
            let normalization = Normalization::new([0.0; 3], [1.0; 3]).unwrap();
            let (mut features, mut logits) = (vec![0.0; 9], vec![0.0; 3]);
            for step in &schedule.steps {
                let before = arena.slice(all).to_vec();
                let bound = BoundStep::new(step.clone(), &network, cpu).unwrap();
                let mut images = Images {
                    inputs: &[Input::Nchw(&image)],
                    normalization: &normalization,
                    features: &mut features,
                    logits: &mut logits,
                    clock: Clock(&mut []),
                };
                bound.run(&mut arena, &mut images, 0..1).unwrap();
                let mut allowed = vec![false; schedule.arena];
                let regions = match step {
                    Step::Stem(s) => vec![s.image_ring, s.conv_ring, s.output],
                    Step::Downsample(s) => vec![s.ring, s.branch1_rows, s.branch2_rows, s.output],
                    Step::Unit(s) => vec![s.ring, s.rows],
                    Step::Head(s) => vec![s.kept],
                };
                regions.into_iter().for_each(|region| allowed[region.range()].fill(true));
                if let Step::Unit(s) = step {
                    let columns = s.writes.iter().flat_map(|range| range.start..range.end());
                    assert_eq!(columns.clone().count(), s.half);
                    for pixel in 0..s.size[0] * s.size[1] {
                        for column in columns.clone() {
                            allowed[s.stage.offset + pixel * s.columns + column] = true;
                        }
                    }
                }
                let after = arena.slice(all);
                let changed = |&i: &usize| before[i].to_bits() != after[i].to_bits();
                let stray = (0..schedule.arena).filter(changed).find(|&i| !allowed[i]);
                assert_eq!(stray, None, "{step:?}");
                if let Step::Unit(s) = step {
                    assert!(s.stage.range().any(|i| changed(&i)), "the unit stored nothing");
                }
            }
        }
    }
}
