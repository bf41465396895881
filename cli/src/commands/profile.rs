//! `shufflenet profile`: where an image's time goes.

use super::{print, print_json};
use crate::checkpoints::Checkpoint;
use crate::failure::Failure;
use crate::limits::Limits;
use crate::size::Size;
use crate::subject::{Form, Picture, Selection, Subject};
use crate::text::{Align, grouped, table};
use crate::timing::Times;
use serde::Serialize;
use shufflenet::cpu::Level;
use shufflenet::kernels::Operation;
use shufflenet::workload::{Workload, workloads};
use shufflenet::{Profile, Session, SessionOptions};
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

/// Show where an image's time goes, step by step
#[derive(clap::Args)]
#[command(
    after_help = "Given are medians over many images, and the share of the most multiply-adds that this \
core did in registers, and of what that and its memory allow. Layers of a unit run by turns, band by \
band; a time is the sum over all bands. The groups are those of Figure 1 of the ShuffleNet v2 paper: \
element-wise work is done inside convolutions here, and the shuffle is none."
)]
pub struct Arguments {
    #[command(flatten)]
    models: Selection,
    /// Size of the image, in pixels: N or HEIGHTxWIDTH [default: the model's crop]
    #[arg(long)]
    size: Option<Size>,
    /// In what form the image is passed
    #[arg(long, value_enum, default_value_t = Form::Rgb)]
    input: Form,
    /// How long to measure each model, in milliseconds
    #[arg(long, value_name = "MS", default_value = "1000")]
    time: NonZeroUsize,
    /// Print a line of JSON for each model
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    model: &'a str,
    level: &'static str,
    /// Height and width, in pixels.
    input_size: [usize; 2],
    /// Of a whole image while nothing else is measured.
    milliseconds: f64,
    steps: Vec<Line>,
    groups: Vec<Group>,
}

#[derive(Serialize)]
struct Line {
    step: String,
    operation: String,
    group: &'static str,
    /// Of the output, or of what its mean is taken of, in pixels.
    size: [usize; 2],
    inputs: usize,
    outputs: usize,
    microseconds: f64,
    macs: u64,
    /// Of input, weights and output, each once.
    bytes: u64,
    gmacs_per_second: f64,
    /// Of the most multiply-adds that this core did in registers.
    peak_share: f64,
    /// Of what its multiply-adds and its memory allow.
    roofline_share: Option<f64>,
}

#[derive(Serialize)]
struct Group {
    group: &'static str,
    microseconds: f64,
    /// Of the sum of all steps.
    share: f64,
}

/// The paper's Figure 1.
const GROUPS: [&str; 5] = ["convolution", "data", "element-wise", "shuffle", "other"];

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    for subject in arguments.models.load(&[Checkpoint::X1_0])? {
        let report = measure(&subject, arguments)?;
        if arguments.json { print_json(&report) } else { print(&for_people(&report)) }?;
    }
    Ok(())
}

fn measure<'a>(subject: &'a Subject, arguments: &Arguments) -> Result<Report<'a>, Failure> {
    let Subject { name, network } = subject;
    let time = Duration::from_millis(arguments.time.get() as u64);
    let options =
        SessionOptions { input_size: arguments.size.map(Size::into), ..SessionOptions::default() };
    let mut session = Session::new(network, &options)?;
    let (height, width) = session.input_size();
    let picture = Picture::new(arguments.input, (height, width));
    let whole =
        Times::measure(time, Duration::ZERO, || session.run(&[picture.input()?]).map(drop))?;

    let mut profiles: Vec<Profile> = Vec::new();
    let start = Instant::now();
    while profiles.len() < 3 || start.elapsed() < time {
        profiles.push(session.profile(picture.input()?)?);
    }
    let median = |of: &dyn Fn(&Profile) -> Duration| {
        Times::new(profiles.iter().map(|profile| of(profile).as_secs_f64()).collect()).median()
    };
    let (level, layers) = (network.cpu().level(), workloads(network.architecture(), height, width));
    let limits = (level != Level::Reference).then(|| Limits::measure(level));
    let mut steps = vec![input_line([height, width], arguments.input, median(&|p| p.input))];
    steps.extend(
        layers.iter().enumerate().map(|(i, l)| line(l, median(&|p| p.layers[i]), limits.as_ref())),
    );
    let total: f64 = steps.iter().map(|step| step.microseconds).sum();
    let groups = GROUPS.map(|group| {
        let of_group = steps.iter().filter(|step| step.group == group);
        let microseconds = of_group.fold(0.0, |sum, step| sum + step.microseconds);
        Group { group, microseconds, share: microseconds / total }
    });
    Ok(Report {
        model: name,
        level: level.name(),
        input_size: [height, width],
        milliseconds: 1e3 * whole.median(),
        steps,
        groups: groups.into(),
    })
}

/// The image's rows on their way to the first convolution.
fn input_line(size: [usize; 2], form: Form, seconds: f64) -> Line {
    let values = (3 * size[0] * size[1]) as u64;
    let (operation, bytes) = match form {
        Form::Rgb => ("normalisation", 5 * values),
        Form::Nchw => ("colours side by side", 8 * values),
        Form::Nhwc => ("none", 0),
    };
    Line {
        step: "input".to_owned(),
        operation: operation.to_owned(),
        group: "data",
        size,
        inputs: 3,
        outputs: 3,
        microseconds: 1e6 * seconds,
        macs: 0,
        bytes,
        gmacs_per_second: 0.0,
        peak_share: 0.0,
        roofline_share: None,
    }
}

fn line(layer: &Workload, seconds: f64, limits: Option<&Limits>) -> Line {
    let speed = layer.macs() as f64 / seconds;
    Line {
        step: layer.layer.clone(),
        operation: layer.operation.to_string(),
        group: match layer.operation {
            Operation::MaxPool | Operation::FullyConnected => "other",
            _ => "convolution",
        },
        size: layer.size(),
        inputs: layer.input.channels(),
        outputs: layer.output.channels(),
        microseconds: 1e6 * seconds,
        macs: layer.macs(),
        bytes: layer.bytes(),
        gmacs_per_second: speed / 1e9,
        peak_share: limits.map_or(0.0, |limits| speed / limits.macs_per_second),
        roofline_share: limits.map(|limits| limits.seconds(layer) / seconds),
    }
}

fn for_people(report: &Report<'_>) -> String {
    let total: f64 = report.groups.iter().map(|group| group.microseconds).sum();
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let head =
        ["step", "pixels", "channels", "us", "time", "MACs", "bytes", "GMAC/s", "peak", "roofline"];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(report.steps.iter().map(|step| {
        let multiplies = step.macs > 0;
        let if_any = |text: String| if multiplies { text } else { String::new() };
        [
            step.step.clone(),
            format!("{}x{}", step.size[0], step.size[1]),
            format!("{} -> {}", step.inputs, step.outputs),
            format!("{:.1}", step.microseconds),
            percent(step.microseconds / total),
            grouped(step.macs),
            grouped(step.bytes),
            if_any(format!("{:.1}", step.gmacs_per_second)),
            if_any(format!("{:.0} %", 100.0 * step.peak_share)),
            step.roofline_share.map_or(String::new(), |share| format!("{:.0} %", 100.0 * share)),
        ]
    }));
    let mut groups = vec![["group", "us", "time"].map(str::to_owned)];
    groups.extend(report.groups.iter().map(|group| {
        [group.group.to_owned(), format!("{:.1}", group.microseconds), percent(group.share)]
    }));
    use Align::{Left, Right};
    let mut align = [Right; 10];
    align[0] = Left;
    let title = format!(
        "{}, {}, {}x{} pixels: {:.3} ms",
        report.model, report.level, report.input_size[0], report.input_size[1], report.milliseconds
    );
    format!(
        "{}\n{}\n{}",
        console::style(title).bold(),
        table(&align, &rows),
        table(&[Left, Right, Right], &groups)
    )
}
