//! What users say of a model that its file does not say, or says otherwise.

use crate::support::{
    Run, describe, embedded_model, example, finish, folder, picture, program, run, text,
    tiny_model, write_model,
};
use safetensors::SafeTensors;
use serde_json::Value;
use shufflenet::model::Architecture;
use shufflenet::weights;
use std::fs;
use std::path::{Path, PathBuf};

/// A checkpoint of 3 classes, and the same as safetensors without metadata. It is the library's tests', which
/// is always wholly sure, with smaller weights in its last layer.
fn checkpoint(folder: &Path) -> (PathBuf, PathBuf) {
    let (checkpoint, bare) = (folder.join("model.pth"), folder.join("bare.safetensors"));
    let convert = |from: &Path| run(["convert", text(from), text(&bare)]).success();
    // The old form has no checksums.
    let sure = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/weights/stream.pth");
    convert(&sure);
    let (mut bytes, tensors) = (fs::read(sure).unwrap(), fs::read(&bare).unwrap());
    let tensors = SafeTensors::deserialize(&tensors).unwrap();
    for name in ["fc.weight", "fc.bias"] {
        let values = tensors.tensor(name).unwrap().data();
        let at = bytes.windows(values.len()).position(|window| window == values).unwrap();
        for value in bytes[at..][..values.len()].as_chunks_mut().0 {
            *value = (f32::from_le_bytes(*value) / 1000.0).to_le_bytes();
        }
    }
    fs::write(&checkpoint, bytes).unwrap();
    convert(&checkpoint);
    assert_eq!(texts(&bare), []);
    (checkpoint, bare)
}

/// The answers about two pictures that are not square.
fn classify(weights: &Path, options: &[&str]) -> Run {
    let images = [picture("rgb8.png"), example("chelsea.png")];
    let arguments = ["classify", text(&images[0]), text(&images[1]), "--json", "--weights"];
    run([&arguments[..], &[text(weights)], options].concat())
}

fn texts(file: &Path) -> Vec<(String, String)> {
    let bytes = fs::read(file).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let mut texts: Vec<_> = header.metadata().clone().unwrap_or_default().into_iter().collect();
    texts.sort();
    texts
}

#[test]
fn options_say_what_a_checkpoint_cannot() {
    let folder = folder("description_checkpoint");
    let ((checkpoint, bare), names) = (checkpoint(&folder), folder.join("names.txt"));
    fs::write(&names, "cat\nblack dog\nörtlich\n").unwrap();
    let plain = classify(&bare, &[]).success();
    let labels = r#"["cat","black dog","örtlich"]"#;
    type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)]);
    let cases: [Case<'_>; 8] = [
        (&["--crop", "96"], &[("crop", "96")]),
        (&["--resize", "224"], &[("resize", "224")]),
        (&["--fit", "stretch"], &[("fit", "stretch")]),
        (&["--fit", "pad", "--crop", "64"], &[("fit", "pad"), ("crop", "64")]),
        (&["--mean", "0.5,.25, 0.75"], &[("mean", "[0.5, 0.25, 0.75]")]),
        (&["--std", "1,0.5,0.5"], &[("std", "[1,0.5,0.5]")]),
        (&["--labels", text(&names)], &[("labels", labels)]),
        (
            &[
                "--fit",
                "stretch",
                "--resize",
                "80",
                "--crop",
                "72",
                "--mean",
                "0,0,0",
                "--std",
                "1,1,1",
                "--labels",
                text(&names),
            ],
            &[
                ("fit", "stretch"),
                ("resize", "80"),
                ("crop", "72"),
                ("mean", "[0,0,0]"),
                ("std", "[1,1,1]"),
                ("labels", labels),
            ],
        ),
    ];
    for (options, said) in cases {
        let described = folder.join("described.safetensors");
        fs::copy(&bare, &described).unwrap();
        describe(&described, said);
        let expected = classify(&described, &[]).success();
        assert_ne!(expected, plain, "{options:?}");
        assert_eq!(classify(&checkpoint, options).success(), expected, "{options:?}");

        let converted = folder.join("converted.safetensors");
        let convert = ["convert", text(&checkpoint), text(&converted)];
        run([&convert[..], options].concat()).success();
        assert_eq!(classify(&converted, &[]).success(), expected, "{options:?}");
        let keys: Vec<_> = texts(&converted).into_iter().map(|(key, _)| key).collect();
        let mut own: Vec<_> = said.iter().map(|(key, _)| format!("shufflenet.{key}")).collect();
        own.sort();
        assert_eq!(keys, own, "no more than was said");
    }
}

#[test]
fn options_go_before_what_the_file_says() {
    let folder = folder("description_before");
    let model = tiny_model(&folder, 3);
    describe(
        &model,
        &[("resize", "80"), ("crop", "64"), ("mean", "[0,0,0]"), ("labels", r#"["a","b","c"]"#)],
    );
    let out = folder.join("out.safetensors");
    let sizes = |options: &[&str]| {
        run([&["convert", text(&model), text(&out)], options].concat()).success();
        let found = *weights::load(&out).unwrap().preprocessing();
        assert_eq!(found.mean, [0.0; 3]);
        (found.fit.name(), found.resize, found.crop)
    };
    assert_eq!(sizes(&[]), ("crop", 80, 64));
    assert_eq!(sizes(&["--crop", "96"]), ("crop", 120, 96));
    assert_eq!(sizes(&["--resize", "96"]), ("crop", 96, 64));
    assert_eq!(sizes(&["--fit", "crop"]), ("crop", 80, 64));
    // The file's resize is of a crop, and the question is another.
    assert_eq!(sizes(&["--fit", "stretch"]), ("stretch", 64, 64));
    assert_eq!(sizes(&["--fit", "pad", "--crop", "96"]), ("pad", 96, 96));
    assert_eq!(sizes(&["--fit", "pad", "--resize", "90"]), ("pad", 90, 64));

    // The embedded model too.
    let image = example("sneaker.png");
    let classify =
        |options: &[&str]| run([&["classify", text(&image)], options].concat()).success();
    assert!(classify(&[]).contains("92.0 %  Sneaker"));
    assert!(!classify(&["--mean", "0.485,0.456,0.406"]).contains("92.0 %  Sneaker"));
    assert_eq!(
        classify(&["--weights", text(&embedded_model()), "--crop", "64"]),
        classify(&["--crop", "64"])
    );
}

#[test]
fn evaluate_takes_them() {
    let folder = folder("description_evaluate");
    let names = folder.join("names.txt");
    fs::write(&names, "boot\nshoe\ncat\n").unwrap();
    for class in ["boot", "shoe", "cat"] {
        fs::create_dir_all(folder.join("pictures").join(class)).unwrap();
        fs::copy(example("chelsea.png"), folder.join("pictures").join(class).join("a.png"))
            .unwrap();
    }
    let pictures = folder.join("pictures");
    let options = ["--fit", "pad", "--crop", "64", "--mean", "0,0,0", "--labels", text(&names)];
    let ((checkpoint, _), converted) = (checkpoint(&folder), folder.join("converted.safetensors"));
    run([&["convert", text(&checkpoint), text(&converted)], &options[..]].concat()).success();
    let evaluate = |weights: &Path, options: &[&str]| {
        let arguments = ["evaluate", text(&pictures), "--json", "--weights", text(weights)];
        let mut report = run([&arguments[..], options].concat()).json();
        report.as_object_mut().unwrap().retain(|key, _| !key.contains("second"));
        report
    };
    assert_eq!(evaluate(&checkpoint, &options), evaluate(&converted, &[]));
}

#[test]
fn wrong_values_are_named_as_they_were_given() {
    let folder = folder("description_wrong");
    let (model, out) = (tiny_model(&folder, 3), folder.join("out.safetensors"));
    let mean = "numbers from 0 to 1, of colours divided by 255";
    let std = "numbers from 0.001 to 10, of colours divided by 255";
    let size = "a whole number from 1 to 2048";
    let three = "a JSON array of three numbers, with at most 19 digits and exponents to 27";
    let cases = [
        ("mean", "123.675,116.28,103.53", "`[123.675,116.28,103.53]`", mean),
        ("mean", "-1,0,0", "`[-1,0,0]`", mean),
        ("mean", "NaN,0,0", "`[NaN,0,0]`", three),
        ("mean", "0.5", "`[0.5]`", three),
        ("mean", "a,b,c", "`a,b,c`", three),
        ("std", "-1,-1,-1", "`[-1,-1,-1]`", std),
        ("std", "1,1,1e9", "`[1,1,1000000000]`", std),
        ("crop", "0", "`0`", size),
        ("crop", "x", "`x`", size),
        ("resize", "9999", "`9999`", size),
        ("fit", "squash", "`squash`", "`crop`, `stretch` or `pad`"),
    ];
    for (option, value, found, expected) in cases {
        let option = format!("--{option}");
        let expected = format!("{option} is {found}, expected {expected}");
        assert_eq!(classify(&model, &[&option, value]).error(), expected);
        let convert = ["convert", text(&model), text(&out), &option, value];
        assert_eq!(run(convert).error(), expected);
        assert!(!out.exists());
    }
    // The file's own are still the file's, and a key is only its own.
    describe(&model, &[("mean", "[2,2,2]")]);
    let error = classify(&model, &["--std", "1,1,1"]).error();
    let wrong = format!("metadata `shufflenet.mean` is `[2,2,2]`, expected {mean}");
    assert_eq!(error, format!("{}: {wrong}", model.display()));
    classify(&model, &["--mean", "1,1,1"]).success();
    describe(&model, &[("lables", "[]")]);
    for error in [classify(&model, &[]).error(), classify(&model, &["--crop", "32"]).error()] {
        let expected = "metadata `shufflenet.lables` is unknown, expected one of ";
        assert!(error.starts_with(&format!("{}: {expected}", model.display())), "{error}");
        assert!(error.contains("shufflenet.labels, "), "{error}");
    }
}

#[test]
fn a_black_border_is_noted() {
    let folder = folder("description_border");
    let (model, out) = (tiny_model(&folder, 3), folder.join("out.safetensors"));
    let note = "note: pictures get a black border: the crop of 224 is larger than the 200 they are \
                resized to\n";
    let small = ["--resize", "200"];
    let found = classify(&model, &small);
    assert_eq!((found.code, found.stderr.as_str()), (Some(0), note));
    let found = run([&["convert", text(&model), text(&out)], &small[..]].concat());
    assert_eq!((found.code, found.stderr.as_str()), (Some(0), note));
    assert_eq!(classify(&out, &[]).stderr, note);
    let shown = run(["inspect", text(&out)]).success();
    assert!(shown.contains("shorter side to 200, then the middle 224x224, in black\n"), "{shown}");
    // Where all of it is asked for, nothing is said; nor where the resize follows.
    classify(&model, &["--fit", "pad", "--resize", "200"]).success();
    classify(&model, &["--crop", "300"]).success();
    classify(&model, &["--fit", "stretch", "--crop", "300"]).success();
}

#[test]
fn inspect_shows_the_fit() {
    let model = tiny_model(&folder("description_inspect"), 3);
    let shown = |texts: &[(&str, &str)]| {
        describe(&model, texts);
        let json = run(["inspect", text(&model), "--json"]).json();
        let shown = run(["inspect", text(&model)]).success();
        let line = |name: &str| {
            let line = shown.lines().find(|line| line.starts_with(name)).unwrap();
            line[name.len()..].trim().to_owned()
        };
        assert_eq!(json["preprocessing"]["fit"], Value::from(line("fit")));
        line("resize")
    };
    assert_eq!(shown(&[("fit", "stretch")]), "both sides to 224, then the middle 224x224");
    let resize = [("fit", "stretch"), ("resize", "256")];
    assert_eq!(shown(&resize), "both sides to 256, then the middle 224x224");
    let padded = "longer side to 64, then the middle 64x64, in the mean's colour";
    assert_eq!(shown(&[("fit", "pad"), ("crop", "64")]), padded);
    assert_eq!(shown(&[("crop", "448")]), "shorter side to 512, then the middle 448x448");
}

#[test]
fn torchvisions_networks_get_imagenets_names() {
    let folder = folder("description_imagenet");
    let (model, out) = (folder.join("x0_5.safetensors"), folder.join("out.safetensors"));
    let names: Vec<&str> = include_str!("../../src/imagenet_classes.txt").lines().collect();
    let labels = |said: &str, named: bool| {
        let line =
            "The input names no classes: they get ImageNet's names; --labels gives others.\n";
        assert_eq!(said.ends_with(line), named, "{said}");
        let model = weights::load(&out).unwrap();
        model.labels().iter().map(|name| name.to_string()).collect::<Vec<_>>()
    };
    write_model(&model, &Architecture::X0_5);
    let said = run(["convert", text(&model), text(&out)]).success();
    assert_eq!(labels(&said, true), names);
    // Not over names that are there.
    let own = folder.join("own.txt");
    let numbers: Vec<String> = (0..1000).map(|class| format!("{class:03}")).collect();
    fs::write(&own, numbers.join("\n")).unwrap();
    let said = run(["convert", text(&model), text(&out), "--labels", text(&own)]).success();
    assert_eq!(labels(&said, false), numbers);
    let named = folder.join("named.safetensors");
    fs::rename(&out, &named).unwrap();
    let said = run(["convert", text(&named), text(&out)]).success();
    assert_eq!(labels(&said, false), numbers);
    // Nor where it is another network, or has other classes.
    write_model(&model, &Architecture::X0_5.with_classes(999));
    let said = run(["convert", text(&model), text(&out)]).success();
    assert!(labels(&said, false).is_empty());
    let said = run(["convert", text(&tiny_model(&folder, 1000)), text(&out)]).success();
    assert!(labels(&said, false).is_empty());
}

#[test]
fn a_checkpoint_in_the_cache_of_an_earlier_version_still_works() {
    let cache = folder("description_cache");
    let model = cache.join("shufflenetv2_x1-5666bf0f80.pth");
    write_model(&model, &Architecture::X1_0);
    let image = picture("rgb8.png");
    let with_cache = |arguments: &[&str]| {
        finish(program().args(arguments).env("SHUFFLENET_CACHE", &cache)).success()
    };
    let classify = with_cache(&["classify", text(&image), "--weights", "x1.0", "--json"]);
    let line: Value = serde_json::from_str(&classify).unwrap();
    let names: Vec<&str> = include_str!("../../src/imagenet_classes.txt").lines().collect();
    let first = &line["classes"][0];
    assert_eq!(first["name"], names[first["class"].as_u64().unwrap() as usize]);
    let out = cache.join("out.safetensors");
    with_cache(&["convert", "x1.0", text(&out)]);
    assert_eq!(weights::load(&out).unwrap().labels().len(), 1000);
}
