//! Which class a folder of `evaluate` is, and which of its files are pictures.

use crate::support::{Run, describe, folder, picture, run, text, tiny_model};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders of these names, with one picture more in each than in the one before.
fn folders<S: AsRef<str>>(path: &Path, names: &[S]) -> PathBuf {
    for (index, name) in names.iter().enumerate() {
        let class = path.join(name.as_ref());
        fs::create_dir_all(&class).unwrap();
        for copy in 0..=index {
            fs::copy(picture("rgb8.png"), class.join(format!("{copy}.png"))).unwrap();
        }
    }
    path.to_owned()
}

fn evaluate(path: &Path, model: &Path, more: &[&str]) -> Run {
    let arguments = ["evaluate", text(path), "--json", "--weights", text(model)];
    run([&arguments[..], more].concat())
}

/// The numbers of pictures of each class, and the notes, without what they begin with.
#[track_caller]
fn counts(path: &Path, run: Run) -> (Vec<u64>, Vec<String>) {
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let classes = report["classes"].as_array().unwrap().iter();
    let start = format!("{}: ", path.display());
    let notes = run.stderr.lines().map(|line| {
        let note = line.strip_prefix("note: ").expect(line);
        note.strip_prefix(&start).unwrap_or(note).to_owned()
    });
    (classes.map(|class| class["count"].as_u64().unwrap()).collect(), notes.collect())
}

#[test]
fn the_order_of_numbers_is_said_and_can_be_chosen() {
    let folder = folder("class_folders_order");
    let (unnamed, named) = (tiny_model(&folder, 12), folder.join("named.safetensors"));
    fs::copy(&unnamed, &named).unwrap();
    let names: Vec<String> = ('a'..='l').map(|name| name.to_string()).collect();
    describe(&named, &[("labels", &serde_json::to_string(&names).unwrap())]);

    // Folder n has n + 1 pictures.
    let numbers: Vec<String> = (0..12).map(|number| number.to_string()).collect();
    let path = folders(&folder.join("numbers"), &numbers);
    let count = |model: &Path, more: &[&str]| counts(&path, evaluate(&path, model, more));
    let by_number: Vec<u64> = (1..=12).collect();
    let as_text = vec![1, 2, 11, 12, 3, 4, 5, 6, 7, 8, 9, 10];
    let note = "folders are taken for the classes in the order of text, as by torchvision's ImageFolder: `10` is \
                `class 2`; with --class-order number it is `class 10`";
    assert_eq!(count(&unnamed, &[]), (as_text.clone(), vec![note.to_owned()]));
    let note = "folders are taken for the classes by their numbers: `10` is `k`; with --class-order text it \
                is `c`";
    assert_eq!(count(&named, &[]), (by_number.clone(), vec![note.to_owned()]));
    for model in [&unnamed, &named] {
        assert_eq!(count(model, &["--class-order", "number"]), (by_number.clone(), vec![]));
        assert_eq!(count(model, &["--class-order", "text"]), (as_text.clone(), vec![]));
    }

    // With all their digits, numbers have one order.
    let padded: Vec<String> = (0..12).map(|number| format!("{number:02}")).collect();
    let path = folders(&folder.join("padded"), &padded);
    for more in [&[][..], &["--class-order", "text"], &["--class-order", "number"]] {
        assert_eq!(counts(&path, evaluate(&path, &unnamed, more)), (by_number.clone(), vec![]));
    }
    // Names may have numbers.
    let prefixed: Vec<String> = (0..12).map(|number| format!("class{number}")).collect();
    let path = folders(&folder.join("prefixed"), &prefixed);
    let (found, notes) = counts(&path, evaluate(&path, &named, &[]));
    let note = "folders are taken for the classes in the order of their names: `class10` is `c`; with \
                --class-order number it is `k`";
    assert_eq!((found, notes), (as_text, vec![note.to_owned()]));
    let more = ["--class-order", "number"];
    assert_eq!(counts(&path, evaluate(&path, &named, &more)), (by_number, vec![]));
}

#[test]
fn numbers_without_zero_are_said() {
    let folder = folder("class_folders_from_one");
    let model = tiny_model(&folder, 12);
    // Some classes: each is where it is among all.
    let path = folders(&folder.join("some"), &["1", "2", "11"]);
    let (found, notes) = counts(&path, evaluate(&path, &model, &[]));
    assert_eq!(found, [0, 1, 0, 3, 2, 0, 0, 0, 0, 0, 0, 0]);
    let note = "folders are taken for the classes in the order of text, as by torchvision's ImageFolder: `11` is \
                `class 3`; with --class-order number it is `class 11`; no folder is 0: if they are \
                counted from 1, --labels with their names in order says so";
    assert_eq!(notes, [note]);
    let (found, _) = counts(&path, evaluate(&path, &model, &["--class-order", "number"]));
    assert_eq!(found, [0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 3]);
    let labels = folder.join("labels.txt");
    fs::write(&labels, "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n").unwrap();
    let (found, notes) = counts(&path, evaluate(&path, &model, &["--labels", text(&labels)]));
    assert_eq!((found, notes), (vec![1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0], vec![]));

    // All classes, counted from one.
    let numbers: Vec<String> = (1..=12).map(|number| number.to_string()).collect();
    let path = folders(&folder.join("all"), &numbers);
    let (found, notes) = counts(&path, evaluate(&path, &model, &[]));
    assert_eq!(found, [1, 10, 11, 12, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert!(notes[0].contains("`10` is `class 1`; with --class-order number it is `class 9`"));
    let (found, notes) = counts(&path, evaluate(&path, &model, &["--class-order", "number"]));
    assert_eq!((found, notes), ((1..=12).collect(), vec![]));

    // An order tells nothing of a few folders with names, nor of idx files.
    let path = folders(&folder.join("few"), &["x", "y"]);
    let error = evaluate(&path, &model, &["--class-order", "text"]).error();
    let expected = "--class-order text: found 2 folders, expected numbers below 12, or a folder for each of \
                    the model's 12 classes";
    assert_eq!(error, format!("{}: {expected}", path.display()));
    let idx = folder.join("images-idx3");
    fs::write(&idx, "").unwrap();
    fs::write(folder.join("labels-idx1"), "").unwrap();
    let error = evaluate(&idx, &model, &["--class-order", "text"]).error();
    assert!(error.ends_with("--class-order is for folders, and these are idx files"), "{error}");
}

#[test]
fn pictures_are_found_by_content_and_others_counted() {
    let folder = folder("class_folders_files");
    let model = tiny_model(&folder, 2);
    let path = folders(&folder.join("data"), &["0", "1"]);
    let jpeg = fs::read(picture("420.jpg")).unwrap();
    let png = fs::read(picture("rgb8.png")).unwrap();
    let webp = fs::read(picture("lossy.webp")).unwrap();
    let pictures: [(&str, &[u8]); 7] = [
        ("a.jfif", &jpeg),
        ("b.JPE", &jpeg),
        ("c", &png),
        ("d.img", &webp),
        ("e.12", &jpeg),
        ("f.bmp", &png),
        ("g.txt", &jpeg),
    ];
    for (name, content) in pictures {
        fs::write(path.join("0").join(name), content).unwrap();
    }
    // Not pictures, or of kinds that are not read.
    let others: [(&str, &[u8]); 19] = [
        ("0.png~", &png),
        ("0.png_original", &png),
        ("0.bak", &png),
        ("notes.txt", b"BMW"),
        ("data.json", b"[]"),
        ("Thumbs.db", b"\xD0\xCF\x11\xE0"),
        (".DS_Store", b"\0\0\0\x01Bud1"),
        ("README", b"BM: pictures of two kinds"),
        ("empty", b""),
        ("a.bmp", b"BM"),
        ("b.BMP", b"BM"),
        ("a.tif", b"II*\0"),
        ("a.heic", b"\0\0\0\x18ftypheic"),
        ("gif", b"GIF89a"),
        ("._c.png", b"\0\x05\x16\x07"),
        (".ipynb_checkpoints/c.png", &png),
        ("__MACOSX/c.png", b"no picture"),
        ("@eaDir/c.png/thumb.jpg", &jpeg),
        ("a.png/b.txt", b""),
    ];
    for (name, content) in others {
        let file = path.join("1").join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    }
    for name in ["__MACOSX", "@eaDir", ".ipynb_checkpoints"] {
        fs::create_dir(path.join(name)).unwrap();
        fs::write(path.join(name).join("a.png"), &png).unwrap();
    }
    let note = "5 files are left out: 2 .bmp, 1 .heic, 1 .tif, 1 without an ending; JPEG, PNG and WebP are read";
    let (found, notes) = counts(&path, evaluate(&path, &model, &[]));
    assert_eq!((found, notes), (vec![8, 2], vec![note.to_owned()]));

    let classify = run(["classify", text(&path), "--json", "--weights", text(&model)]);
    assert_eq!((classify.code, classify.stderr), (Some(0), format!("note: {note}\n")));
    assert_eq!(classify.stdout.lines().count(), 10);

    // A file named by itself is what it is.
    let named = path.join("1/._c.png");
    let error = run(["classify", text(&named), "--weights", text(&model)]).error();
    assert!(error.contains("not a picture that can be read"), "{error}");
}

#[test]
fn an_empty_class_is_a_note() {
    let folder = folder("class_folders_empty");
    let model = tiny_model(&folder, 3);
    let path = folders(&folder.join("data"), &["0", "1"]);
    fs::create_dir(path.join("2")).unwrap();
    let (found, notes) = counts(&path, evaluate(&path, &model, &[]));
    assert_eq!((found, notes), (vec![1, 2, 0], vec!["no pictures in `2`".to_owned()]));

    for class in ["0", "1"] {
        fs::remove_dir_all(path.join(class)).unwrap();
    }
    let error = evaluate(&path, &model, &["--class-order", "number"]).error();
    assert_eq!(error, format!("{}: no JPEG, PNG or WebP file in its folders `2`", path.display()));
}

#[test]
fn parts_of_a_data_set_are_no_classes() {
    let folder = folder("class_folders_parts");
    let model = tiny_model(&folder, 2);
    let path = folder.join("data");
    for part in ["train", "val"] {
        folders(&path.join(part), &["0", "1"]);
    }
    let error = evaluate(&path, &model, &[]).error();
    let expected = "expected a folder for each class, found parts of a data set: `train`, `val`; run \
                    `shufflenet evaluate ";
    assert_eq!(error, format!("{0}: {expected}{0}/val`", path.display()));
    counts(&path.join("val"), evaluate(&path.join("val"), &model, &[]));

    // Classes may be called so.
    let labels = folder.join("labels.txt");
    fs::write(&labels, "val\nTrain\n").unwrap();
    let (found, _) = counts(&path, evaluate(&path, &model, &["--labels", text(&labels)]));
    assert_eq!(found, [3, 3]);
}

#[test]
fn accents_may_be_apart_from_their_letters() {
    let folder = folder("class_folders_accents");
    let (model, labels) = (tiny_model(&folder, 3), folder.join("labels.txt"));
    fs::write(&labels, "tea\ncaf\u{e9}\nma\u{301}te\n").unwrap();
    let path = folders(&folder.join("data"), &["cafe\u{301}", "m\u{e1}te", "tea"]);
    let (found, notes) = counts(&path, evaluate(&path, &model, &["--labels", text(&labels)]));
    assert_eq!((found, notes), (vec![3, 1, 2], vec![]));
}
