//! Nothing moves: while an image runs, little more is stored than the layers' outputs, and the pixels that
//! are normalised for the first. An emulator counts, with the plugin in `tests/c`, so that copies, scratch
//! and spilled registers all show.
//!
//! ```console
//! $ cargo build --release --target aarch64-unknown-linux-gnu --example image_region
//! $ cargo test --release --target aarch64-unknown-linux-gnu --test library stores -- --nocapture
//! ```
//!
//! with `qemu-aarch64` as the target's runner. Elsewhere it is skipped, unless `SHUFFLENET_TEST_STORES` is set.

use crate::common;
use shufflenet::model::Architecture;
use shufflenet::workload::workloads;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The most bytes stored for a byte that must be.
const LIMIT: f64 = 1.10;

/// The emulator, or why there is nothing to count with.
fn emulator() -> Result<String, &'static str> {
    if cfg!(debug_assertions) {
        return Err("it is about release builds");
    }
    let runner = common::target_variable("RUNNER").unwrap_or_default();
    let emulator = runner.split_whitespace().next().filter(|name| name.ends_with("qemu-aarch64"));
    emulator.map(str::to_owned).ok_or("it runs under qemu-aarch64")
}

/// Compiles the plugin, for the machine that emulates.
fn plugin(folder: &Path) -> PathBuf {
    let plugin = folder.join("count_stores.so");
    let status = Command::new("cc")
        .args(["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"])
        .args([&plugin, Path::new("tests/c/count_stores.c")])
        .status();
    assert!(status.expect("a C compiler").success());
    plugin
}

/// Bytes that each function stores, the most first.
fn stored(mut image: Command, counts: &Path) -> Vec<(u64, String)> {
    let output = image.output().unwrap_or_else(|error| panic!("{image:?}: {error}"));
    assert!(output.status.success(), "{image:?}: {}", String::from_utf8_lossy(&output.stderr));
    let counts = std::fs::read_to_string(counts).unwrap();
    let function = |line: &str| {
        let (bytes, name) = line.split_once(' ').unwrap();
        (bytes.parse().unwrap(), name.to_owned())
    };
    let mut functions: Vec<(u64, String)> = counts.lines().map(function).collect();
    functions.sort_unstable_by(|a, b| b.cmp(a));
    functions
}

#[test]
fn an_image_stores_the_layers_outputs_and_little_else() {
    let emulator = match emulator() {
        Ok(emulator) => emulator,
        Err(reason) => {
            let demanded = std::env::var_os("SHUFFLENET_TEST_STORES").is_some();
            assert!(!demanded, "bytes stored were not counted: {reason}");
            return eprintln!("skipped: bytes stored are not counted: {reason}");
        }
    };
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().and_then(Path::parent).unwrap().join("examples/image_region");
    assert!(program.exists(), "{}: build the example first", program.display());
    let folder = std::env::temp_dir().join(format!("stores.{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (plugin, counts) = (plugin(&folder), folder.join("counts"));
    let size = 224;
    for architecture in
        [Architecture::X0_5, Architecture::X1_0, Architecture::X1_5, Architecture::X2_0]
    {
        let layers = workloads(&architecture, size, size);
        let outputs = layers.iter().map(|w| 4 * w.output.pixels() * w.output.channels());
        let outputs: usize = outputs.sum();
        // Floats are read where they are; 8-bit pixels are normalised to floats once.
        for (input, normalised) in [("nhwc", 0), ("nchw", 0), ("pixels", 4 * 3 * size * size)] {
            let mut image = Command::new(&emulator);
            // A CPU without SVE, whose stores the emulator does not report.
            image.args(["-cpu", "cortex-a76", "-plugin"]);
            image.arg(format!("{},out={}", plugin.display(), counts.display()));
            image.arg(&program).args([architecture.name(), input]);
            let functions = stored(image, &counts);
            let bytes: u64 = functions.iter().map(|(bytes, _)| bytes).sum();
            let ratio = bytes as f64 / (outputs + normalised) as f64;
            let name = architecture.name();
            println!(
                "{name} {input}: {bytes} bytes stored, {outputs} of layers' outputs and {normalised} of \
                 normalised pixels, ratio {ratio:.3}"
            );
            // Less would mean that stores were missed.
            assert!((1.0..=LIMIT).contains(&ratio), "{ratio} above {LIMIT}: {functions:#?}");
        }
    }
    std::fs::remove_dir_all(folder).unwrap();
}
