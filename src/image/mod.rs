//! Pixels in: formats, resize, normalisation.
//!
//! [`Pixels`] is a checked view of 8-bit pixels as a camera or a decoder gives them. [`Preprocessor`]
//! turns it into the square that a network looks at, as torchvision's evaluation transform does to a
//! Pillow image, to the bit. [`Normalization`] turns 8-bit values into the floats that the first
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

mod frame;
mod normalize;
mod pixels;
mod preprocess;
mod resize;
mod yuv;

pub use frame::Rotation;
pub use normalize::Normalization;
pub use pixels::{PixelFormat, Pixels};
pub use preprocess::Preprocessor;
pub use resize::Resizer;
pub use yuv::{Plane, Yuv420, YuvMatrix, YuvRange};
