//! Rows of 8-bit pixels: colour conversion, and the two passes of a resize.
//!
//! All arithmetic is on integers, so every level gives the same bytes. The loops are plain, over chunks
//! of fixed size that compilers turn into vectors; they are compiled once for the instruction set that the
//! crate was built for, and on x86-64 once more for AVX2.

use crate::cpu::Level;

/// Fractional bits of a weight (Pillow: 32 less 8 for the value and 2 for overshoot).
pub(crate) const WEIGHT_BITS: u32 = 22;

/// What every sum starts from, so that dropping the fraction rounds.
const HALF: u32 = 1 << (WEIGHT_BITS - 1);

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

/// The kernels of one level. Sound because only [`PixelRows::for_level`] gives one out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PixelRows {
    convert: [ConvertFn; 2],
    swizzle: [SwizzleFn; 2],
    resize: ResizeFn,
    mix: MixFn,
}

impl PixelRows {
    /// The kernels for a level; one that this CPU lacks gets those of any CPU.
    pub fn for_level(level: Level) -> PixelRows {
        match level {
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 | Level::Avx512 if level.is_available() => avx2::PIXEL_ROWS,
            _ => PORTABLE,
        }
    }

    /// YUV to RGB and a byte without meaning, as many pixels as `row.y` and `out` both have.
    pub fn convert(&self, factors: &YuvToRgb, row: YuvRow<'_>, out: &mut [[u8; 4]]) {
        // SAFETY: the CPU has the level's instructions.
        unsafe { self.convert[usize::from(row.pixel_stride == 2)](factors, row, out) }
    }

    /// Pixels of `bytes` (3 or 4), blue first where `bgr`, to RGB and a byte without meaning.
    pub fn swizzle(&self, source: &[u8], bytes: usize, bgr: bool, out: &mut [[u8; 4]]) {
        // SAFETY: the CPU has the level's instructions.
        unsafe { self.swizzle[usize::from(bytes == 4)](source, bgr, out) }
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
}

const PORTABLE: PixelRows = PixelRows {
    convert: [convert::<1>, convert::<2>],
    swizzle: [swizzle::<3>, swizzle::<4>],
    resize,
    mix,
};

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::{PixelRows, YuvRow, YuvToRgb};

    pub(super) const PIXEL_ROWS: PixelRows = PixelRows {
        convert: [convert::<1>, convert::<2>],
        swizzle: [swizzle::<3>, swizzle::<4>],
        resize,
        mix,
    };

    #[target_feature(enable = "avx2")]
    fn convert<const STRIDE: usize>(f: &YuvToRgb, row: YuvRow<'_>, out: &mut [[u8; 4]]) {
        super::convert::<STRIDE>(f, row, out);
    }

    #[target_feature(enable = "avx2")]
    fn swizzle<const BYTES: usize>(source: &[u8], bgr: bool, out: &mut [[u8; 4]]) {
        super::swizzle::<BYTES>(source, bgr, out);
    }

    #[target_feature(enable = "avx2")]
    fn resize(source: &[[u8; 4]], firsts: &[u32], weights: &[u32], out: &mut [[u8; 3]]) {
        super::resize(source, firsts, weights, out);
    }

    #[target_feature(enable = "avx2")]
    fn mix(rows: &[u8], offsets: &[usize], weights: &[u32], out: &mut [u8]) {
        super::mix(rows, offsets, weights, out);
    }
}

#[inline(always)]
fn convert<const STRIDE: usize>(factors: &YuvToRgb, row: YuvRow<'_>, out: &mut [[u8; 4]]) {
    const PIXELS: usize = 32;
    let pixels = row.y.len().min(out.len());
    let (y, y_rest) = row.y[..pixels].as_chunks::<PIXELS>();
    let (out, out_rest) = out[..pixels].as_chunks_mut::<PIXELS>();
    let chroma_bytes = PIXELS / 2 * STRIDE;
    let mut done = 0;
    for ((y, u), (v, out)) in y
        .iter()
        .zip(row.u.chunks_exact(chroma_bytes))
        .zip(row.v.chunks_exact(chroma_bytes).zip(&mut *out))
    {
        let u: [u8; PIXELS / 2] = std::array::from_fn(|i| u[i * STRIDE]);
        let v: [u8; PIXELS / 2] = std::array::from_fn(|i| v[i * STRIDE]);
        convert_chunk(factors, y, &u, &v, out);
        done += 1;
    }
    // The last chunk of a strided row may end before a whole number of strides.
    let rest = y[done..].as_flattened().iter().chain(y_rest);
    let out = out[done..].as_flattened_mut().iter_mut().chain(out_rest);
    for ((x, &y), out) in (done * PIXELS..).zip(rest).zip(out) {
        let chroma = x / 2 * STRIDE;
        convert_chunk(factors, &[y], &[row.u[chroma]], &[row.v[chroma]], std::array::from_mut(out));
    }
}

#[inline(always)]
fn convert_chunk<const PIXELS: usize, const CHROMA: usize>(
    factors: &YuvToRgb,
    y: &[u8; PIXELS],
    u: &[u8; CHROMA],
    v: &[u8; CHROMA],
    out: &mut [[u8; 4]; PIXELS],
) {
    // The high half of a 16-bit product is one instruction; a byte in the high half of 16 bits makes it
    // `>> 8`.
    let high = |value: i16, factor: i16| ((i32::from(value) * i32::from(factor)) >> 16) as i16;
    let centred = |chroma: u8| (u16::from(chroma ^ 0x80) << 8) as i16;
    let mut red = [0; CHROMA];
    let mut green = [0; CHROMA];
    let mut blue = [0; CHROMA];
    for i in 0..CHROMA {
        let (u, v) = (centred(u[i]), centred(v[i]));
        red[i] = high(v, factors.v_to_red);
        green[i] = high(u, factors.u_to_green) + high(v, factors.v_to_green);
        blue[i] = (u >> 1) + high(u, factors.u_to_blue);
    }
    // Saturation is far above white.
    let channel = |luma: i16, chroma: i16| (luma.saturating_add(chroma) >> 6).clamp(0, 255) as u16;
    for i in 0..PIXELS {
        let y = u32::from(u16::from(y[i]) << 8) * u32::from(factors.y_factor);
        let luma = (y >> 16) as i16 + factors.offset;
        let red_green = channel(luma, red[i / 2]) | channel(luma, green[i / 2]) << 8;
        let blue = channel(luma, blue[i / 2]);
        out[i] = (u32::from(red_green) | u32::from(blue) << 16).to_le_bytes();
    }
}

#[inline(always)]
fn swizzle<const BYTES: usize>(source: &[u8], bgr: bool, out: &mut [[u8; 4]]) {
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

#[inline(always)]
fn resize(source: &[[u8; 4]], firsts: &[u32], weights: &[u32], out: &mut [[u8; 3]]) {
    match weights.len() / firsts.len().max(1) {
        2 => resize_taps(source, firsts, weights, 2, out),
        4 => resize_taps(source, firsts, weights, 4, out),
        6 => resize_taps(source, firsts, weights, 6, out),
        8 => resize_taps(source, firsts, weights, 8, out),
        10 => resize_taps(source, firsts, weights, 10, out),
        taps => resize_taps(source, firsts, weights, taps, out),
    }
}

/// `taps` is even.
#[inline(always)]
fn resize_taps(
    source: &[[u8; 4]],
    firsts: &[u32],
    weights: &[u32],
    taps: usize,
    out: &mut [[u8; 3]],
) {
    for ((&first, weights), out) in firsts.iter().zip(weights.chunks_exact(taps)).zip(out) {
        let pixels = source[first as usize..][..taps].as_chunks::<2>().0;
        let mut sums = [0; 8];
        for (pixels, weights) in pixels.iter().zip(weights.as_chunks::<2>().0) {
            let pixels: &[u8; 8] = pixels.as_flattened().try_into().unwrap();
            for i in 0..8 {
                sums[i] += weights[i / 4] * u32::from(pixels[i]);
            }
        }
        let [r, g, b] = [0, 1, 2].map(|i| round(HALF + sums[i] + sums[4 + i]));
        *out = [r, g, b];
    }
}

#[inline(always)]
fn mix(rows: &[u8], offsets: &[usize], weights: &[u32], out: &mut [u8]) {
    const BYTES: usize = 32;
    let length = out.len();
    let whole = out.as_chunks_mut::<BYTES>().0;
    for (i, out) in whole.iter_mut().enumerate() {
        mix_chunk(rows, offsets, i * BYTES, weights, out);
    }
    match out.last_chunk_mut::<BYTES>() {
        // Some bytes of it a second time.
        Some(last) if length % BYTES > 0 => mix_chunk(rows, offsets, length - BYTES, weights, last),
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
