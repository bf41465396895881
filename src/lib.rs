//! ShuffleNet v2 on phone and desktop CPUs: SIMD kernels, and the network on top of them.

mod error;
pub mod model;
pub mod weights;

pub use error::Error;
