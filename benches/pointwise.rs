//! Pointwise convolutions, the last one with its mean, and the fully connected layer.
//!
//! `cargo bench -p shufflenet-benches --bench pointwise`; `-- avx2` measures kernels with that in their name.

#![allow(missing_docs)] // of what the macros make

mod common;

use criterion::{Criterion, criterion_group, criterion_main};
use shufflenet::kernels::Operation;

fn pointwise(criterion: &mut Criterion) {
    let operations = [Operation::Pointwise, Operation::PointwiseMean, Operation::FullyConnected];
    common::kernels(criterion, &operations);
}

criterion_group!(benches, pointwise);
criterion_main!(benches);
