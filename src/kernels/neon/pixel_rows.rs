//! Rows of 8-bit pixels with NEON.

use crate::kernels::pixel_rows::{self, HALF, PixelRows, WEIGHT_BITS, YuvRow, YuvToRgb, spans};
use std::arch::aarch64::*;

pub(in crate::kernels) const PIXEL_ROWS: PixelRows = PixelRows {
    convert: [convert::<1>, convert::<2>],
    swizzle: [grey, swizzle::<3>, swizzle::<4>],
    resize,
    mix,
    normalize: None,
};

/// 16 pixels at a time. Values are 7 bits up: `sqdmulh` doubles products, and drops 16 bits.
///
/// # Safety
/// The CPU has NEON.
#[target_feature(enable = "neon")]
fn convert<const STRIDE: usize>(factors: &YuvToRgb, row: YuvRow<'_>, out: &mut [[u8; 4]]) {
    let y_factor = factors.y_factor as i16;
    let offset = vdupq_n_s16(factors.offset);
    let chroma = row.u.chunks_exact(8 * STRIDE).zip(row.v.chunks_exact(8 * STRIDE));
    let chunks = row.y.as_chunks::<16>().0.iter().zip(out.as_chunks_mut::<16>().0).zip(chroma);
    let mut done = 0;
    for ((y, out), (u, v)) in chunks {
        // SAFETY: 16 bytes.
        let y = unsafe { vld1q_u8(y.as_ptr()) };
        let u = centred::<STRIDE>(u);
        let v = centred::<STRIDE>(v);
        let red = vqdmulhq_n_s16(v, factors.v_to_red);
        let green =
            vaddq_s16(vqdmulhq_n_s16(u, factors.u_to_green), vqdmulhq_n_s16(v, factors.v_to_green));
        let blue = vaddq_s16(u, vqdmulhq_n_s16(u, factors.u_to_blue));
        let low = vreinterpretq_s16_u16(vshll_n_u8::<7>(vget_low_u8(y)));
        let high = vreinterpretq_s16_u16(vshll_high_n_u8::<7>(y));
        let luma = [
            vaddq_s16(vqdmulhq_n_s16(low, y_factor), offset),
            vaddq_s16(vqdmulhq_n_s16(high, y_factor), offset),
        ];
        let [red, green, blue] = [channel(luma, red), channel(luma, green), channel(luma, blue)];
        // SAFETY: 16 pixels of 4 bytes.
        unsafe {
            vst4q_u8(out.as_mut_ptr().cast(), uint8x16x4_t(red, green, blue, vdupq_n_u8(0)));
        }
        done += 1;
    }
    let chroma = done * 8 * STRIDE;
    let rest = YuvRow { y: &row.y[done * 16..], u: &row.u[chroma..], v: &row.v[chroma..], ..row };
    pixel_rows::convert::<STRIDE>(factors, rest, &mut out[done * 16..]);
}

/// 8 bytes of chroma less 128, 7 bits up.
///
/// # Safety
/// The CPU has NEON.
#[target_feature(enable = "neon")]
fn centred<const STRIDE: usize>(chroma: &[u8]) -> int16x8_t {
    debug_assert_eq!(chroma.len(), 8 * STRIDE);
    // SAFETY: the slice is as long as was asserted.
    let bytes = unsafe {
        match STRIDE {
            1 => vld1_u8(chroma.as_ptr()),
            _ => vld2_u8(chroma.as_ptr()).0,
        }
    };
    vshll_n_s8::<7>(vreinterpret_s8_u8(veor_u8(bytes, vdup_n_u8(128))))
}

/// A channel's 16 values in 0 to 255.
///
/// # Safety
/// The CPU has NEON.
#[target_feature(enable = "neon")]
fn channel([low, high]: [int16x8_t; 2], chroma: int16x8_t) -> uint8x16_t {
    let low = vqaddq_s16(low, vzip1q_s16(chroma, chroma));
    let high = vqaddq_s16(high, vzip2q_s16(chroma, chroma));
    vqshrun_high_n_s16::<6>(vqshrun_n_s16::<6>(low), high)
}

/// # Safety
/// The CPU has NEON.
#[target_feature(enable = "neon")]
fn swizzle<const BYTES: usize>(source: &[u8], bgr: bool, out: &mut [[u8; 4]]) {
    pixel_rows::swizzle::<BYTES>(source, bgr, out);
}

/// # Safety
/// The CPU has NEON.
#[target_feature(enable = "neon")]
fn grey(source: &[u8], bgr: bool, out: &mut [[u8; 4]]) {
    pixel_rows::grey(source, bgr, out);
}

/// Two source pixels at a time.
///
/// # Safety
/// The CPU has NEON.
#[target_feature(enable = "neon")]
fn resize(source: &[[u8; 4]], firsts: &[u32], weights: &[u32], out: &mut [[u8; 3]]) {
    for ((pixels, weights), out) in spans(source, firsts, weights).zip(out) {
        let mut even = vdupq_n_u32(HALF);
        let mut odd = vdupq_n_u32(0);
        for (pixels, weights) in pixels.as_chunks::<2>().0.iter().zip(weights.as_chunks::<2>().0) {
            // SAFETY: both have 8 bytes.
            let (pixels, weights) =
                unsafe { (vld1_u8(pixels.as_ptr().cast()), vld1_u32(weights.as_ptr())) };
            let pixels = vmovl_u8(pixels);
            even = vmlaq_lane_u32::<0>(even, vmovl_u16(vget_low_u16(pixels)), weights);
            odd = vmlaq_lane_u32::<1>(odd, vmovl_high_u16(pixels), weights);
        }
        let values = vshrq_n_u32::<{ WEIGHT_BITS as i32 }>(vaddq_u32(even, odd));
        // The first narrowing drops nothing, the second limits to 255.
        let values = vmovn_u32(values);
        let values = vqmovn_u16(vcombine_u16(values, values));
        let values = vget_lane_u32::<0>(vreinterpret_u32_u8(values)).to_le_bytes();
        *out = [values[0], values[1], values[2]];
    }
}

/// # Safety
/// The CPU has NEON.
#[target_feature(enable = "neon")]
fn mix(rows: &[u8], offsets: &[usize], weights: &[u32], out: &mut [u8]) {
    pixel_rows::mix(rows, offsets, weights, out);
}
