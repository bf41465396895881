//! `shufflenet info`: this machine, and what runs on it.

use super::{print, print_json};
use crate::failure::Failure;
use crate::network;
use crate::text::{Align, join, printable, table};
use serde::Serialize;
use shufflenet::cpu::{Cpu, MASK_VARIABLE};
use shufflenet::kernels::{Operation, select};
use std::fs;

/// Show this CPU and the kernels chosen for it
#[derive(clap::Args)]
#[command(
    after_help = "The environment variable SHUFFLENET_CPU sets the level and, after a comma, \
the core type, as in `reference` or `portable,a55`."
)]
pub struct Arguments {
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Info {
    version: &'static str,
    target: String,
    /// Where the operating system tells.
    cpu: Option<String>,
    threads: usize,
    features: Vec<&'static str>,
    level: &'static str,
    core_type: &'static str,
    /// What `SHUFFLENET_CPU` says.
    mask: Option<String>,
    kernels: Vec<Chosen>,
}

#[derive(Serialize)]
struct Chosen {
    operation: String,
    kernel: &'static str,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let cpu = network::cpu()?;
    let info = Info {
        version: env!("CARGO_PKG_VERSION"),
        target: format!("{} {}", std::env::consts::ARCH, std::env::consts::OS),
        cpu: model_name(),
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        features: Cpu::features(),
        level: cpu.level().name(),
        core_type: cpu.core().name(),
        mask: std::env::var(MASK_VARIABLE).ok().filter(|mask| !mask.is_empty()),
        kernels: Operation::ALL
            .into_iter()
            .filter_map(|operation| select(cpu, operation))
            .map(|kernel| Chosen {
                operation: kernel.operation().to_string(),
                kernel: kernel.name(),
            })
            .collect(),
    };
    if arguments.json { print_json(&info) } else { print(&for_people(&info)) }
}

fn for_people(info: &Info) -> String {
    let masked = info.mask.as_ref().map(|mask| format!(" ({MASK_VARIABLE}={mask})"));
    let level = info.level.to_owned() + &masked.unwrap_or_default();
    let line = |name: &str, value: &str| [name.to_owned(), printable(value)];
    let mut rows = vec![
        line("shufflenet", info.version),
        line("target", &info.target),
        line("CPU", info.cpu.as_deref().unwrap_or("unknown")),
        line("threads", &info.threads.to_string()),
        line("features", &join(&info.features, " ")),
        line("level", &level),
        line("core type", info.core_type),
        line("", ""),
        line("operation", "kernel"),
    ];
    rows.extend(info.kernels.iter().map(|chosen| line(&chosen.operation, chosen.kernel)));
    table(&[Align::Left; 2], &rows)
}

/// The CPU's or, where that has no name, the machine's.
fn model_name() -> Option<String> {
    let name = if cfg!(target_os = "macos") {
        let brand = ["-n", "machdep.cpu.brand_string"];
        let output = std::process::Command::new("/usr/sbin/sysctl").args(brand).output().ok()?;
        String::from_utf8(output.stdout).ok()?
    } else if cfg!(windows) {
        std::env::var("PROCESSOR_IDENTIFIER").ok()?
    } else {
        let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| {
            let mut lines = cpus.lines().filter_map(|line| line.split_once(':'));
            lines.find(|(key, _)| key.trim() == name).map(|(_, value)| value.to_owned())
        };
        field("model name")
            .or_else(|| field("Hardware"))
            .or_else(|| fs::read_to_string("/proc/device-tree/model").ok())?
    };
    let name = name.trim_matches(|c: char| c.is_whitespace() || c == '\0').to_owned();
    (!name.is_empty()).then_some(name)
}
