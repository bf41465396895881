//! Pixels in: formats, resize, normalisation.
//!
//! [`Pixels`] is a checked view of 8-bit pixels as a decoder gives them, [`Yuv420`] of a camera's frame.
//! [`Preprocessor`] turns either into the square that a network looks at, as torchvision's evaluation
//! transform does to a Pillow image, to the bit. [`Normalization`] turns 8-bit values into the floats that the first
//! convolution reads.
//!
//! ```
//! use shufflenet::image::{Normalization, PixelFormat, Pixels, Preprocessor};
//! use shufflenet::model::Preprocessing;
//!
//! let frame = vec![128; 640 * 480 * 4];
//! let pixels = Pixels::new(&frame, 640, 480, 640 * 4, PixelFormat::Bgra)?;
//!
//! let preprocessing = Preprocessing::imagenet(256);
//! let mut preprocessor = Preprocessor::new(&preprocessing, 640, 480)?; // once per camera
//! let mut square = vec![0; 224 * 224 * 3];
//! preprocessor.run(&pixels, &mut square)?; // per frame; allocates nothing
//!
//! let square = Pixels::new(&square, 224, 224, 224 * 3, PixelFormat::Rgb)?;
//! let normalization = Normalization::new(preprocessing.mean, preprocessing.std)?;
//! let mut row = vec![0.0; 224 * 3];
//! normalization.row(&square, 0, &mut row)?;
//! assert_eq!(row[0], (128.0 / 255.0 - 0.485) / 0.229);
//! # Ok::<(), shufflenet::Error>(())
//! ```
//!
//! A phone's camera, whose frames come as YUV and lie on their side:
//!
//! ```
//! use shufflenet::image::{Plane, Preprocessor, Rotation, Yuv420, YuvMatrix, YuvRange};
//! use shufflenet::model::Preprocessing;
//!
//! // NV21: luma, then V and U in turn. Android's `Image.Plane`s have these strides and buffers.
//! let (width, height) = (1280, 720);
//! let frame = vec![128; width * height * 3 / 2];
//! let (y, vu) = frame.split_at(width * height);
//! let planes = [
//!     Plane { data: y, row_stride: width, pixel_stride: 1 },
//!     Plane { data: &vu[1..], row_stride: width, pixel_stride: 2 },
//!     Plane { data: vu, row_stride: width, pixel_stride: 2 },
//! ];
//! let frame = Yuv420::new(planes, width, height, YuvMatrix::Bt601, YuvRange::Full)?;
//!
//! // Made once for a camera and the way the phone is held; `rotationDegrees` in CameraX.
//! let rotation = Rotation::from_degrees(90)?;
//! let preprocessing = Preprocessing::imagenet(256);
//! let mut preprocessor = Preprocessor::rotated(&preprocessing, width, height, rotation)?;
//! let mut square = vec![0; 224 * 224 * 3];
//! preprocessor.run_yuv420(&frame, &mut square)?; // per frame; allocates nothing
//! assert!(square.iter().all(|&value| value == 128));
//! # Ok::<(), shufflenet::Error>(())
//! ```

mod frame;
mod normalize;
mod pixels;
mod preprocess;
mod resize;
mod yuv;

pub use frame::Rotation;
pub use normalize::Normalization;
pub(crate) use normalize::name_of;
pub use pixels::{PixelFormat, Pixels};
pub use preprocess::Preprocessor;
pub use resize::Resizer;
pub use yuv::{Plane, Yuv420, YuvMatrix, YuvRange};
