use crate::support::{checkpoint, describe, folder, picture, run, text, tiny_model};
use shufflenet::weights;
use std::fs;
use std::path::Path;

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_form_of_checkpoint_becomes_the_same_model() {
    let folder = folder("convert_forms");
    let image = picture("orientation1.jpg");
    let classify = |weights: &Path| {
        run(["classify", text(&image), "--weights", text(weights), "--json"]).success()
    };
    let expected = classify(&checkpoint("zip.pth"));
    for name in ["zip.pth", "stream.pth", "training.pth", "distributed.pth", "wrapped.safetensors"]
    {
        let (from, to) = (checkpoint(name), folder.join(name).with_extension("converted"));
        let said = run(["convert", text(&from), text(&to)]).success();
        let size = fs::metadata(&to).unwrap().len();
        let parameters = weights::load(&from).unwrap().architecture().parameters();
        assert!(parameters < 1000, "no comma in {parameters}");
        let size = format!("{},{:03}", size / 1000, size % 1000);
        let taken = match name {
            "training.pth" => ", from `model_ema`",
            "distributed.pth" => ", from `state_dict`",
            _ => "",
        };
        let model = format!("custom, 3 classes, {parameters} parameters, {size} bytes{taken}");
        assert_eq!(said, format!("{}: {model}\n", to.display()));

        let bytes = fs::read(&to).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert!(tensors.tensor("stage3.1.branch2.7.weight").is_err());
        assert!(tensors.tensor("stage3.1.branch2.5.weight").is_ok(), "{name}");
        assert_eq!(weights::load(&to).unwrap(), weights::load(&from).unwrap(), "{name}");
        assert_eq!(classify(&to), expected, "{name}");
    }
    assert_eq!(names(&folder).len(), 5);
}

#[test]
fn a_file_may_be_converted_in_place() {
    let folder = folder("convert_in_place");
    let file = folder.join("model");
    fs::copy(checkpoint("stream.pth"), &file).unwrap();
    run(["convert", text(&file), text(&file)]).success();
    assert_eq!(weights::load(&file).unwrap(), weights::load(checkpoint("zip.pth")).unwrap());
    assert_eq!(names(&folder), ["model"]);
}

#[test]
fn metadata_is_kept() {
    let folder = folder("convert_metadata");
    let (model, out) = (tiny_model(&folder, 3), folder.join("out.safetensors"));
    describe(
        &model,
        &[("labels", r#"["a", "b\n", "\u20ac"]"#), ("channels", "bgr"), ("provenance", "\"\\")],
    );
    run(["convert", text(&model), text(&out)]).success();
    let metadata = |path: &Path| {
        let bytes = fs::read(path).unwrap();
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        header.metadata().clone().unwrap()
    };
    assert_eq!(metadata(&out), metadata(&model));
    assert_eq!(weights::load(&out).unwrap(), weights::load(&model).unwrap());

    // What would not load is not written.
    describe(&model, &[("labels", "[]")]);
    let error = run(["convert", text(&model), text(&folder.join("bad.safetensors"))]).error();
    let expected = "metadata `shufflenet.labels` is 0 names, expected 3, one for each class";
    assert_eq!(error, format!("{}: {expected}", model.display()));
    assert_eq!(names(&folder), ["out.safetensors", "tiny_3.safetensors"]);
}

#[test]
fn what_is_said_of_the_training_is_written() {
    let folder = folder("convert_settings");
    let (from, to) = (checkpoint("zip.pth"), folder.join("out.safetensors"));
    let image = picture("orientation1.jpg");
    let classify = |weights: &Path, settings: &[&str]| {
        let arguments = ["classify", text(&image), "--weights", text(weights), "--json"];
        run(arguments.iter().chain(settings)).success()
    };
    let settings = ["--set", "epsilon=1e-1", "--set", "stem_stride=2"];
    let said = run(["convert", text(&from), text(&to)].iter().chain(&settings)).success();
    assert!(said.starts_with(&format!("{}: custom, ", to.display())), "{said}");
    let expected = classify(&from, &settings);
    assert_ne!(classify(&from, &[]), expected);
    assert_eq!(classify(&to, &[]), expected);
    // An option goes before the file, and the last before the first.
    let plain = ["--set", "epsilon=1", "--set", "epsilon=1e-5"];
    assert_eq!(classify(&to, &plain), classify(&from, &[]));

    let error = run(["convert", text(&from), text(&to), "--set", "epsilon=2"]).error();
    let expected = "a number above 0 and up to 1, with at most 19 digits and exponents to 27";
    assert_eq!(error, format!("--set epsilon is `2`, expected {expected}"));
}

#[test]
fn a_failure_leaves_what_was_there() {
    let folder = folder("convert_failures");
    let (broken, out) = (folder.join("broken.pth"), folder.join("out.safetensors"));
    let whole = fs::read(checkpoint("zip.pth")).unwrap();
    fs::write(&broken, &whole[..whole.len() - 100]).unwrap();
    fs::write(&out, "as before").unwrap();
    let error = run(["convert", text(&broken), text(&out)]).error();
    assert!(error.starts_with(&format!("{}: ", broken.display())), "{error}");

    let missing = folder.join("missing.pth");
    let error = run(["convert", text(&missing), text(&out)]).error();
    assert!(error.starts_with(&format!("{}: ", missing.display())), "{error}");

    let nowhere = folder.join("nowhere/out.safetensors");
    let model = tiny_model(&folder, 3);
    let error = run(["convert", text(&model), text(&nowhere)]).error();
    assert!(error.starts_with(&format!("{}: ", nowhere.display())), "{error}");

    let error = run(["convert", text(&model), text(&folder)]).error();
    assert_eq!(error, format!("{}: not a file", folder.display()));

    for name in ["new.pth", "new.PT"] {
        let checkpoint = folder.join(name);
        let error = run(["convert", text(&model), text(&checkpoint)]).error();
        let expected = "safetensors is written, expected another ending than .pth and .pt";
        assert_eq!(error, format!("{}: {expected}", checkpoint.display()));
    }

    assert_eq!(fs::read(&out).unwrap(), b"as before");
    assert_eq!(names(&folder), ["broken.pth", "out.safetensors", "tiny_3.safetensors"]);
}

#[cfg(unix)]
#[test]
fn links_stay_links_and_devices_stay_devices() {
    let folder = folder("convert_links");
    let (model, link, target) =
        (tiny_model(&folder, 3), folder.join("link"), folder.join("target"));
    fs::write(&target, "to be replaced").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    run(["convert", text(&model), text(&link)]).success();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(weights::load(&target).unwrap(), weights::load(&model).unwrap());

    assert_eq!(run(["convert", text(&model), "/dev/null"]).error(), "/dev/null: not a file");
}
