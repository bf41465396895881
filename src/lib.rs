//! ShuffleNet v2 on phone and desktop CPUs: SIMD kernels, and the network on top of them.

mod error;
pub mod image;
pub mod model;

pub use error::Error;
