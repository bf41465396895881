//! `shufflenet bench`: how long whole images take here, or each kernel.

use super::{print, print_json};
use crate::checkpoints::Checkpoint;
use crate::classifier::threads;
use crate::failure::Failure;
use crate::kernel_bench;
use crate::network;
use crate::text::{Align, table};
use crate::timing::Times;
use clap::ValueEnum;
use serde::Serialize;
use shufflenet::model::{Architecture, LayerWeights, Model};
use shufflenet::{Input, Network, Session, SessionOptions};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Barrier;
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
    /// The paper's widths to measure [default: all]
    #[arg(long, value_name = "V", conflicts_with = "weights")]
    variant: Option<Checkpoint>,
    /// Measure this model instead: safetensors, a PyTorch checkpoint, or the name of a downloaded one
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// How many images to run at a time, each on one thread; at most four for each CPU
    #[arg(long, value_name = "N", default_value = "1", conflicts_with = "kernels")]
    threads: NonZeroUsize,
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

/// A model to measure.
struct Subject {
    name: String,
    network: Network,
}

#[derive(Serialize)]
struct Line<'a> {
    model: &'a str,
    level: &'static str,
    /// Height and width, in pixels.
    input_size: [usize; 2],
    threads: usize,
    images: usize,
    min_ms: f64,
    median_ms: f64,
    p90_ms: f64,
    images_per_second: f64,
    gmacs_per_second: f64,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let time = Duration::from_millis(arguments.time.get() as u64);
    let threads = threads(Some(arguments.threads));
    let subjects = subjects(arguments)?;
    if arguments.kernels {
        let networks: Vec<_> = subjects.iter().map(|s| (s.name.as_str(), &s.network)).collect();
        return kernel_bench::run(&networks, time, arguments.json);
    }
    let mut rows = vec![
        ["model", "level", "threads", "min", "median", "p90", "images/s", "GMAC/s"]
            .map(str::to_owned),
    ];
    for subject in &subjects {
        let line = measure(subject, threads, time)?;
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

fn subjects(arguments: &Arguments) -> Result<Vec<Subject>, Failure> {
    if let Some(weights) = &arguments.weights {
        let name = weights.to_string_lossy().into_owned();
        return Ok(vec![Subject { name, network: network::load(Some(weights))? }]);
    }
    let cpu = network::cpu()?;
    let variants = match &arguments.variant {
        Some(variant) => std::slice::from_ref(variant),
        None => Checkpoint::value_variants(),
    };
    let subject = |variant: &Checkpoint| {
        let architecture = variant.architecture();
        let network = Network::for_cpu(meaningless(architecture)?, cpu);
        Ok(Subject { name: architecture.name().to_owned(), network })
    };
    variants.iter().map(subject).collect()
}

/// A model whose activations stay in the range of a trained one's.
fn meaningless(architecture: Architecture) -> Result<Model, Failure> {
    let layers = architecture.layers().into_iter().map(|layer| {
        let shape = layer.weight_shape();
        let bound = (6.0 / shape[1..].iter().product::<usize>() as f32).sqrt();
        let value = |i: usize| (i.wrapping_mul(2_654_435_761) >> 8 & 0xffff) as f32 / 32768.0 - 1.0;
        let weight = (0..shape.iter().product()).map(|i| bound * value(i)).collect();
        LayerWeights { weight, bias: vec![0.0; layer.outputs] }
    });
    let preprocessing = architecture.default_preprocessing();
    Ok(Model::new(architecture, layers.collect(), preprocessing)?)
}

/// Runs images on every thread for so long, after one that does not count.
fn measure(subject: &Subject, threads: usize, time: Duration) -> Result<Line<'_>, Failure> {
    let network = &subject.network;
    let start = Barrier::new(threads);
    let one = || -> Result<(Times, (usize, usize)), shufflenet::Error> {
        let session = Session::new(network, &SessionOptions::default());
        let size = session.as_ref().map_or((1, 1), Session::input_size);
        // Grey, but not everywhere: all values are normal numbers.
        let image: Vec<f32> =
            (0..3 * size.0 * size.1).map(|i| (i % 17) as f32 / 8.0 - 1.0).collect();
        start.wait();
        let mut session = session?;
        let times = Times::measure(time, || session.run(&[Input::Nchw(&image)]).map(drop))?;
        Ok((times, size))
    };
    let results: Vec<_> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        handles.into_iter().map(|handle| handle.join()).collect()
    });
    let (mut times, mut size) = (Times::default(), (0, 0));
    for result in results {
        let (of_thread, input_size) =
            result.map_err(|_| Failure::Error("a thread failed".to_owned()))??;
        times.extend(of_thread);
        size = input_size;
    }
    let seconds = times.median();
    let macs = network.architecture().macs(size.0, size.1) as f64;
    Ok(Line {
        model: &subject.name,
        level: network.cpu().level().name(),
        input_size: [size.0, size.1],
        threads,
        images: times.len(),
        min_ms: 1e3 * times.min(),
        median_ms: 1e3 * seconds,
        p90_ms: 1e3 * times.quantile(0.9),
        images_per_second: threads as f64 / seconds,
        gmacs_per_second: threads as f64 * macs / seconds / 1e9,
    })
}
