//! Depthwise convolutions 3x3 of stride 1 and 2.
//!
//! `cargo bench -p shufflenet-benches --bench depthwise`; `-- avx2` measures kernels with that in their name.

#![allow(missing_docs)] // of what the macros make

mod common;

use criterion::{Criterion, criterion_group, criterion_main};
use shufflenet::kernels::Operation;

fn depthwise(criterion: &mut Criterion) {
    common::kernels(criterion, &[1, 2].map(|stride| Operation::Depthwise { stride }));
}

criterion_group!(benches, depthwise);
criterion_main!(benches);
