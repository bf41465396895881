//! `shufflenet bench`: how long whole images take here, or each kernel.

use super::{print, print_json};
use crate::checkpoints::Checkpoint;
use crate::failure::Failure;
use crate::kernel_bench;
use crate::size::Size;
use crate::subject::{Form, Picture, Selection, Subject};
use crate::text::{Align, table};
use crate::timing::Times;
use clap::ValueEnum;
use serde::Serialize;
use shufflenet::{Session, SessionOptions, Threads};
use std::num::NonZeroUsize;
use std::time::Duration;

/// Measure whole images, or every kernel on every layer
#[derive(clap::Args)]
#[command(
    after_help = "Without --weights the model has weights that mean nothing, which makes no difference \
to its speed. With --kernels the layers run in a network's order, one after the other, so that each \
finds the caches as it would there; given are the share of the most multiply-adds that this core \
did in registers, and of what that and its memory allow. The environment variable SHUFFLENET_CPU \
sets the highest level."
)]
pub struct Arguments {
    #[command(flatten)]
    models: Selection,
    /// How many threads to use, at most as many as there are CPUs
    #[arg(long, value_name = "N", default_value = "1", conflicts_with = "kernels")]
    threads: NonZeroUsize,
    /// Size of the images, in pixels: N or HEIGHTxWIDTH [default: the model's crop]
    #[arg(long, conflicts_with = "kernels")]
    size: Option<Size>,
    /// In what form images are passed
    #[arg(long, value_enum, default_value_t = Form::Nchw, conflicts_with = "kernels")]
    input: Form,
    /// How many images to pass at once; times are of one
    #[arg(long, value_name = "N", default_value = "1", conflicts_with = "kernels")]
    batch: NonZeroUsize,
    /// How long to rest before each image, in milliseconds
    #[arg(long, value_name = "MS", default_value = "0", conflicts_with = "kernels")]
    rest: u64,
    /// Measure each kernel by itself, at every level of instructions
    #[arg(long)]
    kernels: bool,
    /// How long to measure each model, in milliseconds
    #[arg(long, value_name = "MS", default_value = "1000")]
    time: NonZeroUsize,
    /// Print lines of JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    model: &'a str,
    level: &'static str,
    /// Height and width, in pixels.
    input_size: [usize; 2],
    threads: usize,
    /// Passed at once.
    batch: usize,
    images: usize,
    min_ms: f64,
    median_ms: f64,
    p90_ms: f64,
    images_per_second: f64,
    gmacs_per_second: f64,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let time = Duration::from_millis(arguments.time.get() as u64);
    let subjects = arguments.models.load(Checkpoint::value_variants())?;
    if arguments.kernels {
        let networks: Vec<_> = subjects.iter().map(|s| (s.name.as_str(), &s.network)).collect();
        return kernel_bench::run(&networks, time, arguments.json);
    }
    let mut rows = vec![
        ["model", "level", "threads", "min", "median", "p90", "images/s", "GMAC/s"]
            .map(str::to_owned),
    ];
    for subject in &subjects {
        let line = measure(subject, time, arguments)?;
        if arguments.json {
            print_json(&line)?;
        }
        let ms = |ms: f64| format!("{ms:.3} ms");
        rows.push([
            line.model.to_owned(),
            line.level.to_owned(),
            line.threads.to_string(),
            ms(line.min_ms),
            ms(line.median_ms),
            ms(line.p90_ms),
            format!("{:.1}", line.images_per_second),
            format!("{:.1}", line.gmacs_per_second),
        ]);
    }
    if arguments.json {
        return Ok(());
    }
    use Align::{Left, Right};
    print(&table(&[Left, Left, Right, Right, Right, Right, Right, Right], &rows))
}

/// Runs images for so long, after one that does not count.
fn measure<'a>(
    subject: &'a Subject,
    time: Duration,
    arguments: &Arguments,
) -> Result<Line<'a>, Failure> {
    let network = &subject.network;
    let batch = arguments.batch.get();
    let options = SessionOptions {
        input_size: arguments.size.map(Size::into),
        batch: Some(batch),
        threads: Threads::AtMost(arguments.threads.get()),
        ..SessionOptions::default()
    };
    let mut session = Session::new(network, &options)?;
    let size = session.input_size();
    let picture = Picture::new(arguments.input, size);
    let images = vec![picture.input()?; batch];
    let rest = Duration::from_millis(arguments.rest);
    let times = Times::measure(time, rest, || session.run(&images).map(drop))?;
    let scale = 1e3 / batch as f64;
    let seconds = times.median() / batch as f64;
    let macs = network.architecture().macs(size.0, size.1) as f64;
    Ok(Line {
        model: &subject.name,
        level: network.cpu().level().name(),
        input_size: [size.0, size.1],
        threads: session.threads(),
        batch,
        images: times.len() * batch,
        min_ms: scale * times.min(),
        median_ms: scale * times.median(),
        p90_ms: scale * times.quantile(0.9),
        images_per_second: seconds.recip(),
        gmacs_per_second: macs / seconds / 1e9,
    })
}
