use crate::support::{
    decoded_pictures, describe, embedded_model, example, finish, folder, json_lines, picture,
    program, run, text, tiny_model,
};
use serde_json::Value;
use shufflenet::image::{PixelFormat, Pixels, Preprocessor};
use shufflenet::{Input, Network, Session, SessionOptions, softmax, weights};
use std::fs;
use std::path::Path;
use std::process::Stdio;

fn images(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["image"].as_str().unwrap()).collect()
}

#[test]
fn without_weights_the_embedded_model_is_used() {
    // Nothing but the program and a picture, in a folder of their own.
    let folder = folder("classify_embedded");
    let pictures = [
        ("ankle_boot", "Ankle boot"),
        ("bag", "Bag"),
        ("dress", "Dress"),
        ("sandal", "Sandal"),
        ("sneaker", "Sneaker"),
        ("trouser", "Trouser"),
    ];
    for (file, _) in pictures {
        let file = format!("{file}.png");
        fs::copy(example(&file), folder.join(file)).unwrap();
    }
    let classify = |more: &[&str]| {
        let mut program = program();
        finish(program.args(["classify", ".", "--json"]).args(more).current_dir(&folder)).success()
    };
    let found = classify(&[]);
    let lines = json_lines(&found);
    assert_eq!(lines.len(), pictures.len());
    for (line, (_, name)) in lines.iter().zip(pictures) {
        assert_eq!(line["classes"][0]["name"], name, "{line}");
        assert!(line["classes"][0]["probability"].as_f64() > Some(0.8), "{line}");
    }
    assert_eq!(classify(&["--weights", text(&embedded_model())]), found);
}

#[test]
fn the_embedded_model_is_noted_for_photographs() {
    let small = picture("rgb8.png");
    let (bag, photograph) = (example("bag.png"), example("chelsea.png"));
    let note = "note: the model inside the program knows ten kinds of clothing in small grey pictures, and \
                takes anything else for clothing too; for photographs, run `shufflenet download x1.0` and \
                give --weights x1.0\n";
    for pictures in [&[&photograph][..], &[&bag, &photograph, &photograph], &[&small]] {
        let mut program = program();
        let shown = finish(program.arg("classify").args(pictures).arg("--json"));
        assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), note));
        assert_eq!(json_lines(&shown.stdout).len(), pictures.len());
    }
    run(["classify", text(&bag)]).success();
    run(["classify", text(&photograph), "--weights", text(&embedded_model())]).success();
}

#[test]
fn probabilities_are_those_of_the_decoded_pixels() {
    let model = tiny_model(&folder("classify_probabilities"), 3);
    let network = Network::new(weights::load(&model).unwrap()).unwrap();
    let mut session = Session::new(&network, &SessionOptions::default()).unwrap();
    let mut seen = Vec::new();
    for (name, [width, height], rgb) in decoded_pictures() {
        if name.ends_with(".jpg") {
            continue; // decoded to a few of 255
        }
        let pixels = Pixels::new(&rgb, width, height, 3 * width, PixelFormat::Rgb).unwrap();
        let mut square = vec![0; 224 * 224 * 3];
        let mut preprocessor = Preprocessor::new(network.preprocessing(), width, height).unwrap();
        preprocessor.run(&pixels, &mut square).unwrap();
        let square = Pixels::new(&square, 224, 224, 3 * 224, PixelFormat::Rgb).unwrap();
        let mut expected = session.run(&[Input::Pixels(square)]).unwrap().logits().to_vec();
        softmax(&mut expected);

        let path = picture(&name);
        let line = run(["classify", text(&path), "--weights", text(&model), "--json"]).json();
        assert_eq!(line["image"], text(&path));
        let classes = line["classes"].as_array().unwrap();
        assert_eq!(classes.len(), 3);
        for pair in classes.windows(2) {
            assert!(pair[0]["probability"].as_f64() >= pair[1]["probability"].as_f64(), "{line}");
        }
        for class in classes {
            let index = class["class"].as_u64().unwrap() as usize;
            assert_eq!(class["name"], format!("class {index}"));
            let probability: f32 = class["probability"].to_string().parse().unwrap();
            assert_eq!(probability, expected[index], "{name}");
        }
        seen.push(expected);
    }
    // The model tells pictures apart: the test would see one taken for another.
    seen.sort_by(|a, b| a[0].total_cmp(&b[0]));
    seen.dedup();
    assert!(seen.len() > 10, "{}", seen.len());
}

#[test]
fn people_get_a_block_for_each_picture() {
    let model = tiny_model(&folder("classify_for_people"), 3);
    let paths = [picture("rgb8.png"), picture("grey8.png")];
    let [a, b] = [text(&paths[0]), text(&paths[1])];
    let shown = run(["classify", a, b, "--weights", text(&model), "--top", "2"]).success();
    let json = run(["classify", a, b, "--weights", text(&model), "--json"]).success();
    let mut expected = Vec::new();
    for line in json_lines(&json) {
        let class = |n: usize| {
            let class = &line["classes"][n];
            let percent = 100.0 * class["probability"].as_f64().unwrap();
            format!("{percent:7.1} %  {}\n", class["name"].as_str().unwrap())
        };
        expected.push(format!("{}\n{}{}", line["image"].as_str().unwrap(), class(0), class(1)));
    }
    assert_eq!(shown, expected.join("\n"));
}

#[test]
fn a_thousand_classes_have_imagenets_names() {
    let model = tiny_model(&folder("classify_imagenet"), 1000);
    let names = include_str!("../../src/imagenet_classes.txt").lines().collect::<Vec<_>>();
    let image = picture("rgb8.png");
    let line = run(["classify", text(&image), "--weights", text(&model), "--json"]).json();
    let classes = line["classes"].as_array().unwrap();
    assert_eq!(classes.len(), 5);
    for class in classes {
        assert_eq!(class["name"], names[class["class"].as_u64().unwrap() as usize]);
    }
    let own: Vec<String> = (0..1000).map(|class| format!("{class:03}")).collect();
    let described = tiny_model(&folder("classify_imagenet_described"), 1000);
    describe(&described, &[("labels", &serde_json::to_string(&own).unwrap())]);
    let line = run(["classify", text(&image), "--weights", text(&described), "--json"]).json();
    let first = &line["classes"][0];
    assert_eq!(first["name"], format!("{:03}", first["class"].as_u64().unwrap()));

    let all = ["--json", "--top", "2000"];
    let all =
        run([&["classify", text(&image), "--weights", text(&model)][..], &all].concat()).json();
    assert_eq!(all["classes"].as_array().unwrap().len(), 1000);
}

#[test]
fn labels_name_the_classes() {
    let folder = folder("classify_labels");
    let (model, labels) = (tiny_model(&folder, 3), folder.join("labels.txt"));
    let image = picture("rgb8.png");
    let classify = || {
        let arguments = ["--weights", text(&model), "--labels", text(&labels), "--json"];
        run([&["classify", text(&image)][..], &arguments].concat())
    };
    fs::write(&labels, "cat\r\nblack dog\r\nörtliche Größe\r\n").unwrap();
    let line = classify().json();
    for class in line["classes"].as_array().unwrap() {
        let names = ["cat", "black dog", "örtliche Größe"];
        assert_eq!(class["name"], names[class["class"].as_u64().unwrap() as usize]);
    }

    // The same in forms in which names are passed around.
    for form in [
        r#"["cat", "black dog", "örtliche Größe"]"#,
        r#"{"0": "cat", "1": "black dog", "2": "örtliche Größe"}"#,
        r#"{"2": ["n3", "örtliche Größe"], "1": ["n2", "black dog"], "0": ["n1", "cat"]}"#,
        "{0: 'cat',\n 1: 'black dog',\n 2: 'örtliche Größe'}\n",
        "n02123045 cat\nn02110341 black dog\nn00000003 örtliche Größe\n",
    ] {
        fs::write(&labels, form).unwrap();
        assert_eq!(classify().json(), line, "{form}");
    }

    // The model's own are those that are used without the option.
    describe(&model, &[("labels", r#"["x", "y", "z"]"#)]);
    assert_eq!(classify().json(), line);
    let line = run(["classify", text(&image), "--weights", text(&model), "--json"]).json();
    for class in line["classes"].as_array().unwrap() {
        assert_eq!(class["name"], ["x", "y", "z"][class["class"].as_u64().unwrap() as usize]);
    }

    fs::write(&labels, "cat\ndog\n").unwrap();
    let expected = "found 2 names, expected 3: one for each class of the model";
    assert_eq!(classify().error(), format!("{}: {expected}", labels.display()));
    fs::write(&labels, "cat\n\ndog\n").unwrap();
    let expected = "line 2 is blank, expected a name";
    assert_eq!(classify().error(), format!("{}: {expected}", labels.display()));
    fs::write(&labels, b"cat\n\xFF\ndog\n").unwrap();
    assert_eq!(classify().error(), format!("{}: not UTF-8 text", labels.display()));
    fs::remove_file(&labels).unwrap();
    let error = classify().error();
    assert!(error.starts_with(&format!("{}: ", labels.display())), "{error}");
}

#[test]
fn folders_are_searched_for_pictures() {
    let folder = folder("classify_folders");
    let model = tiny_model(&folder, 3);
    let files = ["b.JPG", "a/z.png", "a/y/x.Jpeg", "c.webp", "a.png", "d.pngx"];
    for file in files {
        let path = folder.join("pictures").join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // What a picture is, its content says.
        fs::copy(picture("rgb8.png"), path).unwrap();
    }
    fs::write(folder.join("pictures/e.txt"), "no picture").unwrap();
    // Found by its ending, but a folder.
    fs::create_dir(folder.join("pictures/e.png")).unwrap();
    let pictures = folder.join("pictures");
    let single = picture("lossy.webp");
    let classify =
        ["classify", text(&pictures), text(&single), "--weights", text(&model), "--json"];
    let lines = json_lines(&run(classify).success());
    let found = ["a/y/x.Jpeg", "a/z.png", "a.png", "b.JPG", "c.webp", "d.pngx"];
    let mut expected: Vec<_> = found.iter().map(|name| pictures.join(name)).collect();
    expected.push(single.clone());
    assert_eq!(images(&lines), expected.iter().map(|path| text(path)).collect::<Vec<_>>());

    let empty = folder.join("pictures/e.png");
    let error = run(["classify", text(&empty), "--weights", text(&model)]).error();
    let expected = "no JPEG, PNG or WebP file here";
    assert_eq!(error, format!("{}: {expected}", empty.display()));
}

#[test]
fn a_bad_picture_is_named_and_the_others_are_done() {
    let folder = folder("classify_bad_picture");
    let model = tiny_model(&folder, 3);
    let whole = fs::read(picture("420.jpg")).unwrap();
    let (cut, missing) = (folder.join("cut.jpg"), folder.join("missing.png"));
    fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let good = [picture("rgb8.png"), picture("420.jpg")];
    let classify = ["classify", text(&good[0]), text(&cut), text(&missing), text(&good[1])];
    let classify = [&classify[..], &["--weights", text(&model)]].concat();

    let shown = run(&classify);
    assert_eq!(shown.code, Some(1));
    let errors: Vec<&str> = shown.stderr.lines().collect();
    assert_eq!(errors[0], format!("error: {}: the JPEG file is cut short", cut.display()));
    assert!(errors[1].starts_with(&format!("error: {}: ", missing.display())), "{}", errors[1]);
    assert_eq!(errors.len(), 2);
    let headings: Vec<&str> = shown.stdout.lines().filter(|line| line.ends_with("g")).collect();
    assert_eq!(headings, [text(&good[0]), text(&good[1])]);

    let json = run([&classify[..], &["--json"]].concat());
    assert_eq!((json.code, json.stderr.as_str()), (Some(1), ""));
    let lines = json_lines(&json.stdout);
    assert_eq!(images(&lines), [text(&good[0]), text(&cut), text(&missing), text(&good[1])]);
    assert_eq!(lines[1]["error"], "the JPEG file is cut short");
    assert!(lines[1].get("classes").is_none() && lines[2]["error"].is_string());
    for line in [&lines[0], &lines[3]] {
        assert!(line.get("error").is_none() && line["classes"].as_array().unwrap().len() == 3);
    }
}

#[test]
fn a_decoder_that_panics_is_not_heard() {
    let folder = folder("classify_panic");
    let model = tiny_model(&folder, 3);
    // A palette of 256 colours, less a byte.
    let mut png = fs::read(picture("palette8.png")).unwrap();
    let palette = png.windows(4).position(|kind| kind == b"PLTE").unwrap();
    png[palette - 4..palette].copy_from_slice(&767u32.to_be_bytes());
    png.remove(palette + 4 + 767);
    let mut checksum = flate2::Crc::new();
    checksum.update(&png[palette..palette + 4 + 767]);
    png[palette + 4 + 767..][..4].copy_from_slice(&checksum.sum().to_be_bytes());
    let bad = folder.join("767.png");
    fs::write(&bad, png).unwrap();

    let shown = run(["classify", text(&bad), "--weights", text(&model)]);
    assert_eq!(shown.code, Some(1));
    assert_eq!(shown.stderr, format!("error: {}: its decoder failed\n", bad.display()));
}

#[cfg(unix)]
#[test]
fn what_may_have_no_end_is_not_opened() {
    let folder = folder("classify_pipe");
    let (pipe, good) = (crate::support::pipe(&folder), example("bag.png"));
    for unending in [text(&pipe), "/dev/zero"] {
        let shown = run(["classify", unending, text(&good)]);
        let expected = format!("error: {unending}: not a regular file\n");
        assert_eq!((shown.code, shown.stderr), (Some(1), expected));
        assert!(shown.stdout.contains("Bag"), "{}", shown.stdout);
        for option in ["--weights", "--labels"] {
            let error = run(["classify", text(&good), option, unending]).error();
            assert_eq!(error, format!("{unending}: not a regular file"));
        }
    }
}

#[test]
fn threads_change_nothing() {
    let folder = folder("classify_threads");
    let (model, pictures) = (tiny_model(&folder, 3), folder.join("pictures"));
    fs::create_dir(&pictures).unwrap();
    for (name, _, _) in decoded_pictures() {
        fs::copy(picture(&name), pictures.join(name)).unwrap();
    }
    let with = |threads: &str| {
        let arguments = ["--weights", text(&model), "--json", "--threads", threads];
        run([&["classify", text(&pictures)][..], &arguments].concat()).success()
    };
    let one = with("1");
    let lines = json_lines(&one);
    assert_eq!(lines.len(), decoded_pictures().len());
    assert!(images(&lines).is_sorted());
    for threads in ["2", "3", "16", "18446744073709551615"] {
        assert_eq!(with(threads), one, "{threads} threads");
    }
}

#[test]
fn weights_that_cannot_be_used_are_one_line() {
    let folder = folder("classify_weights");
    let image = picture("rgb8.png");
    let model = tiny_model(&folder, 3);
    let whole = fs::read(&model).unwrap();
    let files = [
        ("missing.safetensors", None),
        ("empty.pth", Some(&b""[..])),
        ("cut.safetensors", Some(&whole[..whole.len() - 1])),
        ("picture.pth", Some(include_bytes!("../../../pictures/tests/data/rgb8.png"))),
    ];
    for (name, content) in files {
        let path = folder.join(name);
        if let Some(content) = content {
            fs::write(&path, content).unwrap();
        }
        let error = run(["classify", text(&image), "--weights", text(&path)]).error();
        assert!(error.starts_with(&format!("{}: ", path.display())), "{error}");
    }
}

#[test]
fn the_environment_chooses_kernels() {
    let model = tiny_model(&folder("classify_mask"), 3);
    let image = picture("rgb8.png");
    let masked = |mask: &str| {
        let arguments = ["classify", text(&image), "--weights", text(&model), "--json"];
        finish(program().args(arguments).env("SHUFFLENET_CPU", mask))
    };
    let probabilities = |line: Value| -> Vec<(u64, f64)> {
        let classes = line["classes"].as_array().unwrap().iter();
        let pair = |class: &Value| {
            (class["class"].as_u64().unwrap(), class["probability"].as_f64().unwrap())
        };
        classes.map(pair).collect()
    };
    let reference = probabilities(masked("reference").json());
    for (a, b) in reference.iter().zip(probabilities(masked("portable").json())) {
        assert!(a.0 == b.0 && (a.1 - b.1).abs() < 1e-5, "{a:?} {b:?}");
    }
    let error = masked("nonsense").error();
    assert!(error.starts_with("SHUFFLENET_CPU: ") && error.contains("`nonsense`"), "{error}");
}

#[test]
fn a_closed_pipe_ends_the_work_quietly() {
    let model = tiny_model(&folder("classify_closed_pipe"), 3);
    let pictures = picture("");
    for json in [&[][..], &["--json"]] {
        let mut program = program();
        program.args(["classify", text(&pictures), "--weights", text(&model)]).args(json);
        let mut child = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), stderr.as_str()), (Some(0), ""));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_not_unicode_are_shown_as_well_as_can_be() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = folder("classify_not_unicode");
    let model = tiny_model(&folder, 3);
    let good = folder.join(OsStr::from_bytes(b"g\xFFod\x1B[1m.png"));
    fs::copy(picture("rgb8.png"), &good).unwrap();
    let bad = folder.join(OsStr::from_bytes(b"b\xFFd\n.png"));
    let classify = |json: &[&str]| {
        finish(
            program().arg("classify").args([&good, &bad]).arg("--weights").arg(&model).args(json),
        )
    };
    let shown = classify(&[]);
    assert_eq!(shown.code, Some(1));
    assert!(shown.stdout.contains("/g\u{FFFD}od\\u{1b}[1m.png\n"), "{}", shown.stdout);
    assert!(shown.stderr.contains("/b\u{FFFD}d\\n.png: "), "{}", shown.stderr);
    let lines = json_lines(&classify(&["--json"]).stdout);
    assert!(images(&lines)[0].ends_with("/g\u{FFFD}od\u{1b}[1m.png"));
    assert!(lines[0]["classes"].is_array() && lines[1]["error"].is_string());
}

/// With the published weights, where they lie beside the repository.
#[test]
fn real_pictures_are_recognised() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    if !shared.join("models").exists() {
        println!("skipped: ../shared/models is absent");
        return;
    }
    let images = ["chelsea.png", "coffee.png"].map(example);
    let mut outputs = Vec::new();
    for extension in ["safetensors", "pth"] {
        let model = format!("models/shufflenet_v2_x1_0-imagenet.{extension}");
        let model = shared.join(model);
        let classify = ["classify", text(&images[0]), text(&images[1]), "--weights", text(&model)];
        let output = run([&classify[..], &["--json"]].concat()).success();
        let lines = json_lines(&output);
        for (line, expected) in lines.iter().zip([("Egyptian cat", "0.95"), ("espresso", "0.98")]) {
            let first = &line["classes"][0];
            let probability = format!("{:.2}", first["probability"].as_f64().unwrap());
            assert_eq!((first["name"].as_str().unwrap(), probability.as_str()), expected);
        }
        assert_eq!(lines.len(), 2);
        outputs.push(output);
    }
    assert_eq!(outputs[0], outputs[1]);
}
