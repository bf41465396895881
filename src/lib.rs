//! ShuffleNet v2 on phone and desktop CPUs: SIMD kernels, and the network on top of them.
//!
//! Data flows one way: a file becomes a [`model::Model`] ([`weights`]); planned and packed it is a
//! [`Network`], which threads share; bound to an input size it is a [`Session`], which runs [`kernels`].
//!
//! Nothing here panics on any input: what can be wrong is an [`Error`] that says what was expected.

#[cfg(feature = "capi")]
pub mod capi;
pub mod cpu;
mod error;
mod float_env;
pub mod image;
pub mod kernels;
pub mod model;
mod plan;
mod session;
pub mod weights;
pub mod workload;

pub use error::Error;
pub use plan::{BranchPlan, Network, Plan, StagePlan, UnitPlan};
pub use session::{
    Activation, Input, Output, Profile, Session, SessionOptions, Threads, softmax, top_k,
};

/// The README's program is compiled with the documentation's.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
