use crate::support::{
    checkpoint, describe, embedded_model, folder, run, text, tiny_model, write_model,
};
use serde_json::Value;
use shufflenet::model::Architecture;
use std::fs;

fn numbers(value: &Value) -> Vec<u64> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap()).collect()
}

/// The slots in a list of ranges.
fn slots(ranges: &Value) -> Vec<u64> {
    let ranges = ranges.as_array().unwrap().iter();
    ranges.flat_map(|r| r["start"].as_u64().unwrap()..r["end"].as_u64().unwrap()).collect()
}

#[test]
fn numbers_of_half_width() {
    let model = folder("inspect_half_width").join("x0_5.safetensors");
    write_model(&model, &Architecture::X0_5);
    let report = run(["inspect", text(&model), "--json"]).json();
    assert_eq!(report["variant"], "x0.5");
    assert_eq!((&report["classes"], &report["features"]), (&1000.into(), &1024.into()));
    assert_eq!(report["parameters"], 1_366_792); // torchvision's count
    assert_eq!(report["input_size"], Value::from([224, 224].to_vec()));
    let transform = r#"{"fit":"crop","resize":256,"crop":224,"mean":[0.485,0.456,0.406],"std":[0.229,0.224,0.225]}"#;
    assert_eq!(report["preprocessing"], serde_json::from_str::<Value>(transform).unwrap());
    assert!(report["arena_bytes"].as_u64().unwrap() >= 28 * 28 * 48 * 4);

    let layers = report["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 57);
    let mut macs = 0;
    for layer in layers {
        let weight: u64 = numbers(&layer["weight"]).iter().product();
        let pixels: u64 = numbers(&layer["output_size"]).iter().product();
        assert_eq!(layer["macs"], weight * pixels, "{layer}");
        macs += weight * pixels;
    }
    assert_eq!(report["macs"], macs);
    assert_eq!(macs / 1_000_000, 40); // the paper: 41 M
    let last = &layers[55];
    assert_eq!((&last["name"], &last["kind"]), (&"conv5.0".into(), &"pointwise".into()));
    assert_eq!(numbers(&last["weight"]), [1024, 192, 1, 1]);
    assert_eq!(numbers(&last["output_size"]), [7, 7]);

    let units = report["units"].as_array().unwrap();
    let names: Vec<&str> = units.iter().map(|unit| unit["name"].as_str().unwrap()).collect();
    assert_eq!(
        (names.len(), names[0], names[4], names[15]),
        (16, "stage2.0", "stage3.0", "stage4.3")
    );
    let branches = |unit: &Value| unit["branches"].as_array().unwrap().clone();
    let stage3: Vec<Vec<Value>> = units[4..12].iter().map(branches).collect();
    let ranges: Vec<usize> =
        stage3[1..].iter().map(|unit| unit[0]["reads"].as_array().unwrap().len()).collect();
    assert_eq!(ranges, [1, 1, 2, 2, 3, 3, 3]);
    let mut first: Vec<u64> = stage3[0].iter().flat_map(|b| slots(&b["writes"])).collect();
    first.sort();
    assert_eq!(first, (0..96).collect::<Vec<u64>>());
    for unit in &stage3[1..] {
        let [branch] = &unit[..] else { panic!("{unit:?}") };
        assert_eq!(slots(&branch["reads"]).len(), 48, "{branch}");
        assert_eq!(branch["reads"], branch["writes"]);
    }

    let shown = run(["inspect", text(&model)]).success();
    for line in ["variant     x0.5", "parameters  1,366,792", "input       224x224 pixels"] {
        assert!(shown.lines().any(|found| found == line), "{line} in {shown}");
    }
    assert!(
        shown.lines().all(|line| line.len() <= 80 || line.starts_with(text(&model))),
        "{shown}"
    );
}

#[test]
fn what_a_file_says_of_its_model_is_shown() {
    let embedded = run(["inspect", "--json"]).json();
    let mut named = run(["inspect", text(&embedded_model()), "--json"]).json();
    assert_eq!(named["file"], text(&embedded_model()));
    named["file"] = Value::Null;
    assert_eq!(embedded, named);
    assert_eq!((&embedded["variant"], &embedded["classes"]), (&"x0.5".into(), &10.into()));
    assert_eq!(
        (&embedded["labels"][0], &embedded["labels"][9]),
        (&"T-shirt/top".into(), &"Ankle boot".into())
    );
    assert!(embedded["provenance"].as_str().unwrap().contains("Fashion-MNIST"));
    assert_eq!(numbers(&embedded["input_size"]), [96, 96]);

    let shown = run(["inspect"]).success();
    let mut lines = shown.lines();
    assert_eq!(lines.next(), Some("embedded model"));
    for start in [
        "labels      T-shirt/top, Trouser, ",
        "provenance  shufflenet_v2_x0_5 ",
        "fit         crop",
        "resize      shorter side to 96, then the middle 96x96",
    ] {
        assert!(shown.lines().any(|line| line.starts_with(start)), "{start} in {shown}");
    }
    assert!(shown.lines().all(|line| line.len() <= 80), "{shown}");

    // Many names, and one that would command the terminal.
    let model = tiny_model(&folder("inspect_described"), 1000);
    let names: Vec<String> = (0..1000).map(|class| format!("\u{1b}[2J {class}")).collect();
    let names = serde_json::to_string(&names).unwrap();
    describe(&model, &[("labels", &names), ("provenance", "")]);
    let shown = run(["inspect", text(&model)]).success();
    assert!(!shown.contains('\u{1b}') && shown.contains("labels      \\u{1b}[2J 0, "), "{shown}");
    assert!(shown.contains(" more\n") && !shown.contains(" 999"), "{shown}");

    let undescribed =
        run(["inspect", text(&tiny_model(&folder("inspect_undescribed"), 3)), "--json"]).json();
    assert_eq!(
        (&undescribed["labels"], &undescribed["provenance"]),
        (&Value::Array(vec![]), &Value::Null)
    );

    describe(&model, &[("crop", "huge")]);
    let expected = "metadata `shufflenet.crop` is `huge`, expected a whole number from 1 to 2048";
    assert_eq!(run(["inspect", text(&model)]).error(), format!("{}: {expected}", model.display()));
}

#[test]
fn what_was_taken_from_a_checkpoint_is_shown() {
    for (name, key) in [("training.pth", Some("model_ema")), ("zip.pth", None)] {
        let file = checkpoint(name);
        let report = run(["inspect", text(&file), "--json"]).json();
        assert_eq!(report["checkpoint_key"], key.map_or(Value::Null, Value::from));
        assert_eq!(report["epsilon"], 1e-5);
        let shown = run(["inspect", text(&file)]).success();
        let line = key.map(|key| format!("weights     those under `{key}`"));
        assert_eq!(shown.lines().find(|line| line.starts_with("weights ")), line.as_deref());
        assert!(!shown.contains("epsilon"), "{shown}");
    }
    let file = checkpoint("zip.pth");
    let report = run(["inspect", text(&file), "--json", "--set", "epsilon=1e-3"]).json();
    assert_eq!(report["epsilon"], 1e-3);
    let shown = run(["inspect", text(&file), "--set", "epsilon=1e-3"]).success();
    assert!(shown.lines().any(|line| line == "epsilon     0.001"), "{shown}");
}

#[test]
fn a_stem_of_stride_1_is_refused_by_every_command() {
    let model = tiny_model(&folder("inspect_stem"), 3);
    let out = model.with_file_name("out.safetensors");
    let (model, out) = (text(&model), text(&out));
    let reason = "is `1`, expected `2`: a stem of stride 1 is not supported yet";
    let commands: [&[&str]; 6] = [
        &["inspect", model],
        &["convert", model, out],
        &["classify", "a.png", "--weights", model],
        &["evaluate", "folder", "--weights", model],
        &["bench", "--weights", model],
        &["profile", "--weights", model],
    ];
    for command in commands {
        let error = run(command.iter().chain(&["--set", "stem_stride=1"])).error();
        assert_eq!(error, format!("--set stem_stride {reason}"), "{command:?}");
    }
    describe(model.as_ref(), &[("stem_stride", "1")]);
    for command in commands {
        let error = run(command).error();
        assert_eq!(error, format!("{model}: metadata `shufflenet.stem_stride` {reason}"));
    }
    let error = run(["bench", "--variant", "x0.5", "--set", "epsilon=1e-3"]).error();
    assert_eq!(error, "--set is about a file of weights, expected --weights");
}

#[test]
fn sizes_change_what_depends_on_them() {
    let folder = folder("inspect_sizes");
    let model = tiny_model(&folder, 3);
    let inspect = |size: &str| run(["inspect", text(&model), "--json", "--size", size]).json();
    let (square, wide) = (inspect("33"), inspect("33x65"));
    assert_eq!(numbers(&square["input_size"]), [33, 33]);
    assert_eq!(numbers(&wide["input_size"]), [33, 65]);
    assert_eq!(numbers(&square["layers"][0]["output_size"]), [17, 17]);
    assert_eq!(numbers(&wide["layers"][0]["output_size"]), [17, 33]);
    for larger in ["macs", "arena_bytes"] {
        assert!(wide[larger].as_u64() > square[larger].as_u64(), "{larger}");
    }
    assert_eq!(wide["parameters"], square["parameters"]);
    assert_eq!(wide["units"], square["units"]);

    for size in ["0", "4x0", "100000x100000"] {
        let error = run(["inspect", text(&model), "--size", size]).error();
        assert!(error.starts_with("input size is "), "{error}");
    }
}

#[test]
fn a_file_of_another_kind_is_an_error_with_its_name() {
    let file = folder("inspect_other_kind").join("notes.txt");
    fs::write(&file, "These are notes.").unwrap();
    let error = run(["inspect", text(&file)]).error();
    assert!(error.starts_with(&format!("{}: ", file.display())), "{error}");
}
