//! Sessions: the same bits whatever the caller decides, and clear errors.

use crate::common;
use crate::common::{bits, float64, relative_error};
use proptest::prelude::*;
use shufflenet::cpu::{Cpu, Level};
use shufflenet::image::{PixelFormat, Pixels};
use shufflenet::model::{Architecture, Stage};
use shufflenet::{Activation, Input, Network, Session, SessionOptions, Threads};

/// Small stages, so that odd shapes are quick.
fn architecture(half: [usize; 3], units: [usize; 3], features: usize) -> Architecture {
    Architecture {
        stem_channels: 6,
        stages: [0, 1, 2].map(|i| Stage { units: units[i], channels: 2 * half[i] }),
        feature_channels: features,
        classes: 5,
    }
}

fn network(architecture: &Architecture, level: Level) -> Network {
    let cpu = Cpu::detect().with_level(level).unwrap();
    Network::for_cpu(common::model(architecture), cpu)
}

/// Features and logits of an image, as bits.
fn run(network: &Network, options: SessionOptions, image: &[f32]) -> Vec<u32> {
    let mut session = Session::new(network, &options).unwrap();
    let output = session.run(&[Input::Nchw(image)]).unwrap();
    bits(&[output.features(), output.logits()].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_shape_is_near_float64(
        half in prop::array::uniform3(8usize..24), units in prop::array::uniform3(1usize..6),
        features in 32usize..50, height in 1usize..70, width in 1usize..70,
    ) {
        // Wide enough that not all of a layer cancels out, which would make any error large.
        let architecture = Architecture { classes: 40, ..architecture(half, units, features) };
        let model = common::model(&architecture);
        let image = common::input(height, width);
        let expected = float64::run(&model, height, width, &image);
        for level in Level::available() {
            let network = Network::for_cpu(model.clone(), Cpu::detect().with_level(level).unwrap());
            let size = Some((height, width));
            let options = SessionOptions { input_size: size, ..SessionOptions::default() };
            let mut session = Session::new(&network, &options).unwrap();
            let output = session.run(&[Input::Nchw(&image)]).unwrap();
            let errors = [
                relative_error(output.features(), &expected.features),
                relative_error(output.logits(), &expected.logits),
            ];
            prop_assert!(errors.iter().all(|&error| error <= 1e-5), "{level}: {errors:?}");
        }
    }

    #[test]
    fn bands_do_not_change_bits(
        half in prop::array::uniform3(1usize..20), units in prop::array::uniform3(1usize..6),
        height in 1usize..70, width in 1usize..70,
    ) {
        let architecture = architecture(half, units, 9);
        let image = common::input(height, width);
        for level in Level::available() {
            let network = network(&architecture, level);
            let size = Some((height, width));
            let options = SessionOptions { input_size: size, ..SessionOptions::default() };
            let expected = run(&network, options, &image);
            for rows in [1, 2, 3, 5, usize::MAX] {
                let options = SessionOptions { band_rows: Some(rows), ..options };
                prop_assert_eq!(&run(&network, options, &image), &expected, "{} rows", rows);
            }
            let options = SessionOptions { keep_activations: true, ..options };
            prop_assert_eq!(&run(&network, options, &image), &expected, "all rows kept");
        }
    }
}

#[test]
fn batches_do_not_change_bits() {
    let (height, width) = (41, 38);
    let network = network(&Architecture::X0_5, Level::Reference);
    let size = Some((height, width));
    let images: Vec<Vec<f32>> = (0..6)
        .map(|i| common::formula(&format!("image {i}"), 3 * height * width, -2.0, 2.0))
        .collect();
    let single = SessionOptions { input_size: size, ..SessionOptions::default() };
    let expected: Vec<_> = images.iter().map(|image| run(&network, single, image)).collect();
    let options = SessionOptions { batch: Some(6), ..single };
    let mut session = Session::new(&network, &options).unwrap();
    let inputs: Vec<Input> = images.iter().map(|image| Input::Nchw(image)).collect();
    for count in [6, 1, 2, 5, 4] {
        let output = session.run(&inputs[..count]).unwrap();
        assert_eq!(output.images(), count);
        for (i, expected) in expected[..count].iter().enumerate() {
            let features = output.features().chunks_exact(1024).nth(i).unwrap();
            let logits = output.logits_of(i).unwrap();
            assert_eq!(&bits(&[features, logits].concat()), expected);
        }
        assert!(output.logits_of(count).is_none());
    }
}

#[test]
fn every_form_of_an_image_gives_the_same_bits() {
    let network = network(&architecture([5, 8, 7], [3, 2, 2], 12), Level::Reference);
    for size in [(1, 1), (2, 4), (3, 1), (4, 5), (5, 3), (6, 2), (19, 23), (36, 7)] {
        for threads in [1, 3] {
            let threads = Threads::Exactly(threads);
            let options =
                SessionOptions { input_size: Some(size), threads, ..SessionOptions::default() };
            every_form_gives_the_same_bits(&network, &options, size);
        }
    }
}

fn every_form_gives_the_same_bits(
    network: &Network,
    options: &SessionOptions,
    (height, width): (usize, usize),
) {
    let rgb: Vec<u8> = (0..3 * height * width).map(|i| (i * 89 % 256) as u8).collect();
    let normalised = |i: usize| {
        let preprocessing = network.preprocessing();
        let (value, colour) = (f32::from(rgb[i]) / 255.0, i % 3);
        (value - preprocessing.mean[colour]) / preprocessing.std[colour]
    };
    let nhwc: Vec<f32> = (0..rgb.len()).map(normalised).collect();
    let plane = |colour: usize| nhwc[colour..].iter().step_by(3).copied();
    let nchw: Vec<f32> = (0..3).flat_map(plane).collect();
    let expected = run(network, *options, &nchw);

    let mut session = Session::new(network, options).unwrap();
    let mut check = |input: Input, what: &str| {
        let output = session.run(&[input]).unwrap();
        let found = bits(&[output.features(), output.logits()].concat());
        assert_eq!(found, expected, "{what}, {height} x {width}, {:?}", options.threads);
    };
    check(Input::Nhwc(&nhwc), "NHWC");
    for (format, order) in [
        (PixelFormat::Rgb, &[0, 1, 2][..]),
        (PixelFormat::Bgr, &[2, 1, 0]),
        (PixelFormat::Rgba, &[0, 1, 2, 0]),
        (PixelFormat::Bgra, &[2, 1, 0, 0]),
    ] {
        let stride = width * order.len() + 5;
        let mut data = vec![77; height * stride];
        for (row, rgb) in data.chunks_exact_mut(stride).zip(rgb.chunks_exact(3 * width)) {
            for (pixel, rgb) in row.chunks_exact_mut(order.len()).zip(rgb.chunks_exact(3)) {
                pixel.iter_mut().zip(order).for_each(|(byte, &from)| *byte = rgb[from]);
            }
        }
        let pixels = Pixels::new(&data, width, height, stride, format).unwrap();
        check(Input::Pixels(pixels), &format!("{format:?}"));
    }
}

/// NaN and infinities wherever they may be are errors that say where; the session goes on.
#[test]
fn floats_that_are_not_finite_are_refused_by_place() {
    let network = network(&architecture([5, 8, 7], [2, 2, 2], 12), Level::Portable);
    for (height, width) in [(1, 1), (2, 3), (5, 4), (19, 23), (36, 7), (7, 70)] {
        let good = common::input(height, width);
        for (batch, threads) in [(1, 1), (1, 2), (5, 1), (5, 2)] {
            let options = SessionOptions {
                input_size: Some((height, width)),
                batch: Some(batch),
                threads: Threads::Exactly(threads),
                ..SessionOptions::default()
            };
            let mut session = Session::new(&network, &options).unwrap();
            let mut results = |images: &[Input]| {
                let output = session.run(images).map_err(|error| error.to_string())?;
                Ok::<_, String>(bits(&[output.features(), output.logits()].concat()))
            };
            let expected = results(&vec![Input::Nchw(&good); batch]).unwrap();
            let (middle, last) = ((height / 2, width / 2), (height - 1, width - 1));
            let places = [(0, 0), (0, last.1), (last.0, 0), last, middle];
            let values = [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")];
            for (i, (row, column)) in places.into_iter().enumerate() {
                let ((value, name), colour, image) = (values[i % 3], (i + 1) % 3, i % batch);
                let place = format!(
                    "image {image} is {name} in {} at row {row}, column {column}, expected finite \
                     numbers: pixels normalised with the network's mean and std",
                    ["red", "green", "blue"][colour]
                );
                let mut nchw = good.clone();
                nchw[(colour * height + row) * width + column] = value;
                let mut nhwc: Vec<f32> =
                    (0..good.len()).map(|i| good[i % 3 * height * width + i / 3]).collect();
                nhwc[3 * (row * width + column) + colour] = value;
                for bad in [Input::Nchw(&nchw), Input::Nhwc(&nhwc)] {
                    let mut images = vec![Input::Nchw(&good); batch];
                    images[image] = bad;
                    let error = results(&images).unwrap_err();
                    assert_eq!(error, place, "{height} x {width}, {threads} threads");
                    // Of several the first.
                    images[image..].fill(bad);
                    assert_eq!(results(&images).unwrap_err(), place);
                    // Nothing of it is left.
                    assert!(results(&vec![Input::Nchw(&good); batch]).unwrap() == expected);
                }
            }
            // As large as a number can be.
            let huge = vec![f32::MAX; good.len()];
            let small = vec![f32::MIN; good.len()];
            for images in [vec![Input::Nchw(&huge); batch], vec![Input::Nhwc(&small); batch]] {
                results(&images).unwrap();
            }
        }
    }
    let mut session = Session::new(&network, &SessionOptions::default()).unwrap();
    let nan = vec![f32::NAN; 3 * 224 * 224];
    assert!(session.profile(Input::Nhwc(&nan)).is_err());
}

#[test]
fn grey_pixels_give_the_bits_of_their_rgb() {
    let network = network(&architecture([5, 8, 7], [3, 2, 2], 12), Level::Portable);
    for (height, width) in [(1, 1), (3, 2), (5, 4), (19, 23), (36, 7), (2, 131)] {
        for threads in [1, 2] {
            let options = SessionOptions {
                input_size: Some((height, width)),
                threads: Threads::Exactly(threads),
                ..SessionOptions::default()
            };
            let mut session = Session::new(&network, &options).unwrap();
            let stride = width + 3;
            // The last row ends early.
            let grey: Vec<u8> = (0..height * stride - 3).map(|i| (i * 89 % 256) as u8).collect();
            let rgb: Vec<u8> =
                grey.chunks(stride).flat_map(|row| &row[..width]).flat_map(|&x| [x; 3]).collect();
            let mut results = |bytes: &[u8], stride, format| {
                let pixels = Pixels::new(bytes, width, height, stride, format).unwrap();
                let output = session.run(&[Input::Pixels(pixels)]).unwrap();
                bits(&[output.features(), output.logits()].concat())
            };
            let expected = results(&rgb, 3 * width, PixelFormat::Rgb);
            assert_eq!(results(&grey, stride, PixelFormat::Grey8), expected, "{height} x {width}");
        }
    }
}

#[test]
fn two_masks_share_one_network() {
    let network = network(&Architecture::X0_5, Level::Portable);
    let image = common::input(64, 48);
    let options = |level| SessionOptions {
        input_size: Some((64, 48)),
        cpu: Some(Cpu::detect().with_level(level).unwrap()),
        ..SessionOptions::default()
    };
    let reference = Network::for_cpu(
        common::model(&Architecture::X0_5),
        Cpu::detect().with_level(Level::Reference).unwrap(),
    );
    let expected = run(&reference, options(Level::Reference), &image);
    assert_eq!(run(&network, options(Level::Reference), &image), expected);
}

#[test]
fn the_arena_holds_bands_and_not_whole_layers() {
    let network = Network::new(common::model(&Architecture::X1_0)).unwrap();
    assert_eq!(network.cpu(), Cpu::from_env().unwrap());
    let bytes = |keep_activations| {
        let options = SessionOptions { keep_activations, ..SessionOptions::default() };
        Session::new(&network, &options).unwrap().arena_bytes()
    };
    // The first convolution's output alone would be 1.2 MB.
    assert!(bytes(false) < 900_000, "{}", bytes(false));
    assert!(bytes(true) > 3_000_000, "{}", bytes(true));
}

#[test]
fn activations_are_kept_only_on_request() {
    let network = network(&architecture([4, 4, 4], [2, 2, 2], 8), Level::Reference);
    let size = Some((33, 18));
    let mut options = SessionOptions { input_size: size, ..SessionOptions::default() };
    let image = common::input(33, 18);
    for keep in [false, true] {
        options.keep_activations = keep;
        let mut session = Session::new(&network, &options).unwrap();
        session.run(&[Input::Nchw(&image)]).unwrap();
        let shape = |which| session.activation(which).map(|(shape, _)| shape);
        assert_eq!(shape(Activation::Conv1), keep.then_some([6, 17, 9]));
        assert_eq!(shape(Activation::Stage(2)), keep.then_some([8, 5, 3]));
        assert_eq!(shape(Activation::Conv5), keep.then_some([8, 2, 1]));
        assert_eq!(shape(Activation::Stage(5)), None);
    }
}

#[test]
fn wrong_options_and_images_are_refused_by_name() {
    let network = network(&architecture([4, 4, 4], [1, 1, 1], 8), Level::Reference);
    let message = |options: SessionOptions| match Session::new(&network, &options) {
        Ok(_) => panic!("a session was made with {options:?}"),
        Err(error) => error.to_string(),
    };
    let default = SessionOptions::default();
    let size = |size| SessionOptions { input_size: Some(size), ..default };
    assert_eq!(message(size((0, 5))), "input size is 0 x 5, expected 1 to 67108864 pixels");
    assert_eq!(
        message(size((usize::MAX, 2))),
        format!("input size is {} x 2, expected 1 to 67108864 pixels", usize::MAX)
    );
    let batch = |batch| SessionOptions { batch: Some(batch), ..size((1, 1)) };
    assert_eq!(message(batch(0)), "batch is 0, expected at least 1");
    assert!(message(batch(usize::MAX)).contains("fit in memory"));
    assert!(message(size((1 << 13, (1 << 13) + 1))).contains("expected 1 to 67108864 pixels"));
    let bands = SessionOptions { band_rows: Some(0), ..default };
    assert_eq!(message(bands), "band rows is 0, expected at least 1");

    let mut session = Session::new(&network, &size((4, 6))).unwrap();
    let floats = [0.0; 72];
    let fails = |session: &mut Session, images: &[Input]| match session.run(images) {
        Ok(_) => panic!("{} images ran", images.len()),
        Err(error) => error.to_string(),
    };
    let image = Input::Nchw(&floats);
    assert_eq!(fails(&mut session, &[]), "number of images is 0, expected 1 to 1");
    assert_eq!(fails(&mut session, &[image, image]), "number of images is 2, expected 1 to 1");
    assert_eq!(
        fails(&mut session, &[Input::Nhwc(&floats[1..])]),
        "number of floats in the image is 71, expected 3 x 4 x 6"
    );
    let bytes = [0; 72];
    let turned = Pixels::new(&bytes, 4, 6, 12, PixelFormat::Rgb).unwrap();
    assert_eq!(
        fails(&mut session, &[Input::Pixels(turned)]),
        "size of the image is 6 x 4, expected 4 x 6"
    );
    assert!(session.run(&[image]).is_ok());
}
