//! Executes one step: its layers by turns over bands of rows, so that what one writes is still in cache
//! when the next reads it.

use super::arena::{Lease, Part};
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
use crate::plan::{
    ClassifyStep, Conv5Step, DownsampleStep, Network, NextEdges, ROWS_OF_PIXELS, StemStep, Step,
    UnitStep, window_rows_of,
};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A step with its kernels and their weights.
pub(super) enum BoundStep {
    Stem(StemStep, Stem),
    /// Branch 1's depthwise and pointwise; branch 2's pointwise, depthwise and pointwise; the next unit's
    /// first pointwise.
    Downsample(DownsampleStep, Depthwise3x3, Pointwise, Branch, Option<Pointwise>),
    Unit(UnitStep, Branch, Option<Pointwise>),
    /// The last convolution with its output kept, and with only the mean.
    Conv5(Conv5Step, Pointwise, PointwiseMean),
    Classify(ClassifyStep, FullyConnected),
}

/// What a run is about.
#[derive(Clone, Copy)]
pub(super) struct Job<'a> {
    pub inputs: &'a [Input<'a>],
    /// The row of features and logits that is the first input's.
    pub first: usize,
    pub clock: Clock<'a>,
    /// Cleared where a value of an image is not finite.
    pub finite: &'a AtomicBool,
}

/// What makes the pool's output of an image.
pub(super) struct Stem {
    normalization: Arc<Normalization>,
    conv: StemConvolution,
    pool: MaxPool3x3,
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

    /// The layer's operation, and whose weights it may ask for: those of layer `next`.
    fn pointwise(&self, layer: usize, next: usize) -> Result<Pointwise, Error> {
        let (kernel, layout) = self.matrix_kernel(Operation::Pointwise);
        let matrix = self.network.matrix(layer, layout)?;
        let pointwise = Pointwise::with_kernel(kernel, matrix, self.layer(layer).relu)?;
        Ok(pointwise.before(self.network.packed_matrix(next, layout)))
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

    /// Three layers from `layer` on; `next` is the matrix that is read after the first one's.
    fn branch(&self, layer: usize, stride: usize, next: usize) -> Result<Branch, Error> {
        Ok(Branch {
            expand: self.pointwise(layer, next)?,
            depthwise: self.depthwise(layer + 1, stride)?,
            project: self.pointwise(layer + 2, layer + 3)?,
        })
    }
}

/// Ranges of at most `band` rows.
fn bands(rows: &Range<usize>, band: usize) -> impl Iterator<Item = Range<usize>> + use<> {
    let end = rows.end;
    rows.clone().step_by(band).map(move |y| y..end.min(y + band))
}

/// Pixels of rows in an area that begins with row `first`.
fn pixels(rows: Range<usize>, first: usize, width: usize) -> Range<usize> {
    (rows.start - first) * width..(rows.end - first) * width
}

impl BoundStep {
    pub fn new(
        step: Step,
        network: &Network,
        cpu: Cpu,
        normalization: &Arc<Normalization>,
    ) -> Result<BoundStep, Error> {
        let bind = Binder { network, cpu };
        let next = |next: &NextEdges, layer: usize| match next.rows.as_slice() {
            [] => Ok(None),
            _ => bind.pointwise(layer, layer).map(Some),
        };
        Ok(match step {
            Step::Stem(s) => {
                let kernel = select_known(cpu, Operation::Stem);
                let conv = StemConvolution::with_kernel(kernel, network.taps(0))?;
                let (normalization, pool) = (Arc::clone(normalization), MaxPool3x3::new(cpu)?);
                BoundStep::Stem(s, Stem { normalization, conv, pool })
            }
            Step::Downsample(s) => {
                let depthwise = bind.depthwise(s.layer, 2)?;
                // The branches' last convolutions follow each other.
                let pointwise = bind.pointwise(s.layer + 1, s.layer + 4)?;
                let branch = bind.branch(s.layer + 2, 2, s.layer + 1)?;
                let next = next(&s.next, s.layer + 5)?;
                BoundStep::Downsample(s, depthwise, pointwise, branch, next)
            }
            Step::Unit(s) => {
                let branch = bind.branch(s.layer, 1, s.layer + 2)?;
                let next = next(&s.next, s.layer + 3)?;
                BoundStep::Unit(s, branch, next)
            }
            Step::Conv5(s) => {
                let conv = bind.pointwise(s.layer, s.layer)?;
                let mean = bind.pointwise_mean(s.layer)?.part(s.part.clone())?;
                BoundStep::Conv5(s, conv, mean)
            }
            Step::Classify(s) => {
                let fc = bind.fully_connected(s.layer)?.part(s.part.clone())?;
                BoundStep::Classify(s, fc)
            }
        })
    }

    /// Computes it in its areas. An early step takes one of the job's images, a late one any number.
    pub fn run(
        &self,
        lease: &mut Lease<'_>,
        job: &Job<'_>,
        images: Range<usize>,
    ) -> Result<(), Error> {
        let clock = job.clock;
        match self {
            BoundStep::Stem(s, stem) => stem.run(s, lease, job, images.start),
            BoundStep::Downsample(s, depthwise, pointwise, branch, next) => {
                downsample((depthwise, pointwise, branch), s, lease, images.start, clock)?;
                if let Some(next) = next {
                    let areas = DownsampleStep::NEXT;
                    let (first, width) = (s.rows.start, s.output_size[1]);
                    edges((next, s.layer + 5), &s.next, (areas, first, width), lease, clock)?;
                }
                Ok(())
            }
            BoundStep::Unit(s, branch, next) => {
                unit(branch, s, lease, images.len(), clock)?;
                if let Some(next) = next {
                    let (first, width) = (s.rows.start, s.size[1]);
                    edges((next, s.layer + 3), &s.next, (s.next(), first, width), lease, clock)?;
                }
                Ok(())
            }
            BoundStep::Conv5(s, conv, mean) => {
                let pixels = 0..images.len() * s.size[0] * s.size[1];
                let from = (Conv5Step::INPUT, pixels.clone());
                if s.kept.len > 0 {
                    let parts = (from.clone(), (Conv5Step::KEPT, pixels));
                    pointwise(conv, lease, parts, (Clock(&[]), entry(s.layer)))?;
                }
                let rows = job.first + images.start..job.first + images.end;
                let parts = (from, (Conv5Step::OUTPUT, rows));
                operate(lease, parts, (clock, entry(s.layer)), |from, to| {
                    mean.run(&from, s.size[1], to)
                })
            }
            BoundStep::Classify(s, fc) => {
                let rows = job.first + images.start..job.first + images.end;
                let parts = ((ClassifyStep::INPUT, rows.clone()), (ClassifyStep::OUTPUT, rows));
                operate(lease, parts, (clock, entry(s.layer)), |from, to| fc.run(&from, to))
            }
        }
    }
}

/// Runs an operation on a part to read and one to write.
fn operate(
    lease: &mut Lease<'_>,
    (from, to): (Part, Part),
    (clock, entry): (Clock<'_>, usize),
    run: impl FnOnce(View<'_>, &mut ViewMut<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    // Once for all: it is more code than to run.
    #[inline(never)]
    fn pair<'a>(
        lease: &'a mut Lease<'_>,
        from: Part,
        to: Part,
    ) -> Result<(View<'a>, ViewMut<'a>), Error> {
        lease.pair(from, to)
    }
    let (from, mut to) = pair(lease, from, to)?;
    clock.time(entry, || run(from, &mut to))
}

/// The same for what runs often. Inlined, so that views stay in registers.
#[inline(always)]
fn operate_often(
    lease: &mut Lease<'_>,
    (from, to): (Part, Part),
    (clock, entry): (Clock<'_>, usize),
    run: impl FnOnce(View<'_>, &mut ViewMut<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let (from, mut to) = lease.pair(from, to)?;
    clock.time(entry, || run(from, &mut to))
}

/// Once for all layers.
#[inline(never)]
fn pointwise(
    operation: &Pointwise,
    lease: &mut Lease<'_>,
    parts: (Part, Part),
    clock: (Clock<'_>, usize),
) -> Result<(), Error> {
    operate_often(lease, parts, clock, |from, to| operation.run(&from, to))
}

/// Rows of an image's depthwise convolution, once for both branches. Of the part to read, the view becomes an image of
/// `height` rows whose first is `first`.
#[inline(never)]
fn depthwise(
    operation: &Depthwise3x3,
    lease: &mut Lease<'_>,
    parts: (Part, Part),
    [width, first, height]: [usize; 3],
    rows: Range<usize>,
    clock: (Clock<'_>, usize),
) -> Result<(), Error> {
    operate_often(lease, parts, clock, |from, to| {
        operation.run_rows(&ImageRows::ring(from, width, first, height)?, rows, to)
    })
}

impl Stem {
    fn run(
        &self,
        s: &StemStep,
        lease: &mut Lease<'_>,
        job: &Job<'_>,
        image: usize,
    ) -> Result<(), Error> {
        let (input, clock) = (&job.inputs[image], job.clock);
        let Stem { normalization, conv, pool } = self;
        let ([height, width], [conv_height, conv_width], pool_width) = (s.image, s.conv, s.pool[1]);
        let image = Ring::new(StemStep::IMAGE_RING, s.image_ring.len / 3, width);
        let rows = Ring::new(StemStep::CONV_RING, s.conv_ring.len / s.channels, conv_width);
        let conv_rows = window_rows_of(&s.rows, s.rows.clone(), 2, conv_height);
        for band in bands(&s.rows, s.band) {
            for new in rows.pieces(window_rows_of(&s.rows, band.clone(), 2, conv_height)) {
                let mut in_place = |image: &ImageRows<'_>| {
                    let mut out = lease.output(rows.rows(new.clone()))?;
                    clock.time(STEM, || conv.run_rows(image, new.clone(), &mut out))
                };
                match input {
                    Input::Nhwc(floats) => {
                        in_place(&ImageRows::whole(
                            View::dense(floats, height * width, 3)?,
                            width,
                        )?)?;
                    }
                    Input::Nchw(floats) => in_place(&ImageRows::planes(floats, width)?)?,
                    Input::Pixels(picture) => {
                        for out in bands(&new, ROWS_OF_PIXELS) {
                            let window = window_rows_of(&conv_rows, out.clone(), 2, height);
                            for new in image.pieces(window) {
                                let to = lease.floats(image.rows(new.clone()));
                                for (y, to) in new.zip(to.chunks_exact_mut(3 * width)) {
                                    clock
                                        .time(INPUT, || normalization.row_of_run(picture, y, to))?;
                                }
                            }
                            let parts = (image.all(), rows.rows(out.clone()));
                            operate_often(lease, parts, (clock, STEM), |from, to| {
                                conv.run_rows(&image.image(from, 0, height)?, out, to)
                            })?;
                        }
                    }
                }
            }
            // A row of the pool's stands for four of the image, which the stem has just brought into cache.
            let own = 4 * band.start..height.min(4 * band.end);
            if !clock.time(INPUT, || input.is_finite(own, s.image)) {
                job.finite.store(false, Ordering::Relaxed);
            }
            let out = (StemStep::OUTPUT, pixels(band.clone(), s.rows.start, pool_width));
            operate(lease, (rows.all(), out), (clock, POOL), |from, to| {
                pool.run_rows(&rows.image(from, 0, conv_height)?, band.clone(), to)
            })?;
        }
        Ok(())
    }
}

fn downsample(
    (branch1, project, branch): (&Depthwise3x3, &Pointwise, &Branch),
    s: &DownsampleStep,
    lease: &mut Lease<'_>,
    image: usize,
    clock: Clock<'_>,
) -> Result<(), Error> {
    type Areas = DownsampleStep;
    let ([in_height, in_width], [height, width]) = (s.input_size, s.output_size);
    let input_rows = s.input_rows();
    // Where row 0 would lie among these rows, if they were a ring.
    let first_input = input_rows.len() - input_rows.start % input_rows.len();
    let first_output = image % s.images * height;
    let ring = Ring::new(Areas::RING, s.ring.len / s.half, in_width);
    for band in bands(&s.rows, s.band) {
        for rows in ring.pieces(window_rows_of(&s.rows, band.clone(), 2, in_height)) {
            let from = (Areas::INPUT, pixels(rows.clone(), input_rows.start, in_width));
            let parts = (from, ring.rows(rows));
            pointwise(&branch.expand, lease, parts, (clock, entry(s.layer + 2)))?;
        }
        let rows = 0..band.len() * width;
        let from = (Areas::INPUT, 0..input_rows.len() * in_width);
        let parts = (from, (Areas::BRANCH1_ROWS, rows.clone()));
        let image = [in_width, first_input, in_height];
        depthwise(branch1, lease, parts, image, band.clone(), (clock, entry(s.layer)))?;
        let parts = (ring.all(), (Areas::BRANCH2_ROWS, rows));
        let image = [in_width, 0, in_height];
        let clock_of = (clock, entry(s.layer + 3));
        depthwise(&branch.depthwise, lease, parts, image, band.clone(), clock_of)?;
        // Where memory is shared: input rows that later bands read lie behind these.
        let rows = first_output + band.start..first_output + band.end;
        let (from, to) = (0..band.len() * width, pixels(rows, s.rows.start, width));
        let parts = ((Areas::BRANCH1_ROWS, from.clone()), (Areas::BRANCH1_OUTPUT, to.clone()));
        pointwise(project, lease, parts, (clock, entry(s.layer + 1)))?;
        let parts = ((Areas::BRANCH2_ROWS, from), (Areas::BRANCH2_OUTPUT, to));
        pointwise(&branch.project, lease, parts, (clock, entry(s.layer + 4)))?;
    }
    Ok(())
}

/// Several images lie one after the other, and only their depthwise convolution tells them apart.
fn unit(
    branch: &Branch,
    s: &UnitStep,
    lease: &mut Lease<'_>,
    images: usize,
    clock: Clock<'_>,
) -> Result<(), Error> {
    type Areas = UnitStep;
    let ([height, width], all) = (s.size, s.rows.clone());
    let all = all.start..all.end.min(images * height);
    let ring = Ring::new(Areas::RING, s.ring.len / s.half, width);
    let edge = |y: &usize| s.edges.iter().position(|edge| edge.row == *y);
    for band in bands(&all, s.band) {
        let mut rows = window_rows_of(&all, band.clone(), 1, images * height);
        while !rows.is_empty() {
            // Up to the next edge, which is there already.
            let edge_row = rows.clone().find(|y| edge(y).is_some()).unwrap_or(rows.end);
            for rows in ring.pieces(rows.start..edge_row) {
                let from = (Areas::INPUT, pixels(rows.clone(), all.start, width));
                let parts = (from, ring.rows(rows));
                pointwise(&branch.expand, lease, parts, (clock, entry(s.layer)))?;
            }
            if let Some(edge) = edge(&edge_row).filter(|_| edge_row < rows.end) {
                lease.copy((Areas::EDGES + edge, 0..width), ring.rows(edge_row..edge_row + 1));
            }
            rows.start = rows.end.min(edge_row + 1);
        }
        let mut done = band.start;
        while done < band.end {
            let first = done - done % height;
            let end = band.end.min(first + height);
            let out = (Areas::ROWS, (done - band.start) * width..(end - band.start) * width);
            operate_often(lease, (ring.all(), out), (clock, entry(s.layer + 1)), |from, to| {
                let image = ring.image(from, first, height)?;
                branch.depthwise.run_rows(&image, done - first..end - first, to)
            })?;
            done = end;
        }
        // Rows that the next band still reads come after these.
        let to = (Areas::OUTPUT, pixels(band.clone(), all.start, width));
        let parts = ((Areas::ROWS, 0..band.len() * width), to);
        pointwise(&branch.project, lease, parts, (clock, entry(s.layer + 2)))?;
    }
    Ok(())
}

/// The next unit's first pointwise convolution, of the rows that other pieces need too. The step's areas
/// of the next unit begin with number `areas`, and its rows with `first`.
fn edges(
    (next, layer): (&Pointwise, usize),
    rows: &NextEdges,
    (areas, first, width): (usize, usize, usize),
    lease: &mut Lease<'_>,
    clock: Clock<'_>,
) -> Result<(), Error> {
    for (i, edge) in rows.rows.iter().enumerate() {
        let from = (areas + rows.rows.len(), pixels(edge.row..edge.row + 1, first, width));
        pointwise(next, lease, (from, (areas + i, 0..width)), (clock, entry(layer)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Architecture, LayerWeights, Model, Stage};
    use crate::plan::{Bands, Region, Schedule};
    use crate::session::arena::{Arena, Room};

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

    /// Runs a network step by step and looks at the whole arena before and after each: a step stores to
    /// nothing but the columns of its areas, and a unit to no column of its stage outside its slots.
    #[test]
    fn steps_store_to_their_areas_only() {
        let architecture = Architecture {
            stem_channels: 5,
            stages: [4, 8, 5].map(|units| Stage { units, channels: 22 }),
            feature_channels: 9,
            classes: 3,
        };
        let network = network(architecture);
        let cpu = network.cpu();
        for bands in [Bands::Auto(1 << 20), Bands::Rows(1), Bands::Unfused] {
            let schedule = Schedule::new(&architecture, network.plan(), [75, 53], 1, bands);
            let mut memory = Arena::Heap.take(Room::exclusive(schedule.arena)).unwrap();
            let all = Region { offset: 0, len: schedule.arena };
            let image: Vec<f32> = (0..3 * 75 * 53).map(|i| (i % 7) as f32).collect();
            let normalization = Arc::new(Normalization::new([0.0; 3], [1.0; 3]).unwrap());
            let inputs = [Input::Nchw(&image)];
            let finite = AtomicBool::new(true);
            let job = Job { inputs: &inputs, first: 0, clock: Clock(&[]), finite: &finite };
            for step in &schedule.steps {
                let before = memory.slice(all).to_vec();
                let bound = BoundStep::new(step.clone(), &network, cpu, &normalization).unwrap();
                let areas = step.areas();
                bound.run(&mut memory.exclusive(&areas), &job, 0..1).unwrap();
                let mut allowed = vec![false; schedule.arena];
                for area in areas.iter().filter(|area| area.write) {
                    for row in 0..area.rows {
                        let start = area.region.offset + row * area.stride;
                        for range in &area.columns {
                            allowed[start + range.start..start + range.end()].fill(true);
                        }
                    }
                }
                let after = memory.slice(all);
                let changed = |&i: &usize| before[i].to_bits() != after[i].to_bits();
                let stray = (0..schedule.arena).filter(changed).find(|&i| !allowed[i]);
                assert_eq!(stray, None, "{step:?}");
                if let Step::Unit(s) = step {
                    assert_eq!(s.writes.iter().map(|range| range.len).sum::<usize>(), s.half);
                    let stage = &allowed[s.stage.range()];
                    let pixels = s.size[0] * s.size[1];
                    assert_eq!(stage.iter().filter(|&&allowed| allowed).count(), pixels * s.half);
                    assert!(s.stage.range().any(|i| changed(&i)), "the unit stored nothing");
                }
            }
        }
    }
}
