//! The first convolution, and the max pool after it.
//!
//! `cargo bench -p shufflenet-benches --bench stem`; `-- avx2` measures kernels with that in their name.

#![allow(missing_docs)] // of what the macros make

mod common;

use criterion::{Criterion, criterion_group, criterion_main};
use shufflenet::kernels::Operation;

fn stem(criterion: &mut Criterion) {
    common::kernels(criterion, &[Operation::Stem, Operation::MaxPool]);
}

criterion_group!(benches, stem);
criterion_main!(benches);
