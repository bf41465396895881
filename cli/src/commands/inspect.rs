//! `shufflenet inspect`: what a file of weights holds, and how it will run.

use super::{print, print_json};
use crate::failure::Failure;
use crate::network::{self, Settings};
use crate::size::Size;
use crate::text::{Align, grouped, join, printable, sizes, table, wrapped};
use serde::Serialize;
use shufflenet::kernels::ColumnRange;
use shufflenet::model::Preprocessing;
use shufflenet::{Network, Session, SessionOptions};
use std::path::PathBuf;

/// Show a model's layers, sizes and plan
#[derive(clap::Args)]
#[command(
    after_help = "MACs are multiply-adds, without biases and pooling. Outputs are height x width.

A stage's activations are one matrix with a column (a slot) for each channel. The slots that a \
unit reads and writes are given as ranges without their ends: 0..58 are the first 58. Unit 0 \
reads those of the stage before."
)]
pub struct Arguments {
    /// Safetensors, a PyTorch checkpoint, or the name of a downloaded model [default: the embedded one]
    file: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
    /// Size of the images, in pixels: N or HEIGHTxWIDTH [default: the model's crop]
    #[arg(long)]
    size: Option<Size>,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

/// Columns for a text beside its name.
const TEXT_WIDTH: usize = 66;

/// PyTorch's, not worth a line.
const DEFAULT_EPSILON: f64 = 1e-5;

#[derive(Serialize)]
struct Report {
    /// None for the embedded model.
    file: Option<String>,
    /// Where a training checkpoint has the weights.
    checkpoint_key: Option<String>,
    variant: &'static str,
    classes: usize,
    features: usize,
    preprocessing: Transform,
    /// As the file has them; empty if it has none.
    labels: Vec<String>,
    provenance: Option<String>,
    /// What batch norm added to the variance.
    epsilon: f64,
    parameters: u64,
    /// Height and width, in pixels.
    input_size: [usize; 2],
    macs: u64,
    arena_bytes: usize,
    layers: Vec<LayerReport>,
    units: Vec<UnitReport>,
}

#[derive(Serialize)]
struct Transform {
    fit: &'static str,
    resize: usize,
    crop: usize,
    mean: [f32; 3],
    std: [f32; 3],
}

#[derive(Serialize)]
struct LayerReport {
    name: String,
    kind: String,
    weight: Vec<usize>,
    /// Height and width, in pixels.
    output_size: [usize; 2],
    macs: u64,
}

#[derive(Serialize)]
struct UnitReport {
    name: String,
    branches: Vec<BranchReport>,
}

#[derive(Serialize)]
struct BranchReport {
    reads: Vec<Slots>,
    writes: Vec<Slots>,
}

#[derive(Serialize)]
struct Slots {
    start: usize,
    end: usize,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let cpu = network::cpu()?;
    let path = arguments.file.as_deref();
    let (model, checkpoint_key, epsilon) = network::read(path, &arguments.settings, |state| {
        Ok((state.to_model()?, state.checkpoint_key().map(str::to_owned), state.epsilon()?))
    })?;
    let network = Network::for_cpu(model, cpu);
    let input_size = arguments.size.map(Size::into);
    let options = SessionOptions { input_size, ..SessionOptions::default() };
    let session = Session::new(&network, &options)?;
    let file = path.map(|path| path.to_string_lossy().into_owned());
    let report = Report {
        file,
        checkpoint_key,
        epsilon,
        ..report(&network, session.input_size(), session.arena_bytes())
    };
    if arguments.json { print_json(&report) } else { print(&for_people(&report)) }
}

/// All that does not depend on the file.
fn report(network: &Network, (height, width): (usize, usize), arena_bytes: usize) -> Report {
    let architecture = network.architecture();
    let Preprocessing { fit, resize, crop, mean, std } = *network.preprocessing();
    let output_sizes = architecture.output_sizes(height, width);
    let layers = network.layers().iter().zip(output_sizes).map(|(layer, (h, w))| LayerReport {
        name: layer.name.clone(),
        kind: layer.kind.to_string(),
        weight: layer.weight_shape(),
        output_size: [h, w],
        macs: layer.macs(h, w),
    });
    let slots = |ranges: &[ColumnRange]| {
        ranges.iter().map(|range| Slots { start: range.start, end: range.end() }).collect()
    };
    let units = network.plan().stages().iter().zip(2..).flat_map(|(stage, number)| {
        stage.units.iter().enumerate().map(move |(u, unit)| {
            let branches = unit.branches.iter().map(|branch| BranchReport {
                reads: slots(&branch.reads),
                writes: slots(&branch.writes),
            });
            UnitReport { name: format!("stage{number}.{u}"), branches: branches.collect() }
        })
    });
    Report {
        file: None,
        checkpoint_key: None,
        epsilon: DEFAULT_EPSILON,
        variant: architecture.name(),
        classes: architecture.classes,
        features: architecture.feature_channels,
        preprocessing: Transform { fit: fit.name(), resize, crop, mean, std },
        labels: network.labels().iter().map(|name| name.to_string()).collect(),
        provenance: network.provenance().map(str::to_owned),
        parameters: architecture.parameters(),
        input_size: [height, width],
        macs: architecture.macs(height, width),
        arena_bytes,
        layers: layers.collect(),
        units: units.collect(),
    }
}

fn for_people(report: &Report) -> String {
    let Transform { fit, resize, crop, mean, std } = &report.preprocessing;
    let sides = match *fit {
        "stretch" => "both sides",
        "pad" => "longer side",
        _ => "shorter side",
    };
    let border = match *fit {
        "pad" => ", in the mean's colour",
        _ if resize < crop => ", in black",
        _ => "",
    };
    let line = |name: &str, value: String| [name.to_owned(), value];
    let mut summary = vec![
        line("variant", report.variant.to_owned()),
        line("classes", grouped(report.classes)),
        line("features", grouped(report.features)),
        line("parameters", grouped(report.parameters)),
        line("input", format!("{} pixels", sizes(&report.input_size))),
        line("MACs", grouped(report.macs)),
        line("arena", format!("{} bytes", grouped(report.arena_bytes))),
        line("fit", fit.to_string()),
        line("resize", format!("{sides} to {resize}, then the middle {crop}x{crop}{border}")),
        line("mean", join(mean, " ")),
        line("std", join(std, " ")),
    ];
    if let Some(key) = &report.checkpoint_key {
        summary.insert(0, line("weights", format!("those under `{}`", printable(key))));
    }
    if report.epsilon != DEFAULT_EPSILON {
        summary.push(line("epsilon", format!("{:?}", report.epsilon)));
    }
    let paragraph = |name: &str, text: &str| -> Vec<[String; 2]> {
        let name = |i| if i == 0 { name } else { "" };
        let lines = wrapped(&printable(text), TEXT_WIDTH).into_iter().enumerate();
        lines.map(|(i, text)| line(name(i), text)).collect()
    };
    if !report.labels.is_empty() {
        summary.extend(paragraph("labels", &first_few(&report.labels)));
    }
    if let Some(provenance) = &report.provenance {
        summary.extend(paragraph("provenance", provenance));
    }

    let mut layers = vec![["layer", "kind", "weight", "output", "MACs"].map(str::to_owned)];
    layers.extend(report.layers.iter().map(|layer| {
        let (weight, output) = (sizes(&layer.weight), sizes(&layer.output_size));
        [layer.name.clone(), layer.kind.clone(), weight, output, grouped(layer.macs)]
    }));

    let mut units = vec![["unit", "reads", "writes"].map(str::to_owned)];
    for unit in &report.units {
        for (branch, number) in unit.branches.iter().zip(1..) {
            let name = match unit.branches.len() {
                1 => unit.name.clone(),
                _ => format!("{}.branch{number}", unit.name),
            };
            units.extend(slot_rows(&name, &branch.reads, &branch.writes));
        }
    }

    use Align::{Left, Right};
    format!(
        "{}\n\n{}\n{}\n{}",
        console::style(printable(report.file.as_deref().unwrap_or("embedded model"))).bold(),
        table(&[Left; 2], &summary),
        table(&[Left, Left, Right, Right, Right], &layers),
        table(&[Left; 3], &units),
    )
}

/// As many names as a few lines hold, and how many more there are.
fn first_few(labels: &[String]) -> String {
    let mut columns = 0;
    let shown = labels.iter().take_while(|label| {
        columns += console::measure_text_width(label) + 2;
        columns <= 3 * TEXT_WIDTH
    });
    let shown = shown.count().max(1);
    let names = join(&labels[..shown], ", ");
    match labels.len() - shown {
        0 => names,
        more => format!("{names}, and {} more", grouped(more)),
    }
}

/// A few ranges in a line, so that many do not make the table wide.
fn slot_rows(name: &str, reads: &[Slots], writes: &[Slots]) -> Vec<[String; 3]> {
    let range = |slots: &Slots| format!("{}..{}", slots.start, slots.end);
    let lines = |slots: &[Slots]| -> Vec<String> {
        slots.chunks(3).map(|slots| join(slots.iter().map(range), " ")).collect()
    };
    let (reads, writes) = (lines(reads), lines(writes));
    let rows = (0..reads.len().max(writes.len())).map(|i| {
        let cell = |lines: &[String]| lines.get(i).cloned().unwrap_or_default();
        let name = if i == 0 { name } else { "" };
        [name.to_owned(), cell(&reads), cell(&writes)]
    });
    rows.collect()
}
