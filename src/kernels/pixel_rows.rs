//! Rows of 8-bit pixels: colour conversion, the two passes of a resize, and normalisation.
//!
//! All arithmetic but that of the last is on integers, so every level gives the same bytes. The plain loops here
//! are the definition. Compilers make vectors of the vertical pass and of the swizzle; the levels bring their own
//! of the rest.

use crate::cpu::Level;

/// Fractional bits of a weight (Pillow: 32 less 8 for the value and 2 for overshoot).
pub(crate) const WEIGHT_BITS: u32 = 22;

/// What every sum starts from, so that dropping the fraction rounds.
pub(super) const HALF: u32 = 1 << (WEIGHT_BITS - 1);

/// YUV to RGB in fixed point, with 14 fractional bits in factors and 6 in sums. With `u` and `v` less 128
/// and `>>` rounding down:
///
/// ```text
/// luma  = (y_factor * y >> 8) + offset
/// red   = clamp(luma + (v_to_red * v >> 8) >> 6)
/// green = clamp(luma + (u_to_green * u >> 8) + (v_to_green * v >> 8) >> 6)
/// blue  = clamp(luma + (u_to_blue * u >> 8) >> 6)
/// ```
#[derive(Clone, Copy, Debug)]
pub(crate) struct YuvToRgb {
    pub y_factor: u16,
    pub offset: i16,
    pub v_to_red: i16,
    pub u_to_green: i16,
    pub v_to_green: i16,
    /// Less 2^15, for it may be above 2.
    pub u_to_blue: i16,
}

/// A row of a YUV 4:2:0 frame: a byte of luma for each pixel, and for every two of them (or for the last
/// one) a byte in each chroma row at every `pixel_stride`, which is 1 or 2.
#[derive(Clone, Copy)]
pub(crate) struct YuvRow<'a> {
    pub y: &'a [u8],
    pub u: &'a [u8],
    pub v: &'a [u8],
    pub pixel_stride: usize,
}

type ConvertFn = unsafe fn(&YuvToRgb, YuvRow<'_>, &mut [[u8; 4]]);
type SwizzleFn = unsafe fn(&[u8], bool, &mut [[u8; 4]]);
type ResizeFn = unsafe fn(&[[u8; 4]], &[u32], &[u32], &mut [[u8; 3]]);
type MixFn = unsafe fn(&[u8], &[usize], &[u32], &mut [u8]);
type NormalizeFn = unsafe fn(&[u8], &NormalizeFactors, &mut [f32]);

/// The kernels of one level. Only [`PixelRows::for_level`] gives one out, so that the CPU has the level's
/// instructions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PixelRows {
    /// By pixel stride, 1 or 2.
    pub(super) convert: [ConvertFn; 2],
    /// By bytes in a pixel: 1, 3 or 4.
    pub(super) swizzle: [SwizzleFn; 3],
    pub(super) resize: ResizeFn,
    pub(super) mix: MixFn,
    /// Where it is faster than a table.
    pub(super) normalize: Option<NormalizeFn>,
}

impl PixelRows {
    /// The kernels for a level; one that this CPU lacks gets those of any CPU.
    pub fn for_level(level: Level) -> PixelRows {
        match level {
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 | Level::Avx512 if level.is_available() => super::avx2::PIXEL_ROWS,
            #[cfg(target_arch = "aarch64")]
            Level::Neon if level.is_available() => super::neon::PIXEL_ROWS,
            _ => PLAIN,
        }
    }

    /// YUV to RGB and a byte without meaning, as many pixels as are in `row.y` or fit in `out`.
    pub fn convert(&self, factors: &YuvToRgb, row: YuvRow<'_>, out: &mut [[u8; 4]]) {
        // SAFETY: the CPU has the level's instructions.
        unsafe { self.convert[usize::from(row.pixel_stride == 2)](factors, row, out) }
    }

    /// Pixels of `bytes` (1, 3 or 4), blue first where `bgr`, to RGB and a byte without meaning.
    pub fn swizzle(&self, source: &[u8], bytes: usize, bgr: bool, out: &mut [[u8; 4]]) {
        // SAFETY: the CPU has the level's instructions.
        unsafe { self.swizzle[bytes / 2](source, bgr, out) }
    }

    /// The horizontal pass: `out[i]` is the mean of the pixels from `firsts[i]` on, as many as there are
    /// weights for each output.
    pub fn resize(&self, source: &[[u8; 4]], firsts: &[u32], weights: &[u32], out: &mut [[u8; 3]]) {
        // SAFETY: the CPU has the level's instructions.
        unsafe { (self.resize)(source, firsts, weights, out) }
    }

    /// The vertical pass: `out` is the mean of the rows that begin at `offsets` of `rows`, byte by byte.
    pub fn mix(&self, rows: &[u8], offsets: &[usize], weights: &[u32], out: &mut [u8]) {
        // SAFETY: the CPU has the level's instructions.
        unsafe { (self.mix)(rows, offsets, weights, out) }
    }

    /// `(value / 255 - mean) / std` of the first bytes of red, green and blue, as many as there are whole groups of
    /// [`NORMALIZED`] in both. The last bit of a quotient may be wrong for some factors. Returns how many.
    pub fn normalize(&self, source: &[u8], factors: &NormalizeFactors, out: &mut [f32]) -> usize {
        match self.normalize {
            // SAFETY: the CPU has the level's instructions.
            Some(normalize) => unsafe { normalize(source, factors, out) },
            None => return 0,
        }
        source.len().min(out.len()) / NORMALIZED * NORMALIZED
    }
}

/// Bytes that are normalised at a time: 8 pixels.
pub(crate) const NORMALIZED: usize = 24;

/// The mean, the standard deviation and its reciprocal of each of 8 pixels' colours.
#[derive(Clone, Debug)]
pub(crate) struct NormalizeFactors {
    mean: [f32; NORMALIZED],
    std: [f32; NORMALIZED],
    reciprocal: [f32; NORMALIZED],
}

impl NormalizeFactors {
    pub fn new(mean: [f32; 3], std: [f32; 3]) -> NormalizeFactors {
        let all = |colours: [f32; 3]| std::array::from_fn(|i| colours[i % 3]);
        NormalizeFactors {
            mean: all(mean),
            std: all(std),
            reciprocal: all(std.map(|std| 1.0 / std)),
        }
    }
}

/// For a CPU with fused multiply-adds: a quotient is a product, corrected by what it leaves.
#[allow(dead_code)] // not every target has a level with it
#[inline(always)]
pub(super) fn normalize(source: &[u8], factors: &NormalizeFactors, out: &mut [f32]) {
    let divide = |x: f32, divisor: f32, reciprocal: f32| {
        let quotient = x * reciprocal;
        (-quotient).mul_add(divisor, x).mul_add(reciprocal, quotient)
    };
    let NormalizeFactors { mean, std, reciprocal } = factors;
    let groups = source.as_chunks::<NORMALIZED>().0;
    for (out, bytes) in out.as_chunks_mut::<NORMALIZED>().0.iter_mut().zip(groups) {
        for i in 0..NORMALIZED {
            let value = divide(f32::from(bytes[i]), 255.0, 1.0 / 255.0);
            out[i] = divide(value - mean[i], std[i], reciprocal[i]);
        }
    }
}

const PLAIN: PixelRows = PixelRows {
    convert: [convert::<1>, convert::<2>],
    swizzle: [grey, swizzle::<3>, swizzle::<4>],
    resize,
    mix,
    normalize: None,
};

#[inline(always)]
pub(super) fn convert<const STRIDE: usize>(
    factors: &YuvToRgb,
    row: YuvRow<'_>,
    out: &mut [[u8; 4]],
) {
    let chroma = row.u.iter().step_by(STRIDE).zip(row.v.iter().step_by(STRIDE));
    for ((y, out), (&u, &v)) in row.y.chunks(2).zip(out.chunks_mut(2)).zip(chroma) {
        // The high half of a 16-bit product is one instruction: with the byte in the high half, `>> 8`.
        let high = |value: i16, factor: i16| ((i32::from(value) * i32::from(factor)) >> 16) as i16;
        let [u, v] = [u, v].map(|chroma| (i16::from(chroma) - 128) << 8);
        let red = high(v, factors.v_to_red);
        let green = high(u, factors.u_to_green) + high(v, factors.v_to_green);
        let blue = (u >> 1) + high(u, factors.u_to_blue);
        for (&y, out) in y.iter().zip(out) {
            let luma = ((u32::from(y) * u32::from(factors.y_factor)) >> 8) as i16 + factors.offset;
            // Saturation is far above white.
            let [r, g, b] = [red, green, blue]
                .map(|chroma| (luma.saturating_add(chroma) >> 6).clamp(0, 255) as u8);
            *out = [r, g, b, 0];
        }
    }
}

#[inline(always)]
pub(super) fn swizzle<const BYTES: usize>(source: &[u8], bgr: bool, out: &mut [[u8; 4]]) {
    let source = source.as_chunks::<BYTES>().0;
    if bgr {
        for (out, pixel) in out.iter_mut().zip(source) {
            *out = [pixel[2], pixel[1], pixel[0], 0];
        }
    } else {
        for (out, pixel) in out.iter_mut().zip(source) {
            *out = [pixel[0], pixel[1], pixel[2], 0];
        }
    }
}

/// The swizzle of pixels that are one byte.
#[inline(always)]
pub(super) fn grey(source: &[u8], _: bool, out: &mut [[u8; 4]]) {
    for (out, &value) in out.iter_mut().zip(source) {
        *out = [value; 4];
    }
}

fn resize(source: &[[u8; 4]], firsts: &[u32], weights: &[u32], out: &mut [[u8; 3]]) {
    for ((pixels, weights), out) in spans(source, firsts, weights).zip(out) {
        let mut sums = [HALF; 3];
        for (pixel, &weight) in pixels.iter().zip(weights) {
            for (sum, &value) in sums.iter_mut().zip(pixel) {
                *sum += weight * u32::from(value);
            }
        }
        *out = sums.map(round);
    }
}

/// The pixels under each output pixel, and their weights.
#[inline(always)]
pub(super) fn spans<'a>(
    source: &'a [[u8; 4]],
    firsts: &'a [u32],
    weights: &'a [u32],
) -> impl Iterator<Item = (&'a [[u8; 4]], &'a [u32])> {
    let taps = weights.len() / firsts.len().max(1);
    let weights = weights.chunks_exact(taps.max(1));
    firsts
        .iter()
        .zip(weights)
        .map(move |(&first, weights)| (&source[first as usize..][..taps], weights))
}

#[inline(always)]
pub(super) fn mix(rows: &[u8], offsets: &[usize], weights: &[u32], out: &mut [u8]) {
    const BYTES: usize = 32;
    let length = out.len();
    let whole = out.as_chunks_mut::<BYTES>().0;
    for (i, out) in whole.iter_mut().enumerate() {
        mix_chunk(rows, offsets, i * BYTES, weights, out);
    }
    match out.last_chunk_mut::<BYTES>() {
        // Some bytes of it a second time.
        Some(last) if !length.is_multiple_of(BYTES) => {
            mix_chunk(rows, offsets, length - BYTES, weights, last)
        }
        Some(_) => {}
        None => {
            for (i, out) in out.iter_mut().enumerate() {
                mix_chunk(rows, offsets, i, weights, std::array::from_mut(out));
            }
        }
    }
}

#[inline(always)]
fn mix_chunk<const BYTES: usize>(
    rows: &[u8],
    offsets: &[usize],
    start: usize,
    weights: &[u32],
    out: &mut [u8; BYTES],
) {
    let mut sums = [HALF; BYTES];
    for (&offset, &weight) in offsets.iter().zip(weights) {
        let row: &[u8; BYTES] = rows[offset + start..][..BYTES].try_into().unwrap();
        for i in 0..BYTES {
            sums[i] += weight * u32::from(row[i]);
        }
    }
    for i in 0..BYTES {
        out[i] = round(sums[i]);
    }
}

/// Rounded weights may add up to a little more than 1, hence the limit.
#[inline(always)]
fn round(sum: u32) -> u8 {
    (sum >> WEIGHT_BITS).min(255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Junk where pixels have a byte without meaning.
    fn rgb(pixels: &[[u8; 4]]) -> Vec<[u8; 3]> {
        pixels.iter().map(|&[r, g, b, _]| [r, g, b]).collect()
    }

    proptest! {
        #[test]
        fn every_level_gives_the_plain_loops_bytes(
            bytes in prop::collection::vec(any::<u8>(), 700),
            factors: [i16; 5],
            pixels in 1..200usize,
            weights in prop::collection::vec(0..1u32 << WEIGHT_BITS, 40),
            pairs in 0..10usize,
        ) {
            // Above these the luma of white overflows.
            let [y_factor, offset, v_to_red, u_to_green, u_to_blue] = factors;
            let f = YuvToRgb {
                y_factor: y_factor.unsigned_abs() % 20000,
                offset: offset % 2000,
                v_to_red,
                u_to_green: u_to_green / 2,
                v_to_green: v_to_red / 2,
                u_to_blue,
            };
            let taps = 2 * pairs;
            // Together less than 1, as spans' are.
            let weights: Vec<u32> = weights.iter().map(|w| w / taps.max(1) as u32).collect();
            let plain = PixelRows::for_level(Level::Reference);
            for level in Level::available() {
                let rows = PixelRows::for_level(level);
                for pixel_stride in [1, 2] {
                    // To the last sample and no further, on odd addresses.
                    let samples = (pixels.div_ceil(2) - 1) * pixel_stride + 1;
                    let row = YuvRow {
                        y: &bytes[1..][..pixels],
                        u: &bytes[200..][..samples],
                        v: &bytes[401..][..samples],
                        pixel_stride,
                    };
                    let (mut found, mut expected) = (vec![[1; 4]; 200], vec![[1; 4]; 200]);
                    rows.convert(&f, row, &mut found);
                    plain.convert(&f, row, &mut expected);
                    prop_assert_eq!(rgb(&found), rgb(&expected), "{} {}", level, pixel_stride);
                    prop_assert!(found[pixels..].iter().all(|&pixel| pixel == [1; 4]));
                }
                for (size, bgr) in [(1, false), (3, false), (3, true), (4, false), (4, true)] {
                    let source = &bytes[..(pixels.min(170)) * size];
                    let (mut found, mut expected) = (vec![[1; 4]; 200], vec![[1; 4]; 200]);
                    rows.swizzle(source, size, bgr, &mut found);
                    plain.swizzle(source, size, bgr, &mut expected);
                    prop_assert_eq!(rgb(&found), rgb(&expected), "{}", level);
                }
                if taps > 0 {
                    let source = bytes.as_chunks().0;
                    let firsts: Vec<u32> = vec![0, (source.len() - taps) as u32];
                    let weights = [&weights[..taps], &weights[40 - taps..]].concat();
                    let (mut found, mut expected) = ([[0; 3]; 2], [[1; 3]; 2]);
                    rows.resize(source, &firsts, &weights, &mut found);
                    plain.resize(source, &firsts, &weights, &mut expected);
                    prop_assert_eq!(found, expected, "{}", level);
                }
                let offsets: Vec<usize> = (0..taps).map(|i| i * 700 % 499).collect();
                let (mut found, mut expected) = (vec![0; pixels], vec![1; pixels]);
                rows.mix(&bytes, &offsets, &weights[..taps], &mut found);
                plain.mix(&bytes, &offsets, &weights[..taps], &mut expected);
                prop_assert_eq!(found, expected, "{}", level);
            }
        }
    }
}
