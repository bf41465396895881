//! The example `latency_worker` answers as its line protocol says. `cargo test` builds the example.

use crate::common;
use shufflenet::model::Architecture;
use shufflenet::{Input, Network, Session, SessionOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// The program beside the tests, under the same emulator.
fn worker() -> Command {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().and_then(Path::parent).unwrap().join("examples/latency_worker");
    common::command(&program)
}

#[test]
fn requests_are_answered_and_logits_are_the_images() {
    let folder = std::env::temp_dir().join(format!("latency_worker.{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = |name: &str| folder.join(name);
    let (side, image) = (40, common::input(40, 40));
    std::fs::write(path("model"), common::safetensors(&Architecture::X0_5)).unwrap();
    let bytes = |floats: &[f32]| floats.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    std::fs::write(path("input"), bytes(&image)).unwrap();

    let mut command = worker();
    command.args([path("model"), path("input")]).arg("1");
    let mut process =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap_or_else(|error| {
            panic!("{command:?}: {error}; `cargo test` builds the example")
        });
    let mut requests = process.stdin.take().unwrap();
    let mut answers = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut answer = || answers.next().expect("an answer").unwrap();
    assert!(answer().starts_with("{\"load_ms\":"));
    let mut ask = |request: &str| {
        writeln!(requests, "{request}").unwrap();
        answer()
    };

    let times = ask("run 3");
    let list = |key: &str| {
        let (_, rest) = times.split_once(&format!("\"{key}\":[")).unwrap();
        let numbers = rest.split(']').next().unwrap().split(',');
        numbers.map(|n| n.parse::<u64>().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!((list("t").len(), list("c").len()), (3, 3), "{times}");
    assert!(list("t").iter().all(|&t| t > 0), "{times}");
    assert_eq!(ask(&format!("out {}", path("logits").display())), "{\"ok\":1}");
    let rss = ask("rss");
    assert!(rss.starts_with("{\"maxrss_kb\":") && rss != "{\"maxrss_kb\":0}", "{rss}");
    assert!(ask("dance").contains("unknown request"));
    writeln!(requests, "quit").unwrap();
    assert!(process.wait().unwrap().success());

    // Not the mirror image's, which took turns while timing.
    let network = Network::new(common::model(&Architecture::X0_5)).unwrap();
    let size = Some((side, side));
    let options = SessionOptions { input_size: size, ..SessionOptions::default() };
    let mut session = Session::new(&network, &options).unwrap();
    let expected = bytes(session.run(&[Input::Nchw(&image)]).unwrap().logits());
    assert_eq!(std::fs::read(path("logits")).unwrap(), expected);
    std::fs::remove_dir_all(folder).unwrap();
}
