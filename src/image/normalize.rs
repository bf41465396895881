//! 8-bit values to the floats that a network reads.

use super::{PixelFormat, Pixels};
use crate::Error;
use crate::cpu::{Cpu, Level};
use crate::float_env::DefaultFloatEnv;
use crate::kernels::{NormalizeFactors, PixelRows};

/// `(value / 255 - mean) / std` for every channel and value, each step rounded to f32: the bits of
/// torchvision's `ToTensor` and `Normalize`.
#[derive(Clone, Debug)]
pub struct Normalization {
    table: [[f32; 256]; 3],
    /// What computes the table's bits, where that is faster.
    computed: Option<(PixelRows, NormalizeFactors)>,
}

impl Normalization {
    /// A table from the mean and standard deviation of red, green and blue, in 0 to 1.
    ///
    /// # Errors
    /// [`Error::Argument`] for a mean that is not finite, a standard deviation that is not finite or
    /// is 0, or a pair that makes an infinity of some value.
    pub fn new(mean: [f32; 3], std: [f32; 3]) -> Result<Normalization, Error> {
        Normalization::with_level(Cpu::detect().level(), mean, std)
    }

    fn with_level(level: Level, mean: [f32; 3], std: [f32; 3]) -> Result<Normalization, Error> {
        let _environment = DefaultFloatEnv::enter();
        let mut table = [[0.0_f32; 256]; 3];
        for ((channel, mean), std) in table.iter_mut().zip(mean).zip(std) {
            if !mean.is_finite() {
                return Err(Error::argument("mean", name_of(mean), "a finite number"));
            }
            if !std.is_finite() || std == 0.0 {
                return Err(Error::argument("std", name_of(std), "a finite number other than 0"));
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
        // All 256 values of each colour are tried, so that there is no doubt about any.
        let (rows, factors) = (PixelRows::for_level(level), NormalizeFactors::new(mean, std));
        let source: [u8; 3 * 256] = std::array::from_fn(|i| (i / 3) as u8);
        let mut found = [0.0; 3 * 256];
        let same = |(i, found): (usize, &f32)| found.to_bits() == table[i % 3][i / 3].to_bits();
        let computes = rows.normalize(&source, &factors, &mut found) == source.len()
            && found.iter().enumerate().all(same);
        Ok(Normalization { table, computed: computes.then_some((rows, factors)) })
    }

    /// Writes row `y` as floats: red, green and blue of the first pixel, then of the next, whatever
    /// the picture's own order.
    ///
    /// # Errors
    /// [`Error::Argument`] if `y` is not below the height, or `out` is not `3 * width` long.
    pub fn row(&self, pixels: &Pixels<'_>, y: usize, out: &mut [f32]) -> Result<(), Error> {
        let _environment = DefaultFloatEnv::enter();
        self.row_of_run(pixels, y, out)
    }

    /// The same inside a run, whose floating-point environment is the default.
    pub(crate) fn row_of_run(
        &self,
        pixels: &Pixels<'_>,
        y: usize,
        out: &mut [f32],
    ) -> Result<(), Error> {
        if y >= pixels.height() {
            return Err(Error::argument("row", y, format!("below the height {}", pixels.height())));
        }
        if out.len() != 3 * pixels.width() {
            let expected = format!("3 x {}", pixels.width());
            return Err(Error::argument("length of the normalised row", out.len(), expected));
        }
        let (format, mut row, mut out) = (pixels.format(), pixels.row(y), out);
        if let (Some((rows, factors)), PixelFormat::Rgb) = (&self.computed, format) {
            let done = rows.normalize(row, factors, out);
            (row, out) = (&row[done..], &mut out[done..]);
        }
        let [red, green, blue] = &self.table;
        let [r, g, b] = format.rgb_offsets();
        let pixels = row.chunks_exact(format.bytes_per_pixel());
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

/// What a number is that is not finite, or 0. The library formats no float: that would add 20 kB to it.
pub(crate) fn name_of(number: f32) -> &'static str {
    match number {
        f32::INFINITY => "inf",
        f32::NEG_INFINITY => "-inf",
        0.0 => "0",
        _ => "NaN",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const IMAGENET: [[f32; 3]; 2] = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]];

    #[test]
    fn imagenets_values_are_computed_where_that_is_faster() {
        let [mean, std] = IMAGENET;
        for level in Level::available() {
            let normalization = Normalization::with_level(level, mean, std).unwrap();
            let fast = matches!(level, Level::Avx2 | Level::Avx512);
            assert_eq!(normalization.computed.is_some(), fast, "{level}");
        }
    }

    proptest! {
        #[test]
        fn every_level_gives_the_formulas_bits(
            bytes in prop::collection::vec(any::<u8>(), 4 * 60),
            width in 1..60usize,
            mean: [i8; 3],
            std: [i8; 3],
            imagenet: bool,
        ) {
            let number = |value: i8| f32::from(value) / 128.0;
            let mut factors = [mean.map(number), std.map(|std| number(std) + 1.1)];
            if imagenet {
                factors = IMAGENET;
            }
            let [mean, std] = factors;
            for level in Level::available() {
                let normalization = Normalization::with_level(level, mean, std).unwrap();
                for format in PixelFormat::ALL {
                    let size = format.bytes_per_pixel();
                    let row = &bytes[..width * size];
                    let pixels = Pixels::new(row, width, 1, width * size, format).unwrap();
                    let mut found = vec![0.0; 3 * width];
                    normalization.row(&pixels, 0, &mut found).unwrap();
                    for (i, found) in found.iter().enumerate() {
                        let colour = i % 3;
                        let value = row[i / 3 * size + format.rgb_offsets()[colour]];
                        let expected = (f32::from(value) / 255.0 - mean[colour]) / std[colour];
                        prop_assert_eq!(found.to_bits(), expected.to_bits(), "{} {}", level, i);
                    }
                }
            }
        }
    }
}
