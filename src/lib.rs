//! ShuffleNet v2 on phone and desktop CPUs: SIMD kernels, and the network on top of them.

pub mod cpu;
mod error;
pub mod kernels;
pub mod model;
mod plan;

pub use error::Error;
