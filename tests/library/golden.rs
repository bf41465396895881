//! Torchvision's logits and intermediate results, computed in float64 by `golden/make_golden.py`.

use crate::common;
use crate::common::{float64, relative_error};
use shufflenet::cpu::{CoreType, Cpu, Level};
use shufflenet::kernels::registry;
use shufflenet::model::Architecture;
use shufflenet::{Activation, Input, Network, Session, SessionOptions};

/// Part of the largest absolute value.
const TOLERANCE: f64 = 1e-5;

fn stored(file: &str) -> Vec<f64> {
    let path = format!("{}/tests/golden/{file}.f32", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    bytes.as_chunks().0.iter().map(|&b| f64::from(f32::from_le_bytes(b))).collect()
}

fn session(architecture: &Architecture, size: (usize, usize), cpu: Cpu, keep: bool) -> Session {
    let network = Network::new(common::model(architecture)).unwrap();
    let options = SessionOptions {
        input_size: Some(size),
        cpu: Some(cpu),
        keep_activations: keep,
        ..SessionOptions::default()
    };
    Session::new(&network, &options).unwrap()
}

/// FNV-1a of the bits of the logits: the same on every level and machine with fused multiply-add.
const HASHES: [(&str, u64); 8] = [
    ("x0_5 32x32", 0xa768_2387_2acc_45e0),
    ("x0_5 75x53", 0x6d62_24ce_e3c6_1588),
    ("x0_5 224x224", 0xb56a_1c3e_078c_b54f),
    ("x1_0 224x224", 0x153f_9966_ab27_b78f),
    ("x1_0 192x320", 0x2d79_aea8_446e_71bb),
    ("x1_5 224x224", 0x14a0_8861_5343_d228),
    ("x2_0 224x224", 0x4da0_3f66_004f_6567),
    ("x2_0 33x65", 0x91e6_651a_1cc4_e9f9),
];

fn hash(logits: &[f32]) -> u64 {
    let bytes = logits.iter().flat_map(|v| v.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3))
}

fn logits_match(name: &str, architecture: Architecture, height: usize, width: usize) {
    let expected = stored(&format!("{name}_{height}x{width}.logits"));
    let image = common::input(height, width);
    let levels: Vec<Level> = Level::available().collect();
    for level in common::demanded_levels() {
        assert!(levels.contains(&level), "this CPU has no {level}, which was to be tested");
    }
    // A level's kernels for any core, and those for one core type.
    let cpus = levels.into_iter().flat_map(|level| {
        let cpu = Cpu::detect().with_level(level).unwrap();
        let cores = [CoreType::Big, CoreType::A53, CoreType::A55].into_iter();
        let has_own = move |&core: &CoreType| {
            let mut own =
                registry().iter().filter(|k| k.level() == level && k.core() == Some(core));
            core == CoreType::Big || own.next().is_some()
        };
        cores.filter(has_own).map(move |core| (level, cpu.with_core(core)))
    });
    for (level, cpu) in cpus {
        let mut session = session(&architecture, (height, width), cpu, false);
        let output = session.run(&[Input::Nchw(&image)]).unwrap();
        let error = relative_error(output.logits(), &expected);
        println!("{name} {height}x{width} {level} {}: {error:.1e}", cpu.core().name());
        assert!(error <= TOLERANCE, "{name} {height}x{width} {level}: {error:e}");
        if level != Level::Portable {
            let case = format!("{name} {height}x{width}");
            let stored = HASHES.iter().find(|(name, _)| *name == case).unwrap().1;
            let found = hash(output.logits());
            assert_eq!(found, stored, "{case} {level}: {found:#018x}");
        }
    }
}

#[test]
fn x0_5_logits() {
    logits_match("x0_5", Architecture::X0_5, 32, 32);
    logits_match("x0_5", Architecture::X0_5, 75, 53);
    logits_match("x0_5", Architecture::X0_5, 224, 224);
}

#[test]
fn x1_0_logits() {
    logits_match("x1_0", Architecture::X1_0, 224, 224);
    logits_match("x1_0", Architecture::X1_0, 192, 320);
}

#[test]
fn x1_5_logits() {
    logits_match("x1_5", Architecture::X1_5, 224, 224);
}

#[test]
fn x2_0_logits() {
    logits_match("x2_0", Architecture::X2_0, 224, 224);
    logits_match("x2_0", Architecture::X2_0, 33, 65);
}

/// The taps of the smallest case: `(name in the files, what to ask the session for)`.
const TAPS: [(&str, Activation); 6] = [
    ("conv1", Activation::Conv1),
    ("maxpool", Activation::MaxPool),
    ("stage2", Activation::Stage(2)),
    ("stage3", Activation::Stage(3)),
    ("stage4", Activation::Stage(4)),
    ("conv5", Activation::Conv5),
];

#[test]
fn every_tap_of_the_smallest_case() {
    let image = common::input(32, 32);
    for level in Level::available() {
        let mut session =
            session(&Architecture::X0_5, (32, 32), Cpu::detect().with_level(level).unwrap(), true);
        session.run(&[Input::Nchw(&image)]).unwrap();
        for (name, activation) in TAPS {
            let (_, values) = session.activation(activation).unwrap();
            let error = relative_error(&values, &stored(&format!("x0_5_32x32.{name}")));
            assert!(error <= TOLERANCE, "{name} {level}: {error:e}");
        }
    }
}

/// The oracle that other tests use agrees with torchvision too, but for the rounding of folded
/// weights to f32.
#[test]
fn float64_taps_of_the_smallest_case() {
    let outputs = float64::run(&common::model(&Architecture::X0_5), 32, 32, &common::input(32, 32));
    let [stage2, stage3, stage4] = outputs.stages.map(|stage| stage.values);
    let found = [
        outputs.conv1.values,
        outputs.max_pool.values,
        stage2,
        stage3,
        stage4,
        outputs.conv5.values,
        outputs.logits,
    ];
    let names = TAPS.map(|(name, _)| name).into_iter().chain(["logits"]);
    for (name, found) in names.zip(found) {
        let expected = stored(&format!("x0_5_32x32.{name}"));
        let found: Vec<f32> = found.into_iter().map(|v| v as f32).collect();
        let error = relative_error(&found, &expected);
        assert!(error <= 1e-6, "{name}: {error:e}");
    }
}
