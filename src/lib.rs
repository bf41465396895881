//! ShuffleNet v2 on phone and desktop CPUs: SIMD kernels, and the network on top of them.

pub mod cpu;
mod error;
pub mod image;
pub mod kernels;
pub mod model;
mod plan;
mod session;
pub mod weights;

pub use error::Error;
pub use plan::{Network, Plan, StagePlan, UnitPlan};
pub use session::{Activation, Input, Output, Session, SessionOptions, softmax, top_k};
