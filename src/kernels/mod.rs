//! The arithmetic: every operation of the network, by itself.
//!
//! Activations are row-major matrices: a row per pixel, a column per channel. A kernel reads and writes
//! the columns of a [`View`] and nothing else. Each operation is packed once and then run on any number
//! of views; all arguments are checked.
//!
//! Kernels run in the caller's floating-point environment; a [`Session`](crate::Session) sets the default
//! one. In it, every kernel but the portable ones gives the same bits as the scalar reference: an output
//! is one chain of fused multiply-adds from the bias, in ascending order of its inputs; ReLU is
//! `if x > 0 { x } else { 0 }`; taps outside the image are skipped.

mod args;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod layout;
pub mod limits;
mod matrix_ops;
#[cfg(target_arch = "aarch64")]
mod neon;
mod pixel_rows;
mod portable;
mod reference;
mod registry;
mod vector;
mod view;
mod window_ops;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use args::ColumnRange;
pub(crate) use layout::{AlignedFloats, packing_room};
pub use layout::{Layout, Matrix};
pub use matrix_ops::{FullyConnected, Pointwise, PointwiseMean};
pub(crate) use pixel_rows::{NormalizeFactors, PixelRows, WEIGHT_BITS, YuvRow, YuvToRgb};
pub(crate) use registry::select_known;
pub use registry::{Kernel, Operation, registry, select};
pub use view::{View, ViewMut};
pub use window_ops::{Depthwise3x3, ImageRows, MaxPool3x3, StemConvolution, Taps};
