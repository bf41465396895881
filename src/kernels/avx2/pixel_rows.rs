//! Rows of 8-bit pixels with AVX2.

use crate::kernels::pixel_rows::{
    self, HALF, NormalizeFactors, PixelRows, WEIGHT_BITS, YuvRow, YuvToRgb,
};
use std::arch::x86_64::*;
use std::hint::black_box;

pub(in crate::kernels) const PIXEL_ROWS: PixelRows = PixelRows {
    convert: [convert::<1>, convert::<2>],
    swizzle: [grey, swizzle::<3>, swizzle::<4>],
    resize,
    mix,
    normalize: Some(normalize),
};

/// 32 pixels at a time. Vectors of 16-bit values hold pixels 0 to 7 and 16 to 23, or 8 to 15 and 24 to 31:
/// what unpacking within the halves of a register gives, and what packing takes.
///
/// # Safety
/// The CPU has AVX2.
#[target_feature(enable = "avx2")]
fn convert<const STRIDE: usize>(factors: &YuvToRgb, row: YuvRow<'_>, out: &mut [[u8; 4]]) {
    let splat = |factor: i16| _mm256_set1_epi16(factor);
    let y_factor = splat(factors.y_factor as i16);
    let offset = splat(factors.offset);
    let v_to_red = splat(factors.v_to_red);
    let u_to_green = splat(factors.u_to_green);
    let v_to_green = splat(factors.v_to_green);
    let u_to_blue = splat(factors.u_to_blue);
    let zero = _mm256_setzero_si256();

    let chroma = row.u.chunks_exact(16 * STRIDE).zip(row.v.chunks_exact(16 * STRIDE));
    let chunks = row.y.as_chunks::<32>().0.iter().zip(out.as_chunks_mut::<32>().0).zip(chroma);
    let mut done = 0;
    for ((y, out), (u, v)) in chunks {
        // SAFETY: 32 bytes.
        let y = unsafe { _mm256_loadu_si256(y.as_ptr().cast()) };
        let u = centred::<STRIDE>(u);
        let v = centred::<STRIDE>(v);
        let red = _mm256_mulhi_epi16(v, v_to_red);
        let green =
            _mm256_add_epi16(_mm256_mulhi_epi16(u, u_to_green), _mm256_mulhi_epi16(v, v_to_green));
        let blue = _mm256_add_epi16(_mm256_srai_epi16::<1>(u), _mm256_mulhi_epi16(u, u_to_blue));
        let low = _mm256_mulhi_epu16(_mm256_unpacklo_epi8(zero, y), y_factor);
        let high = _mm256_mulhi_epu16(_mm256_unpackhi_epi8(zero, y), y_factor);
        let luma = [_mm256_add_epi16(low, offset), _mm256_add_epi16(high, offset)];
        let red = channel(luma, red);
        let green = channel(luma, green);
        let blue = channel(luma, blue);

        let red_green = [_mm256_unpacklo_epi8(red, green), _mm256_unpackhi_epi8(red, green)];
        let blue = [_mm256_unpacklo_epi8(blue, zero), _mm256_unpackhi_epi8(blue, zero)];
        let pixels = [
            _mm256_unpacklo_epi16(red_green[0], blue[0]),
            _mm256_unpackhi_epi16(red_green[0], blue[0]),
            _mm256_unpacklo_epi16(red_green[1], blue[1]),
            _mm256_unpackhi_epi16(red_green[1], blue[1]),
        ];
        let out = out.as_chunks_mut::<4>().0;
        for i in 0..4 {
            // SAFETY: each of the 8 has 16 bytes.
            unsafe {
                _mm_storeu_si128(out[i].as_mut_ptr().cast(), _mm256_castsi256_si128(pixels[i]));
                let high = _mm256_extracti128_si256::<1>(pixels[i]);
                _mm_storeu_si128(out[i + 4].as_mut_ptr().cast(), high);
            }
        }
        done += 1;
    }
    let chroma = done * 16 * STRIDE;
    let rest = YuvRow { y: &row.y[done * 32..], u: &row.u[chroma..], v: &row.v[chroma..], ..row };
    pixel_rows::convert::<STRIDE>(factors, rest, &mut out[done * 32..]);
}

/// 16 bytes of chroma less 128, each in the high half of 16 bits.
///
/// # Safety
/// The CPU has AVX2.
#[target_feature(enable = "avx2")]
fn centred<const STRIDE: usize>(chroma: &[u8]) -> __m256i {
    debug_assert_eq!(chroma.len(), 16 * STRIDE);
    // SAFETY: the slice is as long as was asserted.
    let pairs = unsafe {
        match STRIDE {
            1 => _mm256_cvtepu8_epi16(_mm_loadu_si128(chroma.as_ptr().cast())),
            _ => _mm256_loadu_si256(chroma.as_ptr().cast()),
        }
    };
    _mm256_xor_si256(_mm256_slli_epi16::<8>(pairs), _mm256_set1_epi16(i16::MIN))
}

/// A channel's 32 values in 0 to 255.
///
/// # Safety
/// The CPU has AVX2.
#[target_feature(enable = "avx2")]
fn channel([low, high]: [__m256i; 2], chroma: __m256i) -> __m256i {
    let low = _mm256_adds_epi16(low, _mm256_unpacklo_epi16(chroma, chroma));
    let high = _mm256_adds_epi16(high, _mm256_unpackhi_epi16(chroma, chroma));
    _mm256_packus_epi16(_mm256_srai_epi16::<6>(low), _mm256_srai_epi16::<6>(high))
}

/// # Safety
/// The CPU has AVX2.
#[target_feature(enable = "avx2")]
fn swizzle<const BYTES: usize>(source: &[u8], bgr: bool, out: &mut [[u8; 4]]) {
    pixel_rows::swizzle::<BYTES>(source, bgr, out);
}

/// # Safety
/// The CPU has AVX2.
#[target_feature(enable = "avx2")]
fn grey(source: &[u8], bgr: bool, out: &mut [[u8; 4]]) {
    pixel_rows::grey(source, bgr, out);
}

/// # Safety
/// The CPU has AVX2.
#[target_feature(enable = "avx2")]
fn resize(source: &[[u8; 4]], firsts: &[u32], weights: &[u32], out: &mut [[u8; 3]]) {
    // Short spans, which 1.5 to 5 times smaller pictures have, are unrolled.
    match weights.len() / firsts.len().max(1) {
        4 => resize_taps::<4>(source, firsts, weights, 4, out),
        6 => resize_taps::<6>(source, firsts, weights, 6, out),
        8 => resize_taps::<8>(source, firsts, weights, 8, out),
        10 => resize_taps::<10>(source, firsts, weights, 10, out),
        taps => resize_taps::<0>(source, firsts, weights, taps, out),
    }
}

/// Two source pixels at a time. `TAPS` is `taps`, or 0 where that is not known.
///
/// # Safety
/// The CPU has AVX2.
#[target_feature(enable = "avx2")]
fn resize_taps<const TAPS: usize>(
    source: &[[u8; 4]],
    firsts: &[u32],
    weights: &[u32],
    taps: usize,
    out: &mut [[u8; 3]],
) {
    let taps = if TAPS == 0 { taps } else { TAPS };
    let half = _mm256_zextsi128_si256(_mm_set1_epi32(HALF as i32));
    // In each half of a register, bytes of its weight. Were it known, the compiler would make two shuffles.
    let (even, odd) = (0x0302_0100, 0x0706_0504);
    let spread = black_box(_mm256_setr_epi32(even, even, even, even, odd, odd, odd, odd));
    let outputs = out.len().min(firsts.len());
    let out = &mut out.as_flattened_mut()[..3 * outputs];
    for i in 0..outputs {
        let pixels = source[firsts[i] as usize..][..taps].as_chunks::<2>().0;
        let weights = weights[i * taps..][..taps].as_chunks::<2>().0;
        let mut sums = half;
        for (pixels, weights) in pixels.iter().zip(weights) {
            // SAFETY: both have 8 bytes.
            let (pixels, weights) = unsafe {
                (_mm_loadl_epi64(pixels.as_ptr().cast()), _mm_loadl_epi64(weights.as_ptr().cast()))
            };
            let weights = _mm256_shuffle_epi8(_mm256_broadcastq_epi64(weights), spread);
            let product = _mm256_mullo_epi32(_mm256_cvtepu8_epi32(pixels), weights);
            sums = _mm256_add_epi32(sums, product);
        }
        let high = _mm256_extracti128_si256::<1>(sums);
        let sums = _mm_add_epi32(_mm256_castsi256_si128(sums), high);
        // Both packs limit values, the second to 255.
        let values = _mm_srli_epi32::<{ WEIGHT_BITS as i32 }>(sums);
        let values = _mm_packus_epi32(values, values);
        let values = _mm_packus_epi16(values, values);
        if i + 1 < outputs {
            // The fourth byte is overwritten by the next pixel.
            let out = &mut out[3 * i..][..4];
            // SAFETY: 4 bytes.
            unsafe { _mm_storeu_si32(out.as_mut_ptr().cast(), values) };
        } else {
            let values = _mm_cvtsi128_si32(values).to_le_bytes();
            out[3 * i..].copy_from_slice(&values[..3]);
        }
    }
}

/// # Safety
/// The CPU has AVX2.
#[target_feature(enable = "avx2")]
fn mix(rows: &[u8], offsets: &[usize], weights: &[u32], out: &mut [u8]) {
    pixel_rows::mix(rows, offsets, weights, out);
}

/// # Safety
/// The CPU has AVX2 and fused multiply-adds.
#[target_feature(enable = "avx2,fma")]
fn normalize(source: &[u8], factors: &NormalizeFactors, out: &mut [f32]) {
    pixel_rows::normalize(source, factors, out);
}
