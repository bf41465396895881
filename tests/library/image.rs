//! The image module against torchvision's transform on Pillow images (`data/image/make_images.py`),
//! and against its own promises.

use std::ops::Range;

use crate::common::message;
use proptest::prelude::*;
use shufflenet::image::{Normalization, PixelFormat, Pixels, Preprocessor, Resizer};
use shufflenet::model::{Fit, Preprocessing};

/// Those that have colours.
const FORMATS: [PixelFormat; 4] =
    [PixelFormat::Rgb, PixelFormat::Bgr, PixelFormat::Rgba, PixelFormat::Bgra];

fn splitmix64(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

fn fnv1a64(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xCBF2_9CE4_8422_2325, |h, &b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01B3))
}

/// The formula of `make_images.py`, as RGB.
fn picture(kind: &str, seed: usize, width: usize, height: usize) -> Vec<u8> {
    let mut values = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            for c in 0..3 {
                values.push(match kind {
                    "noise" => (splitmix64((seed + values.len()) as u64) >> 56) as u8,
                    "rings" => ((x * x + (c + 1) * y * y + seed) >> 3) as u8,
                    "stripes" if (3 * x + 5 * y + 2 * c + seed) % 7 < 3 => 255,
                    "stripes" => 0,
                    _ => panic!("kind {kind}"),
                });
            }
        }
    }
    values
}

/// RGB pixels in another format, `padding` junk bytes after each row but the last.
fn encode(rgb: &[u8], width: usize, format: PixelFormat, padding: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (y, row) in rgb.chunks(3 * width).enumerate() {
        if y > 0 {
            bytes.extend((0..padding).map(|i| (i * 77 + y) as u8));
        }
        for (x, &[r, g, b]) in row.as_chunks::<3>().0.iter().enumerate() {
            let alpha = (x * 5 + y) as u8;
            match format {
                PixelFormat::Rgb => bytes.extend([r, g, b]),
                PixelFormat::Bgr => bytes.extend([b, g, r]),
                PixelFormat::Rgba => bytes.extend([r, g, b, alpha]),
                PixelFormat::Bgra => bytes.extend([b, g, r, alpha]),
                PixelFormat::Grey8 => bytes.push(g),
            }
        }
    }
    bytes
}

fn view(bytes: &[u8], width: usize, height: usize, format: PixelFormat, pad: usize) -> Pixels<'_> {
    Pixels::new(bytes, width, height, width * format.bytes_per_pixel() + pad, format).unwrap()
}

fn transform(resize: usize, crop: usize) -> Preprocessing {
    Preprocessing { resize, crop, ..Preprocessing::imagenet(256) }
}

#[test]
fn crops_are_torchvisions_to_the_bit() {
    let cases = include_str!("../data/image/cases.txt");
    let mut stored = &include_bytes!("../data/image/crops.u8")[..];
    for case in cases.lines() {
        let fields: Vec<&str> = case.split(' ').collect();
        let [kind, seed, width, height, resize, crop, hash, rows] = fields[..] else {
            panic!("{case}")
        };
        let [seed, width, height, resize, crop] =
            [seed, width, height, resize, crop].map(|n| n.parse::<usize>().unwrap());
        let rgb = picture(kind, seed, width, height);
        let mut preprocessor = Preprocessor::new(&transform(resize, crop), width, height).unwrap();
        let mut out = vec![99; crop * crop * 3];

        let rows: Vec<usize> = match rows {
            "all" => (0..crop).collect(),
            rows => rows.split(',').map(|n| n.parse().unwrap()).collect(),
        };
        let (expected, rest) = stored.split_at(rows.len() * crop * 3);
        stored = rest;
        for (format, padding) in FORMATS.into_iter().zip([0, 7, 1, 64]) {
            let bytes = encode(&rgb, width, format, padding);
            preprocessor.run(&view(&bytes, width, height, format, padding), &mut out).unwrap();
            let found = rows.iter().flat_map(|y| &out[y * crop * 3..][..crop * 3]);
            let difference = found.zip(expected).map(|(a, b)| a.abs_diff(*b)).max();
            assert_eq!(difference, Some(0), "{case}, {format:?}");
            assert_eq!(fnv1a64(&out), u64::from_str_radix(hash, 16).unwrap(), "{case}, {format:?}");
        }
    }
    assert!(stored.is_empty());
}

#[test]
fn fits_are_pillows_to_the_bit() {
    let mut fits = [0; 3];
    for case in include_str!("../data/image/fits.txt").lines() {
        let fields: Vec<&str> = case.split(' ').collect();
        let [kind, seed, width, height, fit, resize, crop, hash] = fields[..] else {
            panic!("{case}")
        };
        let [seed, width, height, resize, crop] =
            [seed, width, height, resize, crop].map(|n| n.parse::<usize>().unwrap());
        let fit = Fit::ALL.into_iter().find(|it| it.name() == fit).unwrap();
        fits[fit as usize] += 1;
        let rgb = picture(kind, seed, width, height);
        let preprocessing = Preprocessing { fit, ..transform(resize, crop) };
        let mut preprocessor = Preprocessor::new(&preprocessing, width, height).unwrap();
        let mut out = vec![99; crop * crop * 3];
        for (format, padding) in FORMATS.into_iter().zip([0, 7, 1, 64]) {
            let bytes = encode(&rgb, width, format, padding);
            preprocessor.run(&view(&bytes, width, height, format, padding), &mut out).unwrap();
            assert_eq!(fnv1a64(&out), u64::from_str_radix(hash, 16).unwrap(), "{case}, {format:?}");
        }
    }
    assert!(fits.iter().all(|&cases| cases > 20), "{fits:?}");
}

#[test]
fn padding_has_the_means_colour() {
    let preprocessing = Preprocessing {
        fit: Fit::Pad,
        // Halves go to the even number, as in Python; what is no colour is cut off.
        mean: [0.5, 0.3, 2.0],
        ..transform(2, 4)
    };
    let mut out = [0; 48];
    let mut preprocessor = Preprocessor::new(&preprocessing, 2, 1).unwrap();
    preprocessor.run(&view(&[9; 6], 2, 1, PixelFormat::Rgb, 0), &mut out).unwrap();
    for (i, pixel) in out.as_chunks::<3>().0.iter().enumerate() {
        let inside = i / 4 == 1 && (1..3).contains(&(i % 4));
        assert_eq!(*pixel, if inside { [9; 3] } else { [128, 76, 255] }, "{i}");
    }
}

#[test]
fn another_crop_keeps_the_proportion() {
    let resize = |preprocessing: Preprocessing, crop| {
        let other = preprocessing.with_crop(crop);
        assert_eq!(Preprocessing { resize: other.resize, crop, ..preprocessing }, other);
        other.resize
    };
    let imagenet = Preprocessing::imagenet(256);
    assert_eq!([224, 448, 32, 1].map(|crop| resize(imagenet, crop)), [256, 512, 37, 1]);
    assert_eq!(resize(Preprocessing::imagenet(232), 112), 116);
    assert_eq!(resize(transform(0, 0), 7), 1);
    assert_eq!(resize(transform(usize::MAX, 1), usize::MAX), usize::MAX);
}

#[test]
fn floats_are_torchvisions_to_the_bit() {
    let stored = include_bytes!("../data/image/normalization.f32");
    let sets = [
        Normalization::new([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]).unwrap(),
        Normalization::new([0.5, 0.0, 1.0], [0.5, 1.0, -3.0]).unwrap(),
    ];
    // A row in which every channel runs through all values, each at its own pace.
    let value = |x: usize, c: usize| (x * [1, 3, 7][c] + c * 50) as u8;
    let rgb: Vec<u8> = (0..2 * 256 * 3).map(|i| value(i % 768 / 3, i % 3)).collect();
    assert_eq!(stored.len(), sets.len() * 3 * 256 * 4);
    for (set, stored) in sets.iter().zip(stored.chunks(3 * 256 * 4)) {
        for format in FORMATS {
            let bytes = encode(&rgb, 256, format, 5);
            let mut out = vec![f32::NAN; 3 * 256];
            set.row(&view(&bytes, 256, 2, format, 5), 1, &mut out).unwrap();
            for (i, found) in out.iter().enumerate() {
                let (x, c) = (i / 3, i % 3);
                let at = (c * 256 + usize::from(value(x, c))) * 4;
                let expected = f32::from_le_bytes(stored[at..at + 4].try_into().unwrap());
                assert_eq!(found.to_bits(), expected.to_bits(), "{format:?} pixel {x} channel {c}");
            }
        }
    }
}

#[test]
fn wrong_views_are_errors() {
    let new = |len: usize, width, height, stride, format| {
        Pixels::new(&vec![0; len], width, height, stride, format).map(|_| ())
    };
    let rgb = PixelFormat::Rgb;
    // The last row needs no padding; one byte less is too little.
    assert!(new(20 + 9, 3, 3, 10, rgb).is_ok());
    assert_eq!(
        message(new(28, 3, 3, 10, rgb)),
        "pixel data is 28 bytes, expected at least 29 bytes"
    );
    assert_eq!(message(new(99, 3, 3, 8, rgb)), "row stride is 8, expected at least 9 bytes");
    assert_eq!(
        message(new(99, 3, 3, 11, PixelFormat::Bgra)),
        "row stride is 11, expected at least 12 bytes"
    );
    assert_eq!(message(new(99, 0, 3, 9, rgb)), "picture width is 0, expected at least 1");
    assert_eq!(message(new(99, 3, 0, 9, rgb)), "picture height is 0, expected at least 1");
    for (width, height, stride) in [
        (usize::MAX, 1, usize::MAX),
        (1, usize::MAX, usize::MAX),
        (1, 3, usize::MAX / 2),
        (1, 2, usize::MAX - 1),
    ] {
        assert!(message(new(99, width, height, stride, rgb)).contains("fits in memory"));
    }
}

#[test]
fn wrong_normalisations_are_errors() {
    let new = |mean, std| message(Normalization::new([0.5, mean, 0.5], [0.25, 0.25, std]));
    assert_eq!(new(f32::NAN, 0.25), "mean is NaN, expected a finite number");
    assert_eq!(new(0.5, 0.0), "std is 0, expected a finite number other than 0");
    assert_eq!(new(0.5, f32::INFINITY), "std is inf, expected a finite number other than 0");
    assert!(new(0.5, 1e-45).contains("keeps values finite"));
}

#[test]
fn wrong_sizes_are_errors() {
    let new = |resize, crop, width, height| {
        message(Preprocessor::new(&transform(resize, crop), width, height))
    };
    assert_eq!(new(256, 224, 0, 9), "width is 0, expected at least 1");
    assert_eq!(new(256, 224, 9, 0), "height is 0, expected at least 1");
    assert_eq!(new(0, 224, 9, 9), "resize is 0, expected at least 1");
    assert_eq!(new(256, 0, 9, 9), "crop is 0, expected a smaller size, at least 1");
    assert_eq!(new(256, 224, 9, (1 << 20) + 1), "source height is 1048577, expected 1 to 1048576");
    new(usize::MAX, 224, 9, 10);
    new(256, usize::MAX, 9, 9);
    new(usize::MAX, usize::MAX, 1, usize::MAX);
    for fit in [Fit::Stretch, Fit::Pad] {
        let new = |resize, width, height| {
            Preprocessor::new(&Preprocessing { fit, ..transform(resize, 224) }, width, height)
        };
        message(new(256, 0, 9));
        message(new(usize::MAX, usize::MAX, 1));
        _ = new(usize::MAX, 9, 10);
        new(256, 1 << 20, 1).unwrap();
    }
    let many = 1 << 20;
    new(many * 64, many * 64, many, many);

    assert!(message(Resizer::new((many, many), (many / 2, 1))).contains("smaller"));
    message(Resizer::new((many, many), (usize::MAX, usize::MAX)));
    message(Resizer::new((5, 5), (0, 5)));
    message(Resizer::cropped((5, 5), (9, 9), 0..9, 5..10));
    message(Resizer::cropped((5, 5), (9, 9), 4..4, 0..9));

    let mut preprocessor = Preprocessor::new(&transform(8, 6), 9, 10).unwrap();
    let bytes = vec![0; 300];
    let right = view(&bytes, 9, 10, PixelFormat::Rgb, 0);
    let turned = view(&bytes, 10, 9, PixelFormat::Rgb, 0);
    preprocessor.run(&right, &mut [0; 108]).unwrap();
    let error = message(preprocessor.run(&right, &mut [0; 107]));
    assert_eq!(error, "output length is 107, expected 108");
    let error = message(preprocessor.run(&turned, &mut [0; 108]));
    assert_eq!(error, "picture size is 10 x 9, expected 9 x 10");
}

#[test]
fn the_longest_ribbon_costs_no_more_than_its_crop() {
    // Resized it would be 2^28 x 256; the crop is computed from 1 / 1.1 million of that.
    let length = 1 << 20;
    let bytes: Vec<u8> = (0..3 * length).map(|i| (i / 3 * 255 / length) as u8).collect();
    let mut preprocessor = Preprocessor::new(&transform(256, 224), length, 1).unwrap();
    let mut out = vec![0; 224 * 224 * 3];
    preprocessor.run(&view(&bytes, length, 1, PixelFormat::Rgb, 0), &mut out).unwrap();
    assert!(out.iter().all(|&v| v == 127 || v == 128));
}

#[test]
fn white_stays_white_where_the_weights_round_up() {
    // The weights go from 3.5 to 7 / 2^22, and more of them round up than down: they add up to 1.007.
    let length = 798_915;
    let bytes = vec![255; 3 * length];
    let mut out = [0; 3];
    let mut resizer = Resizer::new((length, 1), (1, 1)).unwrap();
    resizer.run(&view(&bytes, length, 1, PixelFormat::Rgb, 0), &mut out).unwrap();
    assert_eq!(out, [255; 3]);
}

fn sizes() -> impl Strategy<Value = (usize, usize)> {
    (1..200usize, 1..200usize)
}

fn within(size: usize) -> impl Strategy<Value = Range<usize>> {
    (0..size, 0..size).prop_map(|(a, b)| a.min(b)..a.max(b) + 1)
}

proptest! {
    #[test]
    fn a_grey_value_is_all_three(
        (width, height) in sizes(),
        resized in sizes(),
        (resize, crop) in sizes(),
        padding in 0..9usize,
        seed in 0..1000usize,
    ) {
        let mut rgb = picture("noise", seed, width, height);
        rgb.as_chunks_mut::<3>().0.iter_mut().for_each(|pixel| *pixel = [pixel[1]; 3]);
        let mut preprocessor = Preprocessor::new(&transform(resize, crop), width, height).unwrap();
        let mut resizer = Resizer::new((width, height), resized).unwrap();
        let normalization = Normalization::new([0.4, 0.5, 0.6], [0.2, 0.3, 0.25]).unwrap();
        let [expected, found] = [PixelFormat::Rgb, PixelFormat::Grey8].map(|format| {
            let bytes = encode(&rgb, width, format, padding);
            let pixels = view(&bytes, width, height, format, padding);
            let mut square = vec![seed as u8; crop * crop * 3];
            preprocessor.run(&pixels, &mut square).unwrap();
            let mut picture = vec![0; resized.0 * resized.1 * 3];
            resizer.run(&pixels, &mut picture).unwrap();
            let mut row = vec![0.0; 3 * width];
            normalization.row(&pixels, height - 1, &mut row).unwrap();
            (square, picture, row.into_iter().map(f32::to_bits).collect::<Vec<_>>())
        });
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn a_format_is_only_an_order(
        (width, height) in sizes(),
        resize in 1..100usize,
        crop in 1..100usize,
        padding in 0..9usize,
        seed in 0..1000usize,
    ) {
        let rgb = picture("noise", seed, width, height);
        let mut preprocessor = Preprocessor::new(&transform(resize, crop), width, height).unwrap();
        let normalization = Normalization::new([0.4, 0.5, 0.6], [0.2, 0.3, 0.25]).unwrap();
        let mut results = FORMATS.map(|format| {
            let bytes = encode(&rgb, width, format, padding);
            let pixels = view(&bytes, width, height, format, padding);
            let mut out = vec![seed as u8; crop * crop * 3];
            preprocessor.run(&pixels, &mut out).unwrap();
            let mut row = vec![0.0; 3 * width];
            normalization.row(&pixels, height - 1, &mut row).unwrap();
            (out, row)
        }).into_iter();
        let first = results.next().unwrap();
        for other in results {
            prop_assert_eq!(&first, &other);
        }
    }

    #[test]
    fn a_window_is_a_part_of_the_whole(
        source in sizes(),
        (resized, columns, rows) in (1..80usize, 1..80usize)
            .prop_flat_map(|(w, h)| (Just((w, h)), within(w), within(h))),
        seed in 0..1000usize,
    ) {
        let rgb = picture("noise", seed, source.0, source.1);
        let pixels = view(&rgb, source.0, source.1, PixelFormat::Rgb, 0);
        let mut whole = vec![0; resized.0 * resized.1 * 3];
        Resizer::new(source, resized).unwrap().run(&pixels, &mut whole).unwrap();

        let mut window = Resizer::cropped(source, resized, columns.clone(), rows.clone()).unwrap();
        prop_assert_eq!(window.output_size(), (columns.len(), rows.len()));
        let mut part = vec![0; columns.len() * rows.len() * 3];
        window.run(&pixels, &mut part).unwrap();
        for (y, part) in rows.zip(part.chunks(columns.len() * 3)) {
            prop_assert_eq!(part, &whole[(y * resized.0 + columns.start) * 3..][..part.len()]);
        }
    }

    #[test]
    fn a_flat_picture_stays_flat(source in sizes(), resized in sizes(), value: u8) {
        let bytes = vec![value; source.0 * source.1 * 3];
        let pixels = view(&bytes, source.0, source.1, PixelFormat::Rgb, 0);
        let mut out = vec![0; resized.0 * resized.1 * 3];
        Resizer::new(source, resized).unwrap().run(&pixels, &mut out).unwrap();
        prop_assert!(out.iter().all(|&v| v == value));
    }
}
