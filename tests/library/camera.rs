//! A camera's frames against stored ones (`data/image/make_frames.py`), and against a plain reference: every
//! pixel by the documented formula, turned, and then the way of any RGB picture.

use crate::common::message;
use proptest::prelude::*;
use shufflenet::image::{
    PixelFormat, Pixels, Plane, Preprocessor, Rotation, Yuv420, YuvMatrix, YuvRange,
};
use shufflenet::model::{Fit, Preprocessing};

const MATRICES: [YuvMatrix; 2] = [YuvMatrix::Bt601, YuvMatrix::Bt709];
const RANGES: [YuvRange; 2] = [YuvRange::Full, YuvRange::Limited];

/// How chroma lies in memory.
#[derive(Clone, Copy, Debug)]
enum Layout {
    I420,
    Yv12,
    Nv12,
    Nv21,
}

const LAYOUTS: [Layout; 4] = [Layout::I420, Layout::Yv12, Layout::Nv12, Layout::Nv21];

/// A frame's samples, without a layout.
struct Samples {
    width: usize,
    height: usize,
    y: Vec<u8>,
    u: Vec<u8>,
    v: Vec<u8>,
}

impl Samples {
    fn random(width: usize, height: usize, mut seed: u64) -> Samples {
        let mut bytes = |count: usize| {
            let next = || {
                seed = seed.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
                (seed >> 56) as u8
            };
            std::iter::repeat_with(next).take(count).collect()
        };
        let chroma = width.div_ceil(2) * height.div_ceil(2);
        Samples { width, height, y: bytes(width * height), u: bytes(chroma), v: bytes(chroma) }
    }

    /// RGB by the formula and the table in the documentation of `Yuv420`.
    fn rgb(&self, matrix: YuvMatrix, range: YuvRange) -> Vec<u8> {
        let [yf, offset, rf, gf, hf, bf] = match (matrix, range) {
            (YuvMatrix::Bt601, YuvRange::Full) => [16384, 33, 22970, -5638, -11700, 29032],
            (YuvMatrix::Bt601, YuvRange::Limited) => [19077, -1159, 26149, -6419, -13320, 33050],
            (YuvMatrix::Bt709, YuvRange::Full) => [16384, 33, 25802, -3069, -7670, 30402],
            (YuvMatrix::Bt709, YuvRange::Limited) => [19077, -1159, 29372, -3494, -8731, 34610],
        };
        let mut rgb = Vec::with_capacity(3 * self.y.len());
        for (i, &y) in self.y.iter().enumerate() {
            let (u, v) = self.chroma(i);
            let luma = ((yf * i32::from(y)) >> 8) + offset;
            let sums = [
                luma + ((rf * v) >> 8),
                luma + ((gf * u) >> 8) + ((hf * v) >> 8),
                luma + ((bf * u) >> 8),
            ];
            rgb.extend(sums.map(|sum| (sum >> 6).clamp(0, 255) as u8));
        }
        rgb
    }

    /// U and V of a pixel, less 128.
    fn chroma(&self, pixel: usize) -> (i32, i32) {
        let (x, y) = (pixel % self.width, pixel / self.width);
        let at = y / 2 * self.width.div_ceil(2) + x / 2;
        (i32::from(self.u[at]) - 128, i32::from(self.v[at]) - 128)
    }

    fn store(&self, layout: Layout, padding: usize) -> Stored {
        let chroma_width = self.width.div_ceil(2);
        let [first, second] = match layout {
            Layout::I420 | Layout::Nv12 => [&self.u, &self.v],
            Layout::Yv12 | Layout::Nv21 => [&self.v, &self.u],
        };
        let semi_planar = matches!(layout, Layout::Nv12 | Layout::Nv21);
        let chroma = if semi_planar {
            let pairs: Vec<u8> = first.iter().zip(second).flat_map(|(&a, &b)| [a, b]).collect();
            vec![padded(&pairs, 2 * chroma_width, padding + 1)]
        } else {
            [first, second].map(|plane| padded(plane, chroma_width, padding + 2)).into()
        };
        Stored {
            size: (self.width, self.height),
            layout,
            luma: padded(&self.y, self.width, padding),
            chroma,
            strides: [
                self.width + padding,
                if semi_planar {
                    2 * chroma_width + padding + 1
                } else {
                    chroma_width + padding + 2
                },
            ],
        }
    }
}

/// Rows with junk between them, and nothing after the last.
fn padded(samples: &[u8], width: usize, padding: usize) -> Vec<u8> {
    let rows: Vec<&[u8]> = samples.chunks(width).collect();
    rows.join(&vec![0xA7; padding][..])
}

/// A frame as a camera hands it over.
struct Stored {
    size: (usize, usize),
    layout: Layout,
    luma: Vec<u8>,
    /// One plane with both, or two.
    chroma: Vec<Vec<u8>>,
    strides: [usize; 2],
}

impl Stored {
    fn planes(&self) -> [Plane<'_>; 3] {
        let [row_stride, chroma_stride] = self.strides;
        let y = Plane { data: &self.luma, row_stride, pixel_stride: 1 };
        let plane = |data, pixel_stride| Plane { data, row_stride: chroma_stride, pixel_stride };
        // Android's buffers of interleaved planes end at the plane's own last byte.
        let first = &self.chroma[0];
        match self.layout {
            Layout::I420 => [y, plane(first, 1), plane(&self.chroma[1], 1)],
            Layout::Yv12 => [y, plane(&self.chroma[1], 1), plane(first, 1)],
            Layout::Nv12 => [y, plane(&first[..first.len() - 1], 2), plane(&first[1..], 2)],
            Layout::Nv21 => [y, plane(&first[1..], 2), plane(&first[..first.len() - 1], 2)],
        }
    }

    fn view(&self, matrix: YuvMatrix, range: YuvRange) -> Yuv420<'_> {
        Yuv420::new(self.planes(), self.size.0, self.size.1, matrix, range).unwrap()
    }
}

/// Pixels of `bytes` each, turned clockwise by a number of right angles.
fn turned(pixels: &[u8], bytes: usize, (width, height): (usize, usize), angles: usize) -> Vec<u8> {
    let mut pixels = pixels.to_vec();
    let (mut width, mut height) = (width, height);
    for _ in 0..angles {
        let mut next = Vec::with_capacity(pixels.len());
        for x in 0..width {
            for y in (0..height).rev() {
                next.extend(&pixels[(y * width + x) * bytes..][..bytes]);
            }
        }
        (pixels, width, height) = (next, height, width);
    }
    pixels
}

fn transform(resize: usize, crop: usize) -> Preprocessing {
    Preprocessing { resize, crop, ..Preprocessing::imagenet(256) }
}

/// What is to come out: an upright RGB picture preprocessed.
fn expected(rgb: &[u8], size: (usize, usize), angles: usize, transform: &Preprocessing) -> Vec<u8> {
    let upright = turned(rgb, 3, size, angles);
    let (width, height) = if angles % 2 == 1 { (size.1, size.0) } else { size };
    let pixels = Pixels::new(&upright, width, height, 3 * width, PixelFormat::Rgb).unwrap();
    let mut out = vec![1; 3 * transform.crop * transform.crop];
    Preprocessor::new(transform, width, height).unwrap().run(&pixels, &mut out).unwrap();
    out
}

#[test]
fn stored_frames() {
    const Y: [u8; 25] = [
        16, 235, 81, 145, 50, 41, 210, 170, 106, 90, 0, 255, 128, 100, 20, 60, 90, 200, 30, 254,
        77, 3, 9, 180, 120,
    ];
    let samples = Samples {
        width: 5,
        height: 5,
        y: Y.to_vec(),
        u: vec![128, 110, 240, 100, 160, 128, 90, 120, 150],
        v: vec![128, 150, 110, 90, 115, 30, 240, 100, 140],
    };
    let cases = include_str!("../data/image/frames.txt");
    assert_eq!(cases.lines().count(), 16);
    for case in cases.lines() {
        let fields: Vec<&str> = case.split(' ').collect();
        let matrix = MATRICES.into_iter().find(|m| format!("{m:?}") == fields[0]).unwrap();
        let range = RANGES.into_iter().find(|r| format!("{r:?}") == fields[1]).unwrap();
        let rotation = Rotation::from_degrees(fields[2].parse().unwrap()).unwrap();
        // At its own size, a resize changes nothing.
        let mut preprocessor = Preprocessor::rotated(&transform(5, 5), 5, 5, rotation).unwrap();
        for layout in LAYOUTS {
            let stored = samples.store(layout, 3);
            let mut out = [0; 75];
            preprocessor.run_yuv420(&stored.view(matrix, range), &mut out).unwrap();
            for (i, (found, expected)) in out.chunks(3).zip(&fields[3..]).enumerate() {
                for (c, found) in found.iter().enumerate() {
                    let expected = u8::from_str_radix(&expected[2 * c..][..2], 16).unwrap();
                    assert!(
                        found.abs_diff(expected) <= 1,
                        "{layout:?} {matrix:?} {range:?} {rotation:?}, pixel {i} channel {c}: \
                         {found}, expected {expected}"
                    );
                }
            }
        }
    }
}

#[test]
fn colours_are_as_near_as_documented() {
    // Every U and V, under one Y for each pixel of a chroma sample.
    let side = 512;
    let mut preprocessor = Preprocessor::new(&transform(side, side), side, side).unwrap();
    let mut out = vec![0; 3 * side * side];
    for (matrix, red, blue) in
        [(YuvMatrix::Bt601, 0.299, 0.114), (YuvMatrix::Bt709, 0.2126, 0.0722)]
    {
        for (range, black, luma, chroma) in [
            (YuvRange::Full, 0.0, 1.0, 1.0),
            (YuvRange::Limited, 16.0, 255.0 / 219.0, 255.0 / 224.0),
        ] {
            let green = 1.0 - red - blue;
            let mut largest: f64 = 0.0;
            for y in
                [[0, 1, 15, 16], [17, 66, 100, 129], [180, 201, 234, 235], [236, 251, 254, 255]]
            {
                let luma_row = |row: usize| (0..side).map(move |x| y[row % 2 * 2 + x % 2]);
                let samples = Samples {
                    width: side,
                    height: side,
                    y: (0..side).flat_map(luma_row).collect(),
                    u: (0..1 << 16).map(|i| i as u8).collect(),
                    v: (0..1 << 16).map(|i| (i >> 8) as u8).collect(),
                };
                let stored = samples.store(Layout::Nv12, 0);
                preprocessor.run_yuv420(&stored.view(matrix, range), &mut out).unwrap();
                for (i, (found, &y)) in out.as_chunks::<3>().0.iter().zip(&samples.y).enumerate() {
                    let (u, v) = samples.chroma(i);
                    let (u, v) = (f64::from(u) * chroma, f64::from(v) * chroma);
                    let luma = (f64::from(y) - black) * luma;
                    let r = luma + 2.0 * (1.0 - red) * v;
                    let b = luma + 2.0 * (1.0 - blue) * u;
                    let g = (luma - red * r - blue * b) / green;
                    for (&found, exact) in found.iter().zip([r, g, b]) {
                        let difference = f64::from(found) - exact.clamp(0.0, 255.0);
                        largest = largest.max(difference.abs());
                    }
                }
            }
            assert!((0.49..=0.54).contains(&largest), "{matrix:?} {range:?}: {largest}");
        }
    }
}

#[test]
fn wrong_frames_are_errors() {
    let bytes = [0; 100];
    // A frame of 5 x 3 pixels, as far as the bytes reach.
    let plane = |length: usize, row_stride, pixel_stride| Plane {
        data: &bytes[..length],
        row_stride,
        pixel_stride,
    };
    let sized = |planes, width, height| {
        Yuv420::new(planes, width, height, YuvMatrix::Bt601, YuvRange::Full).map(|_| ())
    };
    let new = |y, u, v| sized([y, u, v], 5, 3);
    let (y, u, v) = (plane(6 * 2 + 5, 6, 1), plane(4 + 3, 4, 1), plane(3 + 3, 3, 1));
    new(y, u, v).unwrap();
    let (u2, v2) = (plane(9 + 5, 9, 2), plane(5 + 5, 5, 2));
    new(y, u2, v2).unwrap();

    let wrong = |y, u, v| message(new(y, u, v));
    assert_eq!(wrong(plane(16, 6, 1), u, v), "Y plane is 16 bytes, expected at least 17 bytes");
    assert_eq!(wrong(y, plane(6, 4, 1), v), "U plane is 6 bytes, expected at least 7 bytes");
    assert_eq!(wrong(y, u, plane(5, 3, 1)), "V plane is 5 bytes, expected at least 6 bytes");
    assert_eq!(wrong(y, plane(13, 9, 2), v2), "U plane is 13 bytes, expected at least 14 bytes");
    assert_eq!(wrong(plane(99, 4, 1), u, v), "Y row stride is 4, expected at least 5 bytes");
    assert_eq!(wrong(y, plane(99, 2, 1), v), "U row stride is 2, expected at least 3 bytes");
    assert_eq!(wrong(y, u2, plane(99, 4, 2)), "V row stride is 4, expected at least 5 bytes");
    assert_eq!(wrong(plane(99, 10, 2), u, v), "Y pixel stride is 2, expected 1");
    assert_eq!(wrong(y, plane(99, 15, 3), v), "U pixel stride is 3, expected 1 or 2");
    assert_eq!(wrong(y, plane(99, 15, 0), v), "U pixel stride is 0, expected 1 or 2");
    assert_eq!(wrong(y, u, v2), "V pixel stride is 2, expected 1, as in U");
    assert_eq!(message(sized([y, u, v], 0, 3)), "frame width is 0, expected at least 1");
    assert_eq!(message(sized([y, u, v], 5, 0)), "frame height is 0, expected at least 1");
    let huge = plane(99, usize::MAX, 1);
    for (width, height) in [(usize::MAX, usize::MAX), (1, 3), (usize::MAX, 2)] {
        let error = message(sized([huge, huge, huge], width, height));
        assert!(error.contains("fits in memory"), "{error}");
    }
    let error = message(sized([huge, plane(99, usize::MAX, 2), v2], usize::MAX, 1));
    assert_eq!(error, format!("Y plane is 99 bytes, expected at least {} bytes", usize::MAX));

    let error = message(Rotation::from_degrees(45));
    assert_eq!(error, "rotation is 45, expected 0, 90, 180 or 270 degrees");
    let frame = Yuv420::new([y, u, v], 5, 3, YuvMatrix::Bt601, YuvRange::Full).unwrap();
    for rotation in Rotation::ALL {
        // The size is the frame's, turned or not.
        let mut right = Preprocessor::rotated(&transform(3, 2), 5, 3, rotation).unwrap();
        right.run_yuv420(&frame, &mut [0; 12]).unwrap();
        let error = message(right.run_yuv420(&frame, &mut [0; 13]));
        assert_eq!(error, "output length is 13, expected 12");
        let mut other = Preprocessor::rotated(&transform(3, 2), 3, 5, rotation).unwrap();
        let error = message(other.run_yuv420(&frame, &mut [0; 12]));
        assert_eq!(error, "picture size is 5 x 3, expected 3 x 5");
    }
}

/// Every layout, matrix, range and rotation of one frame.
fn frames_are_their_rgb(
    size: (usize, usize),
    transform: &Preprocessing,
    padding: usize,
    seed: u64,
) {
    let samples = Samples::random(size.0, size.1, seed);
    let mut out = vec![2; 3 * transform.crop * transform.crop];
    for (angles, rotation) in Rotation::ALL.into_iter().enumerate() {
        let mut preprocessor = Preprocessor::rotated(transform, size.0, size.1, rotation).unwrap();
        for (matrix, range) in MATRICES.into_iter().flat_map(|m| RANGES.map(|r| (m, r))) {
            let rgb = samples.rgb(matrix, range);
            let expected = expected(&rgb, size, angles, transform);
            for layout in LAYOUTS {
                let stored = samples.store(layout, padding);
                preprocessor.run_yuv420(&stored.view(matrix, range), &mut out).unwrap();
                let same = out == expected;
                assert!(same, "{layout:?} {matrix:?} {range:?} {rotation:?} {size:?} seed {seed}");
            }
        }
    }
}

#[test]
fn frames_of_a_phone_are_their_rgb() {
    frames_are_their_rgb((640, 480), &transform(256, 224), 0, 1);
    frames_are_their_rgb((479, 641), &transform(232, 224), 33, 2);
    // So flat that columns are resized first when upright, and rows when turned.
    frames_are_their_rgb((40, 1001), &transform(30, 64), 5, 3);
    frames_are_their_rgb((1001, 40), &transform(30, 64), 5, 4);
    // However it is fitted, and with a border.
    for fit in Fit::ALL {
        for (resize, crop) in [(224, 224), (64, 81), (81, 64)] {
            let transform = Preprocessing { fit, ..transform(resize, crop) };
            frames_are_their_rgb((320, 181), &transform, 3, 5);
            frames_are_their_rgb((99, 202), &transform, 0, 6);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn frames_are_their_rgb_at_any_size(
        size in (1..130usize, 1..130usize),
        fit in prop::sample::select(&Fit::ALL[..]),
        resize in 1..70usize,
        crop in 1..70usize,
        padding in 0..40usize,
        seed: u64,
    ) {
        let transform = Preprocessing { fit, ..transform(resize, crop) };
        frames_are_their_rgb(size, &transform, padding, seed);
    }

    #[test]
    fn pixels_turn_like_frames(
        size in (1..130usize, 1..130usize),
        resize in 1..70usize,
        crop in 1..70usize,
        format in prop::sample::select(&[PixelFormat::Rgb, PixelFormat::Bgra, PixelFormat::Grey8]),
        seed: u64,
    ) {
        let bytes = format.bytes_per_pixel();
        let frame = Samples::random(bytes * size.0, size.1, seed).y;
        let pixels = Pixels::new(&frame, size.0, size.1, bytes * size.0, format).unwrap();
        let transform = transform(resize, crop);
        for (angles, rotation) in Rotation::ALL.into_iter().enumerate() {
            let mut out = vec![3; 3 * crop * crop];
            let mut preprocessor =
                Preprocessor::rotated(&transform, size.0, size.1, rotation).unwrap();
            preprocessor.run(&pixels, &mut out).unwrap();
            let rgb: Vec<u8> = match format {
                PixelFormat::Bgra => frame.chunks(4).flat_map(|p| [p[2], p[1], p[0]]).collect(),
                PixelFormat::Grey8 => frame.iter().flat_map(|&grey| [grey; 3]).collect(),
                _ => frame.clone(),
            };
            prop_assert_eq!(&out, &expected(&rgb, size, angles, &transform), "{:?}", rotation);
        }
    }
}
