//! The library's tests. In one binary, for linking takes longer than most of them; those that count for the whole
//! process have binaries of their own beside this folder.

#[path = "../common/mod.rs"]
mod common;
#[cfg(unix)]
#[path = "../common/fork.rs"]
mod fork;
#[path = "../data/weights/support.rs"]
mod support;

mod camera;
mod fast_math;
mod few_channels;
mod golden;
mod image;
mod kernels;
mod latency_worker;
mod metadata;
mod session;
mod stores;
mod threads;
#[cfg(feature = "pth")]
mod weights;
#[cfg(feature = "pth")]
mod weights_choice;
