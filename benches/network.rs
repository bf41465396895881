//! Whole images at the paper's widths, at every level that this CPU has.
//!
//! `cargo bench -p shufflenet-benches --bench network`

#![allow(missing_docs)] // of what the macros make

#[path = "../tests/common/mod.rs"]
mod common;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use shufflenet::cpu::{Cpu, Level};
use shufflenet::model::Architecture;
use shufflenet::{Input, Network, Session, SessionOptions};

fn network(criterion: &mut Criterion) {
    let image = common::input(224, 224);
    let widths = [Architecture::X0_5, Architecture::X1_0, Architecture::X1_5, Architecture::X2_0];
    for architecture in widths {
        let model = common::model(&architecture);
        let mut group = criterion.benchmark_group(architecture.name());
        group.throughput(Throughput::Elements(architecture.macs(224, 224)));
        group.sample_size(10);
        for level in Level::available() {
            let cpu = Cpu::detect().with_level(level).unwrap();
            let network = Network::for_cpu(model.clone(), cpu);
            let mut session = Session::new(&network, &SessionOptions::default()).unwrap();
            group.bench_function(level.name(), |bencher| {
                bencher.iter(|| session.run(&[Input::Nchw(&image)]).map(|_| ()).unwrap());
            });
        }
    }
}

criterion_group!(benches, network);
criterion_main!(benches);
