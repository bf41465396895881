//! One image, in any of the forms that a run takes.

use crate::Error;
use crate::image::{Pixels, name_of};
use std::ops::Range;
use wide::f32x8;

/// One image of the session's size. All floats are finite: a run with NaN or an infinity among them is an
/// error.
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

    /// Whether some rows of an image of that size have finite values only.
    pub(super) fn is_finite(&self, rows: Range<usize>, [height, width]: [usize; 2]) -> bool {
        match self {
            Input::Pixels(_) => true,
            Input::Nhwc(floats) => {
                are_finite(&floats[3 * width * rows.start..3 * width * rows.end])
            }
            Input::Nchw(floats) => floats
                .chunks_exact(height * width)
                .all(|plane| are_finite(&plane[width * rows.start..width * rows.end])),
        }
    }

    /// The first value in memory that is not finite: its colour, row and column, and the value.
    fn first_not_finite(&self, [height, width]: [usize; 2]) -> Option<([usize; 3], f32)> {
        let place = |i: usize| match self {
            Input::Nchw(_) => [i / (height * width), i / width % height, i % width],
            _ => [i % 3, i / 3 / width, i / 3 % width],
        };
        let (Input::Nhwc(floats) | Input::Nchw(floats)) = self else { return None };
        let found = floats.iter().position(|x| !x.is_finite());
        found.map(|i| (place(i), floats[i]))
    }
}

/// Names the first value of some images that is not finite.
pub(super) fn not_finite(images: &[Input<'_>], size: [usize; 2]) -> Option<Error> {
    let of = |(image, input): (usize, &Input<'_>)| {
        let ([colour, row, column], value) = input.first_not_finite(size)?;
        let colour = ["red", "green", "blue"][colour];
        Some(Error::ImageNotFinite { image, colour, row, column, found: name_of(value) })
    };
    images.iter().enumerate().find_map(of)
}

/// Sums of finite numbers are finite, unless the numbers are huge; only then does it look at each.
#[inline(never)] // once, not for each form
fn are_finite(floats: &[f32]) -> bool {
    // As many as keep two adders busy, and each by name: an array would lie in memory.
    let [mut a, mut b, mut c, mut d] = [f32x8::ZERO; 4];
    let (vectors, rest) = floats.as_chunks::<8>();
    let (blocks, others) = vectors.as_chunks::<4>();
    for &[p, q, r, s] in blocks {
        a += f32x8::new(p);
        b += f32x8::new(q);
        c += f32x8::new(r);
        d += f32x8::new(s);
    }
    for &vector in others {
        a += f32x8::new(vector);
    }
    let sum = ((a + b) + (c + d)).reduce_add() + rest.iter().sum::<f32>();
    sum.is_finite() || floats.iter().fold(true, |all, x| all & x.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_hides_in_any_length() {
        for len in 0..150 {
            for (value, finite) in [
                (f32::MAX, true),
                (f32::MIN, true),
                (f32::MIN_POSITIVE / 2.0, true),
                (f32::INFINITY, false),
                (f32::NEG_INFINITY, false),
                (f32::NAN, false),
                (f32::from_bits(0xff80_0001), false), // the first negative signalling NaN
            ] {
                for others in [-1.0, f32::MAX, f32::MIN] {
                    let mut floats = vec![others; len];
                    assert!(are_finite(&floats));
                    for i in 0..len {
                        floats[i] = value;
                        assert_eq!(are_finite(&floats), finite, "{value} at {i} of {len}");
                        floats[i] = others;
                    }
                }
            }
        }
        assert!(!are_finite(&[f32::INFINITY, f32::NEG_INFINITY]));
    }
}
