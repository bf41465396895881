use crate::support::{
    Run, embedded_model, emulated, example, folder, picture, run, text, tiny_model,
};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;

/// Pictures of the embedded model's classes.
const EXAMPLES: [(&str, u8); 6] =
    [("trouser", 1), ("dress", 3), ("sandal", 5), ("sneaker", 7), ("bag", 8), ("ankle_boot", 9)];

/// The pixels of the examples, 28x28 each.
fn pixels() -> Vec<u8> {
    let grey = |(name, _): (&str, u8)| {
        let file = fs::read(example(&format!("{name}.png"))).unwrap();
        let grey = shufflenet_pictures::decode(&file).unwrap().rgb.into_iter().step_by(3);
        assert_eq!(grey.len(), 28 * 28);
        grey
    };
    EXAMPLES.into_iter().flat_map(grey).collect()
}

fn idx(sizes: &[usize], bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, sizes.len() as u8];
    file.extend(sizes.iter().flat_map(|&size| (size as u32).to_be_bytes()));
    file.extend(bytes);
    file
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn evaluate(path: &Path, more: &[&str]) -> Run {
    run([&["evaluate", text(path)][..], more].concat())
}

/// A report without what differs between runs.
fn comparable(run: Run) -> Value {
    let mut report = run.json();
    assert!(report["seconds"].take().as_f64() > Some(0.0));
    report
}

fn report(path: &Path, more: &[&str]) -> Value {
    comparable(evaluate(path, &[&["--json"], more].concat()))
}

/// The classes of a picture for the embedded model, the likeliest first.
fn ranking(name: &str) -> Vec<u8> {
    let line = run(["classify", text(&example(name)), "--json", "--top", "10"]).json();
    let classes = line["classes"].as_array().unwrap().iter();
    classes.map(|class| class["class"].as_u64().unwrap() as u8).collect()
}

#[test]
fn idx_pairs_of_every_form_give_one_report() {
    let folder = folder("evaluate_idx");
    // The fifth and the sixth guess instead of the first: of six, four are right, and five nearly.
    let mut labels = EXAMPLES.map(|(_, class)| class);
    labels[0] = ranking("trouser.png")[4];
    labels[5] = ranking("ankle_boot.png")[5];
    let pixels = pixels();
    let images = idx(&[6, 28, 28], &pixels);
    let rgb: Vec<u8> = pixels.iter().flat_map(|&grey| [grey; 3]).collect();
    let (rgb, labels) = (idx(&[6, 28, 28, 3], &rgb), idx(&[6], &labels));

    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    };
    let raw = write("raw/images-idx3-ubyte", &images);
    write("raw/labels-idx1-ubyte", &labels);
    let expected = report(&raw, &["--threads", "1"]);
    assert_eq!(expected["top1"], 4.0 / 6.0);
    assert_eq!(expected["top5"], 5.0 / 6.0);
    assert_eq!((&expected["count"], &expected["failed"]), (&6.into(), &0.into()));
    let confused = |entry: &&Value| entry["class"] != entry["predicted"];
    let confusion: Vec<&Value> =
        expected["confusion"].as_array().unwrap().iter().filter(confused).collect();
    assert_eq!(confusion.len(), 2);
    for (predicted, label) in [(1, ranking("trouser.png")[4]), (9, ranking("ankle_boot.png")[5])] {
        let entry = confusion.iter().find(|entry| entry["predicted"] == predicted).unwrap();
        assert_eq!((&entry["class"], &entry["count"]), (&label.into(), &1.into()));
    }

    for threads in ["2", "5"] {
        assert_eq!(report(&raw, &["--threads", threads]), expected);
    }
    assert_eq!(report(&folder.join("raw"), &[]), expected);
    assert_eq!(report(&raw, &["--weights", text(&embedded_model())]), expected);

    // A suffix says nothing: the content does.
    let zipped = write("zipped/x-images.idx3-ubyte.gz", &gzip(&images));
    write("zipped/x-labels.idx1-ubyte", &gzip(&labels));
    assert_eq!(report(&zipped, &[]), expected);
    let rgb = write("rgb/images-idx4", &rgb);
    write("rgb/labels-idx1.gz", &labels);
    assert_eq!(report(&rgb, &[]), expected);

    // Test pictures go before others, and a file before its compressed copy.
    for (name, bytes) in [("t10k", &images), ("train", &gzip(&images))] {
        write(&format!("both/{name}-images-idx3-ubyte"), bytes);
        write(&format!("both/{name}-labels-idx1-ubyte"), &labels);
    }
    write("both/t10k-images-idx3-ubyte.gz", b"not looked at");
    let mut both = evaluate(&folder.join("both"), &["--json"]);
    let note = "t10k-images-idx3-ubyte is used, not train-images-idx3-ubyte";
    assert_eq!(both.stderr, format!("note: {}: {note}\n", folder.join("both").display()));
    both.stderr.clear();
    assert_eq!(comparable(both), expected);
}

#[test]
fn people_get_tables() {
    let folder = folder("evaluate_for_people");
    let labels = [1, 3, 5, 7, 9, 9]; // a bag that should be a boot
    fs::write(folder.join("images-idx3"), idx(&[6, 28, 28], &pixels())).unwrap();
    fs::write(folder.join("labels-idx1"), idx(&[6], &labels)).unwrap();
    let shown = evaluate(&folder, &[]).success();
    let (tables, speed) = shown.trim_end().rsplit_once('\n').unwrap();
    let expected = "\
class       pictures     top-1  precision
Trouser            1  100.00 %   100.00 %
Dress              1  100.00 %   100.00 %
Sandal             1  100.00 %   100.00 %
Sneaker            1  100.00 %   100.00 %
Bag                0         -     0.00 %
Ankle boot         2   50.00 %   100.00 %

pictures of a class (rows), by what they were taken for (columns)
                0  1  2  3  4  5  6  7  8  9
0  T-shirt/top  .  .  .  .  .  .  .  .  .  .
1  Trouser      .  1  .  .  .  .  .  .  .  .
2  Pullover     .  .  .  .  .  .  .  .  .  .
3  Dress        .  .  .  1  .  .  .  .  .  .
4  Coat         .  .  .  .  .  .  .  .  .  .
5  Sandal       .  .  .  .  .  1  .  .  .  .
6  Shirt        .  .  .  .  .  .  .  .  .  .
7  Sneaker      .  .  .  .  .  .  .  1  .  .
8  Bag          .  .  .  .  .  .  .  .  .  .
9  Ankle boot   .  .  .  .  .  .  .  .  1  1

top-1     83.33 %
";
    assert!(tables.starts_with(expected), "{shown}");
    assert!(speed.starts_with("speed     ") && speed.ends_with(" pictures per second"), "{speed}");

    // No matrix of a thousand columns: this model takes all these for some class of the thousand.
    let model = tiny_model(&folder, 1000);
    let weights = ["--weights", text(&model)];
    let shown = evaluate(&folder, &weights).success();
    assert!(shown.contains("\npictures  of"), "{shown}");
    assert!(shown.lines().count() < 30, "{shown}");
}

#[test]
fn folders_are_classes_by_name_number_or_order() {
    let folder = folder("evaluate_folders");
    let place = |parent: &str, names: [&str; 6]| {
        for ((file, _), name) in EXAMPLES.into_iter().zip(names) {
            let class = folder.join(parent).join(name);
            fs::create_dir_all(class.join("deeper")).unwrap();
            fs::copy(example(&format!("{file}.png")), class.join("deeper/1.png")).unwrap();
        }
        folder.join(parent)
    };
    // What is hidden is no class, and what is no picture is none.
    let names = place("names", ["Trouser", "dress", "SANDAL", "Sneaker", "Bag", "ankle_boot"]);
    fs::create_dir(names.join(".cache")).unwrap();
    fs::write(names.join("notes.txt"), "").unwrap();
    fs::write(names.join("Bag/notes.txt"), "").unwrap();
    let numbers = place("numbers", ["1", "03", "5", "7", "8", "9"]);
    for (path, more) in [(&names, &[][..]), (&numbers, &["--class-order", "number"])] {
        let report = report(path, more);
        assert_eq!((&report["top1"], &report["count"]), (&1.0.into(), &6.into()), "{path:?}");
        assert_eq!(report["classes"][8]["name"], "Bag");
        assert_eq!(report["classes"][8]["precision"], 1.0);
        assert_eq!(report["classes"][0]["top1"], Value::Null);
    }

    let few = place("few", ["n1", "n3", "n5", "n7", "n8", "n9"]);
    let error = evaluate(&few, &[]).error();
    let expected = "6 of 6 folders are no class of the model: `n1`, `n3`, `n5`, ...; \
                    expected names such as `T-shirt/top`, or numbers below 10";
    assert_eq!(error, format!("{}: {expected}", few.display()));

    // A folder for each class, four of them without pictures.
    for name in ["n0", "n2", "n4", "n6"] {
        fs::create_dir(few.join(name)).unwrap();
    }
    let mut in_order = evaluate(&few, &["--json"]);
    let notes = [
        "folders are taken for the classes in the order of their names: `n0` is `T-shirt/top`",
        "no pictures in `n0`, `n2`, `n4`, ...",
    ];
    let notes = notes.map(|note| format!("note: {}: {note}\n", few.display()));
    assert_eq!(std::mem::take(&mut in_order.stderr), notes.concat());
    let report = comparable(in_order);
    assert_eq!(
        (&report["top1"], &report["count"], &report["failed"]),
        (&1.0.into(), &6.into(), &0.into())
    );

    // Names may come from a file.
    let labels = folder.join("labels.txt");
    fs::write(&labels, "a\nn1\nb\nn3\nc\nn5\nd\nn7\nn8\nn9\n").unwrap();
    let named = folder.join("named");
    fs::create_dir(&named).unwrap();
    fs::rename(few.join("n8"), named.join("n8")).unwrap();
    let report = self::report(&named, &["--labels", text(&labels)]);
    assert_eq!((&report["top1"], &report["count"]), (&1.0.into(), &1.into()));
}

#[test]
fn a_bad_picture_is_named_and_the_others_count() {
    let folder = folder("evaluate_bad_picture");
    fs::create_dir_all(folder.join("Bag")).unwrap();
    fs::copy(example("bag.png"), folder.join("Bag/good.png")).unwrap();
    let bad = folder.join("Bag/bad.jpg");
    fs::write(&bad, &fs::read(picture("420.jpg")).unwrap()[..300]).unwrap();
    let expected = format!("error: {}: the JPEG file is cut short\n", bad.display());
    let shown = evaluate(&folder, &[]);
    assert_eq!((shown.code, &shown.stderr), (Some(1), &expected));
    for line in ["top-1     100.00 %", "pictures  1", "not read  1"] {
        assert!(shown.stdout.lines().any(|found| found == line), "{line} in {}", shown.stdout);
    }
    let json = evaluate(&folder, &["--json"]);
    assert_eq!((json.code, &json.stderr), (Some(1), &expected));
    assert!(json.stdout.contains(r#""count":1,"failed":1,"#), "{}", json.stdout);

    // Of nothing there is no fraction.
    fs::remove_file(folder.join("Bag/good.png")).unwrap();
    for more in [&[][..], &["--json"]] {
        let none = evaluate(&folder, more);
        assert_eq!((none.code, none.stdout.as_str(), &none.stderr), (Some(1), "", &expected));
    }
}

#[test]
fn wrong_data_is_one_line() {
    let folder = folder("evaluate_wrong");
    let (images, labels) = (folder.join("images-idx3"), folder.join("labels-idx1"));
    let good = idx(&[6, 28, 28], &pixels());
    let good_labels = idx(&[6], &EXAMPLES.map(|(_, class)| class));
    let refused = |pictures: &[u8], classes: &[u8], path: &Path, expected: &str| {
        fs::write(&images, pictures).unwrap();
        fs::write(&labels, classes).unwrap();
        let error = evaluate(&images, &[]).error();
        assert!(error.starts_with(&format!("{}: {expected}", path.display())), "{error}");
    };
    let cut = "4703 bytes, expected the 6x28x28 of its header";
    refused(&good[..good.len() - 1], &good_labels, &images, cut);
    refused(&gzip(&good[..good.len() - 1]), &good_labels, &images, cut);
    refused(&[&good[..], b"x"].concat(), &good_labels, &images, "more than the 6x28x28 bytes of");
    refused(&good[..9], &good_labels, &images, "cut short in its header");
    let zipped = gzip(&good);
    refused(&zipped[..zipped.len() / 2], &good_labels, &images, "after ");
    let mut damaged = zipped.clone();
    damaged[zipped.len() - 8] ^= 1; // the checksum
    refused(&damaged, &good_labels, &images, "after 4704 of 4704 bytes: ");
    refused(&fs::read(picture("rgb8.png")).unwrap(), &good_labels, &images, "not an idx file");
    let grid = "an array of 6x784, expected NxHxW (grey) or NxHxWx3 (RGB)";
    refused(&idx(&[6, 784], &pixels()), &good_labels, &images, grid);
    refused(&idx(&[0, 28, 28], &[]), &idx(&[0], &[]), &images, "no pictures");
    refused(&idx(&[6, 0, 28], &[]), &good_labels, &images, "no pictures");

    let count = "5 labels, expected 6, one for each picture";
    refused(&good, &idx(&[5], &[1; 5]), &labels, count);
    refused(&good, &idx(&[6, 1], &[1; 6]), &labels, "6x1 labels, expected 6,");
    let high = "label 10 of picture 2, expected less than 10, the model's classes";
    refused(&good, &idx(&[6], &[0, 9, 10, 0, 200, 0]), &labels, high);
    refused(&good, b"", &labels, "cut short in its header");

    let error = |path: &Path| {
        let error = evaluate(path, &[]).error();
        error.strip_prefix(&format!("{}: ", path.display())).expect(&error).to_owned()
    };
    fs::remove_file(&labels).unwrap();
    assert_eq!(error(&images), "no labels-idx1 beside it");
    fs::rename(&images, folder.join("pictures")).unwrap();
    let name = "expected a folder, or an idx file with `images-idx3` in its name, to find the one with \
                `labels-idx1`";
    assert_eq!(error(&folder.join("pictures")), name);
    assert_eq!(error(&folder.join("missing")), "no such file or folder");
    assert_eq!(error(&folder), "expected a folder for each class, or idx files");
    for name in ["a-images-idx3", "b-images-idx3"] {
        fs::write(folder.join(name), "").unwrap();
    }
    let which =
        "expected one file of pictures, or one of them for tests: a-images-idx3, b-images-idx3";
    assert_eq!(error(&folder), which);
}

/// What PyTorch says about Fashion-MNIST with the same weights, and what is true.
#[test]
fn fashion_mnist_is_classified_as_by_pytorch() {
    let debian = Path::new("/usr/share/datasets/fashion-mnist");
    if !debian.exists() {
        println!("skipped: {} is absent (package dataset-fashion-mnist)", debian.display());
        return;
    }
    let predictions =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/fashion_mnist/predictions.u8");
    let predictions = fs::read(predictions).unwrap();
    assert_eq!(predictions.len(), 10_000);
    let content = |name: &str| {
        let mut bytes = Vec::new();
        let file = fs::File::open(debian.join(name)).unwrap();
        GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
        bytes
    };
    let (images, labels) =
        (content("t10k-images-idx3-ubyte.gz"), content("t10k-labels-idx1-ubyte.gz"));
    // An emulator would take minutes for all.
    let count = if emulated() { 500 } else { 10_000 };
    if count < predictions.len() {
        println!("under an emulator: only the first {count} pictures");
    }
    let folder = folder("evaluate_fashion_mnist");
    let evaluate = |classes: &[u8]| {
        let images = &images[16..][..count * 28 * 28];
        fs::write(folder.join("images-idx3"), idx(&[count, 28, 28], images)).unwrap();
        fs::write(folder.join("labels-idx1"), idx(&[count], &classes[..count])).unwrap();
        report(&folder, &[])
    };
    // PyTorch's classes as if they were the true ones: what is not right differs.
    let report = evaluate(&predictions);
    let confusion = report["confusion"].as_array().unwrap().iter();
    let differ: u64 = confusion
        .filter(|entry| entry["class"] != entry["predicted"])
        .map(|entry| entry["count"].as_u64().unwrap())
        .sum();
    println!("{differ} of {count} pictures differ");
    assert_eq!(report["count"], count);
    assert!(differ <= 3, "{report}");

    if !emulated() {
        let top1 = evaluate(&labels[8..])["top1"].as_f64().unwrap();
        assert!((top1 - 0.9308).abs() < 0.00035, "{top1}"); // PyTorch's, give or take the three
    }
}
