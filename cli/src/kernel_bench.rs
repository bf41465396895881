//! Every kernel on every layer's shape, held against what the core can do.

use crate::commands::{print, print_json};
use crate::failure::Failure;
use crate::limits::Limits;
use crate::network;
use crate::text::{Align, table};
use crate::timing::Times;
use serde::Serialize;
use shufflenet::Network;
use shufflenet::cpu::Level;
use shufflenet::kernels::{Kernel, Operation, select};
use shufflenet::workload::{Workbench, Workload, workloads};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Layers of one shape in one model.
#[derive(Serialize)]
struct Line<'a> {
    model: &'a str,
    level: &'static str,
    kernel: &'static str,
    operation: String,
    /// Height and width of the output, or of what its mean is taken of, in pixels.
    size: [usize; 2],
    inputs: usize,
    outputs: usize,
    layers: usize,
    /// Of one layer.
    microseconds: f64,
    macs: u64,
    gmacs_per_second: f64,
    /// Of the most multiply-adds that this core did in registers.
    peak_share: f64,
    /// Of what its multiply-adds and its memory allow.
    roofline_share: f64,
}

/// Multiply-adds and seconds.
#[derive(Clone, Copy, Default)]
struct Sum {
    macs: f64,
    seconds: f64,
}

pub fn run(networks: &[(&str, &Network)], time: Duration, json: bool) -> Result<(), Failure> {
    let cpu = network::cpu()?;
    // The reference is a definition and has no vectors to hold it against.
    let levels = Level::available().filter(|&l| l <= cpu.level() && l != Level::Reference);
    let mut summary = vec![["level", "kernels", "GMAC/s", "of the FMA peak"].map(str::to_owned)];
    for level in levels {
        let limits = Limits::measure(level);
        let cpu = cpu.with_level(level)?;
        let mut sums: BTreeMap<&str, Sum> = BTreeMap::new();
        for (model, network) in networks {
            let crop = network.preprocessing().crop;
            let layers = workloads(network.architecture(), crop, crop);
            let mut bench = Workbench::new(&layers, |operation| select(cpu, operation))?;
            let times = measure(&mut bench, layers.len(), time)?;
            let mut groups: Vec<Group> = Vec::new();
            for (index, (layer, times)) in layers.iter().zip(&times).enumerate() {
                let Some(kernel) = bench.kernel(index) else { continue };
                let seconds = times.median();
                match groups.iter_mut().find(|group| group.is_of(kernel, layer)) {
                    Some(group) => group.seconds.push(seconds),
                    None => groups.push(Group { kernel, layer, seconds: vec![seconds] }),
                }
                let sum = sums.entry(family(layer.operation)).or_default();
                sum.macs += layer.macs() as f64;
                sum.seconds += seconds;
            }
            let line = |group: &Group| group.line(model, level, &limits);
            let lines: Vec<Line> = groups.iter().map(line).collect();
            if json {
                lines.iter().try_for_each(print_json)?;
            } else {
                print(&for_people(model, level, &lines))?;
            }
        }
        for (family, sum) in sums.into_iter().filter(|(_, sum)| sum.macs > 0.0) {
            let speed = sum.macs / sum.seconds;
            summary.push([
                level.name().to_owned(),
                family.to_owned(),
                format!("{:.1}", speed / 1e9),
                format!("{:.1} %", 100.0 * speed / limits.macs_per_second),
            ]);
        }
    }
    if json {
        return Ok(());
    }
    print(&table(&[Align::Left, Align::Left, Align::Right, Align::Right], &summary))
}

/// Runs the layers one after the other, again and again.
fn measure(bench: &mut Workbench, layers: usize, time: Duration) -> Result<Vec<Times>, Failure> {
    let mut seconds = vec![Vec::new(); layers];
    let start = Instant::now();
    for pass in 0.. {
        for (layer, seconds) in seconds.iter_mut().enumerate() {
            let before = Instant::now();
            bench.run(layer)?;
            let elapsed = before.elapsed().as_secs_f64();
            if pass > 0 {
                seconds.push(elapsed);
            }
        }
        if pass >= 3 && start.elapsed() >= time {
            break;
        }
    }
    Ok(seconds.into_iter().map(Times::new).collect())
}

fn family(operation: Operation) -> &'static str {
    match operation {
        Operation::Stem => "stem",
        Operation::MaxPool => "max pool",
        Operation::Pointwise | Operation::PointwiseMean => "pointwise and conv5",
        Operation::Depthwise { stride: 1 } => "depthwise, stride 1",
        Operation::Depthwise { .. } => "depthwise, stride 2",
        Operation::FullyConnected => "fully connected",
    }
}

/// Layers of one shape, and the time of each.
struct Group<'a> {
    kernel: &'static Kernel,
    layer: &'a Workload,
    seconds: Vec<f64>,
}

impl Group<'_> {
    fn is_of(&self, kernel: &Kernel, layer: &Workload) -> bool {
        let shape =
            |layer: &Workload| (layer.input.size, layer.input.channels(), layer.output.channels());
        self.kernel.name() == kernel.name() && shape(self.layer) == shape(layer)
    }

    fn line<'m>(&self, model: &'m str, level: Level, limits: &Limits) -> Line<'m> {
        let (layer, layers) = (self.layer, self.seconds.len());
        let seconds = self.seconds.iter().sum::<f64>() / layers as f64;
        let speed = layer.macs() as f64 / seconds;
        Line {
            model,
            level: level.name(),
            kernel: self.kernel.name(),
            operation: layer.operation.to_string(),
            size: layer.size(),
            inputs: layer.input.channels(),
            outputs: layer.output.channels(),
            layers,
            microseconds: 1e6 * seconds,
            macs: layer.macs(),
            gmacs_per_second: speed / 1e9,
            peak_share: speed / limits.macs_per_second,
            roofline_share: limits.seconds(layer) / seconds,
        }
    }
}

fn for_people(model: &str, level: Level, lines: &[Line<'_>]) -> String {
    let head = ["kernel", "pixels", "channels", "layers", "us", "GMAC/s", "peak", "roofline"];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(lines.iter().map(|line| {
        let percent = |share: f64| format!("{:.0} %", 100.0 * share);
        [
            line.kernel.to_owned(),
            format!("{}x{}", line.size[0], line.size[1]),
            format!("{} -> {}", line.inputs, line.outputs),
            line.layers.to_string(),
            format!("{:.1}", line.microseconds),
            format!("{:.1}", line.gmacs_per_second),
            percent(line.peak_share),
            percent(line.roofline_share),
        ]
    }));
    use Align::{Left, Right};
    let align = [Left, Right, Right, Right, Right, Right, Right, Right];
    let total: f64 = lines.iter().map(|line| line.layers as f64 * line.microseconds).sum();
    let title = format!("{model}, {level}: {:.3} ms layer by layer", total / 1e3);
    format!("{}\n{}\n", console::style(title).bold(), table(&align, &rows))
}
