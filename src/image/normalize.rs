//! 8-bit values to the floats that a network reads.

use super::Pixels;
use crate::Error;
use crate::float_env::DefaultFloatEnv;

/// `(value / 255 - mean) / std` for every channel and value, each step rounded to f32: the bits of
/// torchvision's `ToTensor` and `Normalize`.
#[derive(Clone, Debug)]
pub struct Normalization {
    table: [[f32; 256]; 3],
}

impl Normalization {
    /// A table from the mean and standard deviation of red, green and blue, in 0 to 1.
    ///
    /// # Errors
    /// [`Error::Argument`] for a mean that is not finite, a standard deviation that is not finite or
    /// is 0, or a pair that makes an infinity of some value.
    pub fn new(mean: [f32; 3], std: [f32; 3]) -> Result<Normalization, Error> {
        let _environment = DefaultFloatEnv::enter();
        let mut table = [[0.0; 256]; 3];
        for ((channel, mean), std) in table.iter_mut().zip(mean).zip(std) {
            if !mean.is_finite() {
                return Err(Error::argument("mean", name(mean), "a finite number"));
            }
            if !std.is_finite() || std == 0.0 {
                return Err(Error::argument("std", name(std), "a finite number other than 0"));
            }
            for (value, normalized) in channel.iter_mut().enumerate() {
                *normalized = (value as f32 / 255.0 - mean) / std;
            }
            // Monotonic in between, so the ends speak for all.
            if !channel[0].is_finite() || !channel[255].is_finite() {
                let found = "too large for its std";
                return Err(Error::argument("mean", found, "a pair that keeps values finite"));
            }
        }
        Ok(Normalization { table })
    }

    /// Writes row `y` as floats: red, green and blue of the first pixel, then of the next, whatever
    /// the picture's own order.
    ///
    /// # Errors
    /// [`Error::Argument`] if `y` is not below the height, or `out` is not `3 * width` long.
    pub fn row(&self, pixels: &Pixels<'_>, y: usize, out: &mut [f32]) -> Result<(), Error> {
        if y >= pixels.height() {
            return Err(Error::argument("row", y, format!("below the height {}", pixels.height())));
        }
        if out.len() != 3 * pixels.width() {
            let expected = format!("3 x {}", pixels.width());
            return Err(Error::argument("length of the normalised row", out.len(), expected));
        }
        let [red, green, blue] = &self.table;
        let [r, g, b] = pixels.format().rgb_offsets();
        let pixels = pixels.row(y).chunks_exact(pixels.format().bytes_per_pixel());
        for (out, pixel) in out.as_chunks_mut::<3>().0.iter_mut().zip(pixels) {
            *out = [
                red[usize::from(pixel[r])],
                green[usize::from(pixel[g])],
                blue[usize::from(pixel[b])],
            ];
        }
        Ok(())
    }
}

/// What a number is that is no mean or std. The library formats no float: that would add 20 kB to it.
fn name(number: f32) -> &'static str {
    match number {
        f32::INFINITY => "inf",
        f32::NEG_INFINITY => "-inf",
        0.0 => "0",
        _ => "NaN",
    }
}
