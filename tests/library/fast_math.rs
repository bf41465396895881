//! A C program that flushes subnormal numbers to zero gets the same bits as anyone, and keeps its setting.
//! `cargo test` builds the library that it is linked with.

#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

use crate::common;
use shufflenet::{Input, Network, Session, SessionOptions};
use std::path::Path;
use std::process::Command;

#[test]
fn a_program_in_fast_math_mode() {
    let image: Vec<f32> = (0..3 * 32 * 32).map(|i| f32::from_bits(i * 2731 % 0x7f_ffff)).collect();
    let network = Network::new(common::without_bias()).unwrap();
    let options = SessionOptions { input_size: Some((32, 32)), ..SessionOptions::default() };
    let mut session = Session::new(&network, &options).unwrap();
    let expected = session.run(&[Input::Nchw(&image)]).unwrap().logits().to_vec();
    assert!(expected.iter().any(|v| v.is_subnormal()), "nothing would be flushed");

    let tests = std::env::current_exe().unwrap();
    let built = tests.parent().and_then(Path::parent).unwrap().join("examples");
    let library = built.join("libfast_math.a");
    assert!(library.exists(), "{}: `cargo test` builds it", library.display());
    let program = built.join(format!("fast_math.{}", std::process::id()));
    let linker = common::target_variable("LINKER").unwrap_or_else(|| "cc".to_owned());
    let status = Command::new(linker)
        .args(["-O2", "-Wall", "-Wextra", "-Werror", "-ffast-math", "-o"])
        .args([&program, Path::new("tests/c/fast_math.c"), &library])
        .args(["-lpthread", "-ldl", "-lm"])
        .status();
    assert!(status.expect("a C compiler").success());
    let output = common::command(&program).output().unwrap();
    std::fs::remove_file(&program).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found = String::from_utf8(output.stdout).unwrap();
    assert_eq!(found.lines().count(), expected.len());
    for (class, (found, expected)) in found.lines().zip(expected).enumerate() {
        assert_eq!(found, format!("{:08x}", expected.to_bits()), "logit {class}");
    }
}
