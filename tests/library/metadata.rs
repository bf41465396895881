//! What a file says about its model: labels, preprocessing, the order of colours, and provenance.

use crate::common::message;
use crate::support;
use std::collections::HashMap;

use safetensors::{SafeTensors, serialize};
use shufflenet::image::{PixelFormat, Pixels};
use shufflenet::model::{Fit, Model, Preprocessing};
use shufflenet::weights::{self, StateDict};
use shufflenet::{Error, Input, Network, Session, SessionOptions};

/// A small network of 3 classes with these texts in its metadata.
fn with(metadata: &[(&str, &str)]) -> Vec<u8> {
    let file = support::file("f32.safetensors");
    let tensors = SafeTensors::deserialize(&file).unwrap();
    let metadata: HashMap<String, String> =
        metadata.iter().map(|(key, text)| (key.to_string(), text.to_string())).collect();
    serialize(tensors.iter(), Some(metadata)).unwrap()
}

fn load(metadata: &[(&str, &str)]) -> Result<Model, Error> {
    weights::from_bytes(&with(metadata))
}

const ALL: [(&str, &str); 9] = [
    ("shufflenet.fit", "pad"),
    ("shufflenet.labels", r#" ["T-shirt/top", "", "\"Größe\"\n\u0041"] "#),
    ("shufflenet.resize", "40"),
    ("shufflenet.crop", "32"),
    ("shufflenet.mean", "[0.1, 2e-1,0]"),
    ("shufflenet.std", " [1, 0.25,\n1E+1]"),
    ("shufflenet.channels", "rgb"),
    ("shufflenet.provenance", "Made for a test."),
    ("format", "pt"),
];

#[test]
fn a_file_describes_its_model() {
    let model = load(&ALL).unwrap();
    let labels: Vec<&str> = model.labels().iter().map(|label| &**label).collect();
    assert_eq!(labels, ["T-shirt/top", "", "\"Größe\"\nA"]);
    let expected = Preprocessing {
        fit: Fit::Pad,
        resize: 40,
        crop: 32,
        mean: [0.1, 0.2, 0.0],
        std: [1.0, 0.25, 10.0],
    };
    assert_eq!(model.preprocessing(), &expected);
    assert_eq!(model.provenance(), Some("Made for a test."));

    let network = Network::new(model.clone()).unwrap();
    assert_eq!(network.labels(), model.labels());
    assert_eq!(network.provenance(), model.provenance());
    let session = Session::new(&network, &SessionOptions::default()).unwrap();
    assert_eq!(session.input_size(), (32, 32));
}

#[test]
fn what_is_not_said_is_torchvisions() {
    let bare = load(&[]).unwrap();
    let default = Preprocessing::imagenet(256);
    assert_eq!(bare.preprocessing(), &default);
    assert_eq!((bare.labels().len(), bare.provenance()), (0, None));
    // Others' keys are their own business.
    assert_eq!(
        load(&[("labels", "[]"), ("shufflenet", "["), ("shufflenets.fit", "")]).unwrap(),
        bare
    );

    let one = |key: &str| {
        let found = ALL.into_iter().find(|entry| entry.0 == key).unwrap();
        *load(&[found]).unwrap().preprocessing()
    };
    assert_eq!(one("shufflenet.resize"), Preprocessing { resize: 40, ..default });
    assert_eq!(one("shufflenet.mean"), Preprocessing { mean: [0.1, 0.2, 0.0], ..default });
    assert_eq!(one("shufflenet.std"), Preprocessing { std: [1.0, 0.25, 10.0], ..default });
}

#[test]
fn the_resize_follows_fit_and_crop() {
    let sizes = |metadata: &[(&str, &str)]| {
        let Preprocessing { fit, resize, crop, .. } = *load(metadata).unwrap().preprocessing();
        (fit, resize, crop)
    };
    let (fit, resize, crop) = ("shufflenet.fit", "shufflenet.resize", "shufflenet.crop");
    assert_eq!(sizes(&[(crop, "448")]), (Fit::Crop, 512, 448));
    assert_eq!(sizes(&[(crop, "2048")]), (Fit::Crop, 2341, 2048));
    assert_eq!(sizes(&[(fit, "crop"), (crop, "32")]), (Fit::Crop, 37, 32));
    assert_eq!(sizes(&[(fit, "stretch")]), (Fit::Stretch, 224, 224));
    assert_eq!(sizes(&[(fit, "pad"), (crop, "96")]), (Fit::Pad, 96, 96));
    // Torchvision's Resize((256, 256)) and CenterCrop(224).
    let both = [(fit, "stretch"), (resize, "256"), (crop, "224")];
    assert_eq!(sizes(&both), (Fit::Stretch, 256, 224));
    // As asked, with a border.
    let border = [(resize, "100")];
    assert_eq!(sizes(&border), (Fit::Crop, 100, 224));
    assert!(load(&border).unwrap().preprocessing().has_black_border());
    assert!(!load(&both).unwrap().preprocessing().has_black_border());
    let padded = [(fit, "pad"), (resize, "100")];
    assert!(!load(&padded).unwrap().preprocessing().has_black_border());
}

#[test]
fn unknown_keys_are_errors_that_list_the_known() {
    let known = "shufflenet.channels, shufflenet.crop, shufflenet.epsilon, shufflenet.fit, \
                 shufflenet.labels, shufflenet.mean, shufflenet.provenance, shufflenet.resize, \
                 shufflenet.std, shufflenet.stem_stride";
    for key in ["shufflenet.lables", "shufflenet.new", "shufflenet.", "shufflenet.Mean"] {
        let error = load(&[ALL[1], (key, "[0,0,0]")]).unwrap_err().to_string();
        assert_eq!(error, format!("metadata `{key}` is unknown, expected one of {known}"));
    }
    let error = load(&[(&format!("shufflenet.{}", "é".repeat(100_000)), "")]).unwrap_err();
    assert!(matches!(error, Error::MetadataKey { .. }));
    let error = error.to_string();
    assert!(error.contains("éé…` is unknown") && error.len() < 400, "{error}");
}

#[test]
fn what_is_said_since_counts_as_the_files() {
    let file = with(&ALL);
    let mut state = StateDict::read(&file).unwrap();
    for (key, text) in [("fit", "stretch"), ("resize", "50"), ("labels", r#"["x","y","z"]"#)] {
        state.metadata_mut().insert(format!("shufflenet.{key}"), text.to_owned());
    }
    let model = state.to_model().unwrap();
    let expected =
        Preprocessing { fit: Fit::Stretch, resize: 50, ..*load(&ALL).unwrap().preprocessing() };
    assert_eq!(model.preprocessing(), &expected);
    assert_eq!(state.preprocessing().unwrap(), expected);
    assert_eq!(&*model.labels()[2], "z");
    let mut written = Vec::new();
    state.write_safetensors(&mut written).unwrap();
    assert_eq!(weights::from_bytes(&written).unwrap(), model);
    state.metadata_mut().insert("shufflenet.std".to_owned(), "[]".to_owned());
    assert_eq!(message(state.preprocessing()), message(state.to_model()));
}

#[test]
fn wrong_texts_are_errors_with_their_key() {
    let labels = "a JSON array of texts";
    let size = "a whole number from 1 to 2048";
    let three = "a JSON array of three numbers, with at most 19 digits and exponents to 27";
    let epsilon = "a number above 0 and up to 1, with at most 19 digits and exponents to 27";
    let mean = "numbers from 0 to 1, of colours divided by 255";
    let std = "numbers from 0.001 to 10, of colours divided by 255";
    let fit = "`crop`, `stretch` or `pad`";
    let cases = [
        ("labels", r#"["a","b"]"#, "2 names", "3, one for each class"),
        ("labels", r#"["a","b","c","d"]"#, "4 names", "3, one for each class"),
        ("labels", "[]", "0 names", "3, one for each class"),
        ("labels", "", "``", labels),
        ("labels", "a, b, c", "`a, b, c`", labels),
        ("labels", r#"["a","b",3]"#, r#"`["a","b",3]`"#, labels),
        ("labels", r#"["a","b","c",]"#, r#"`["a","b","c",]`"#, labels),
        ("labels", r#"["a","b","c"]]"#, r#"`["a","b","c"]]`"#, labels),
        ("resize", "0", "`0`", size),
        ("resize", "2049", "`2049`", size),
        ("crop", "", "``", size),
        ("crop", "-1", "`-1`", size),
        ("crop", "99999999999999999999", "`99999999999999999999`", size),
        ("crop", "224.0", "`224.0`", size),
        ("crop", "224 ", "`224 `", size),
        ("mean", "0.5", "`0.5`", three),
        ("mean", "[0.5,0.5]", "`[0.5,0.5]`", three),
        ("mean", "[0,0,0,0]", "`[0,0,0,0]`", three),
        ("mean", "[0,0,NaN]", "`[0,0,NaN]`", three),
        ("mean", "[0,0,-]", "`[0,0,-]`", three),
        ("mean", "[0,0,00.5]", "`[0,0,00.5]`", three),
        ("mean", "[0,0,1.]", "`[0,0,1.]`", three),
        ("mean", "[0,0,.5]", "`[0,0,.5]`", three),
        ("mean", "[0,0,1e]", "`[0,0,1e]`", three),
        ("mean", "[0,0,+1]", "`[0,0,+1]`", three),
        ("mean", "[0,0,\"1\"]", "`[0,0,\"1\"]`", three),
        ("mean", "[0,0,1e39]", "`[0,0,1e39]`", three),
        ("mean", "[123.675,116.28,103.53]", "`[123.675,116.28,103.53]`", mean),
        ("mean", "[0.5,0.5,-0.1]", "`[0.5,0.5,-0.1]`", mean),
        ("mean", "[1e9,0,0]", "`[1e9,0,0]`", mean),
        ("std", "[1,0,1]", "`[1,0,1]`", std),
        ("std", "[1,-1,1]", "`[1,-1,1]`", std),
        ("std", "[58.395,57.12,57.375]", "`[58.395,57.12,57.375]`", std),
        ("std", "[1,1,1e9]", "`[1,1,1e9]`", std),
        ("std", "[1,1,1e-9]", "`[1,1,1e-9]`", std),
        ("std", "[1,1,-1e999]", "`[1,1,-1e999]`", three),
        ("fit", "", "``", fit),
        ("fit", "Pad", "`Pad`", fit),
        ("fit", "squash", "`squash`", fit),
        ("channels", "RGB", "`RGB`", "`rgb` or `bgr`"),
        ("channels", "grey", "`grey`", "`rgb` or `bgr`"),
        ("epsilon", "0", "`0`", epsilon),
        ("epsilon", "-1e-5", "`-1e-5`", epsilon),
        ("epsilon", "1.001", "`1.001`", epsilon),
        ("epsilon", "inf", "`inf`", epsilon),
        ("epsilon", "1e-30", "`1e-30`", epsilon),
        ("epsilon", "NaN", "`NaN`", epsilon),
        ("epsilon", "1e-5 ", "`1e-5 `", epsilon),
        ("epsilon", "", "``", epsilon),
        ("stem_stride", "1", "`1`", "`2`: a stem of stride 1 is not supported yet"),
        ("stem_stride", "2.0", "`2.0`", "`2`, or `1`, which is not supported yet"),
    ];
    for (key, text, found, expected) in cases {
        let error = load(&[(&format!("shufflenet.{key}"), text)]).unwrap_err().to_string();
        let start = format!("metadata `shufflenet.{key}` is {found}, expected {expected}");
        assert!(error.starts_with(&start), "{key} {text}: {error}");
    }
    // However long the text is, the error is a line.
    let long = format!("[{}", "é".repeat(100_000));
    let error = load(&[("shufflenet.labels", &long)]).unwrap_err().to_string();
    assert!(error.contains("éé…`, expected") && error.len() < 200, "{error}");
}

#[test]
fn a_network_trained_on_bgr_gets_rgb() {
    let mean = [0.1, 0.2, 0.3];
    let texts = [("shufflenet.mean", "[0.1,0.2,0.3]"), ("shufflenet.channels", "bgr")];
    let bgr = load(&texts).unwrap();
    let rgb =
        load(&[("shufflenet.mean", "[0.3,0.2,0.1]"), ("shufflenet.std", "[0.225,0.224,0.229]")]);
    let rgb = rgb.unwrap();
    assert_eq!(bgr.preprocessing().mean, mean);

    let (first, rest) = bgr.layers().split_first().unwrap();
    let (plain, plain_rest) = rgb.layers().split_first().unwrap();
    assert!(rest == plain_rest && first.bias == plain.bias);
    for (a, b) in first.weight.chunks(27).zip(plain.weight.chunks(27)) {
        assert_eq!(a, [&b[18..], &b[9..18], &b[..9]].concat());
        assert_ne!(a[..9], a[18..]);
    }

    // The same numbers reach the network as if the caller had exchanged the colours.
    let logits = |model: Model, pixels: &[u8]| {
        let options = SessionOptions { input_size: Some((9, 7)), ..SessionOptions::default() };
        let mut session = Session::new(&Network::new(model).unwrap(), &options).unwrap();
        let pixels = Pixels::new(pixels, 7, 9, 21, PixelFormat::Rgb).unwrap();
        session.run(&[Input::Pixels(pixels)]).unwrap().logits().to_vec()
    };
    let pixels: Vec<u8> = (0..9 * 21).map(|i: u32| (i * i % 251) as u8).collect();
    let exchanged: Vec<u8> = pixels.chunks(3).flat_map(|p| [p[2], p[1], p[0]]).collect();
    let expected = logits(rgb, &exchanged);
    let found = logits(bgr.clone(), &pixels);
    assert!(
        found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-4),
        "{found:?} {expected:?}"
    );
    let wrong = logits(bgr, &exchanged);
    assert!(wrong.iter().zip(&expected).any(|(a, b)| (a - b).abs() > 1e-2), "{wrong:?}");
}

#[test]
fn batch_norm_adds_the_epsilon_that_is_said() {
    let plain = load(&[]).unwrap();
    for same in ["1e-5", "0.00001", "1E-05"] {
        assert_eq!(load(&[("shufflenet.epsilon", same)]).unwrap(), plain);
    }
    assert_eq!(load(&[("shufflenet.stem_stride", "2")]).unwrap(), plain);

    let model = load(&[("shufflenet.epsilon", "1e-3")]).unwrap();
    let file = with(&[]);
    let tensors = SafeTensors::deserialize(&file).unwrap();
    let values = |name: String| -> Vec<f64> {
        let data = tensors.tensor(&name).unwrap().data().to_vec();
        data.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()).into()).collect()
    };
    for (layer, found) in model.architecture().layers().iter().zip(model.layers()) {
        let weight = values(format!("{}.weight", layer.name));
        let Some(norm) = &layer.batch_norm else { continue };
        let [gamma, beta, mean, variance] = ["weight", "bias", "running_mean", "running_var"]
            .map(|p| values(format!("{norm}.{p}")));
        for c in 0..layer.outputs {
            let scale = gamma[c] / (variance[c] + 0.001).sqrt();
            assert_eq!(found.bias[c], (beta[c] - mean[c] * scale) as f32, "{norm}");
            let filter = c * weight.len() / layer.outputs..(c + 1) * weight.len() / layer.outputs;
            let folded: Vec<f32> =
                weight[filter.clone()].iter().map(|w| (w * scale) as f32).collect();
            assert_eq!(found.weight[filter], folded, "{norm}");
        }
    }
}

fn set(state: &mut StateDict<'_>, key: &str, text: &str) {
    state.metadata_mut().insert(format!("shufflenet.{key}"), text.to_owned());
}

#[test]
fn what_a_file_does_not_say_can_be_said_for_it() {
    let file = with(&[("shufflenet.epsilon", "0.5"), ("shufflenet.crop", "32")]);
    let mut state = StateDict::read(&file).unwrap();
    assert_eq!(state.epsilon().unwrap(), 0.5);
    set(&mut state, "epsilon", "1e-3");
    assert_eq!(state.epsilon().unwrap(), 1e-3);
    let expected = load(&[("shufflenet.epsilon", "1e-3"), ("shufflenet.crop", "32")]).unwrap();
    assert_eq!(state.to_model().unwrap(), expected);
    let mut written = Vec::new();
    state.write_safetensors(&mut written).unwrap();
    assert_eq!(weights::from_bytes(&written).unwrap(), expected);

    let path = support::path("f32.safetensors");
    let read = weights::read_with(&path, |state| {
        set(state, "epsilon", "1e-3");
        set(state, "crop", "32");
        state.to_model()
    });
    assert_eq!(read.unwrap(), expected);
    let wrong = weights::read_with(&path, |state| {
        set(state, "stem_stride", "1");
        state.to_model()
    });
    assert!(matches!(wrong, Err(Error::File { path: named, .. }) if named == path));
}

#[test]
fn writing_keeps_all_of_it() {
    let texts = ALL.map(|(key, text)| (key, if text == "rgb" { "bgr" } else { text }));
    let file = with(&texts);
    let state = StateDict::read(&file).unwrap();
    let mut written = Vec::new();
    state.write_safetensors(&mut written).unwrap();
    let again = StateDict::read(&written).unwrap();
    assert_eq!(again.metadata(), state.metadata());
    assert!(again.metadata().iter().all(|(key, text)| texts.contains(&(key, text))));
    assert_eq!(again.metadata().len(), texts.len());
    assert_eq!(again.to_model().unwrap(), state.to_model().unwrap());
}

#[test]
fn damage_is_an_error_or_a_model() {
    let file = with(&ALL);
    let end = file.windows(2).position(|pair| pair == b"},").unwrap();
    let mut models = 0;
    for at in 8..end {
        for bit in 0..8 {
            let mut bad = file.clone();
            bad[at] ^= 1 << bit;
            let Ok(state) = StateDict::read(&bad) else { continue };
            let Ok(model) = state.to_model() else { continue };
            assert!(matches!(model.labels().len(), 0 | 3));
            Session::new(&Network::new(model.clone()).unwrap(), &SessionOptions::default())
                .unwrap();
            let mut written = Vec::new();
            state.write_safetensors(&mut written).unwrap();
            assert_eq!(weights::from_bytes(&written).unwrap(), model);
            models += 1;
        }
    }
    // Most of what is flipped is a letter of a label or of the provenance.
    assert!((500..8 * end).contains(&models), "{models}");
}
