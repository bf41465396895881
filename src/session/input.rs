//! One image, in any of the forms that a run takes.

use crate::Error;
use crate::image::Pixels;

/// One image of the session's size.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// 8-bit pixels; normalised with the network's mean and standard deviation.
    Pixels(Pixels<'a>),
    /// Normalised floats, `[height][width][red, green, blue]`.
    Nhwc(&'a [f32]),
    /// Normalised floats, `[red, green, blue][height][width]`.
    Nchw(&'a [f32]),
}

impl Input<'_> {
    pub(super) fn check(&self, [height, width]: [usize; 2]) -> Result<(), Error> {
        match self {
            Input::Pixels(pixels) if [pixels.height(), pixels.width()] != [height, width] => {
                let found = format!("{} x {}", pixels.height(), pixels.width());
                Err(Error::argument("size of the image", found, format!("{height} x {width}")))
            }
            Input::Nhwc(floats) | Input::Nchw(floats) if floats.len() != 3 * height * width => {
                let expected = format!("3 x {height} x {width}");
                Err(Error::argument("number of floats in the image", floats.len(), expected))
            }
            _ => Ok(()),
        }
    }
}
