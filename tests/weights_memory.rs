//! No file makes the loader take more memory than four times its size.
//!
//! The allocator counts; so this binary has one test, and nothing runs beside it.

#[path = "common/peak.rs"]
mod in_use;
#[path = "data/weights/support.rs"]
mod support;

use shufflenet::Error;
use shufflenet::model::{Architecture, Model, Stage};
use shufflenet::weights;
use support::{Random, SAME, contiguous, file, stream, tensor, text};

/// For the text of an error, and for the first allocation of a list.
const SLACK: usize = 2048;

/// Loads a file of these bytes and returns the peak, the file itself included, over the file's size,
/// and whether it is a model.
fn peak(bytes: &[u8]) -> (f64, bool) {
    measured(bytes, bytes.len(), || weights::from_bytes(bytes))
}

/// The same from a file on the disk.
fn peak_from_disk(bytes: &[u8]) -> (f64, bool) {
    let path = std::env::temp_dir().join(format!("weights_memory.{}", std::process::id()));
    std::fs::write(&path, bytes).unwrap();
    let result = measured(bytes, 0, || weights::load(&path));
    std::fs::remove_file(path).unwrap();
    result
}

fn measured(bytes: &[u8], held: usize, load: impl FnOnce() -> Result<Model, Error>) -> (f64, bool) {
    let (peak, result) = in_use::peak(load);
    let peak = peak + held;
    let model = result.is_ok();
    assert!(
        peak <= 4 * bytes.len() + SLACK,
        "{peak} bytes for a file of {}: {:?}",
        bytes.len(),
        result.map(|m| *m.architecture())
    );
    (peak as f64 / bytes.len() as f64, model)
}

fn safetensors(header: &str) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat()
}

/// A zip archive of empty entries.
fn zip(count: usize) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for i in 0..count {
        let name = format!("{i:x}");
        let length = [name.len() as u8, 0];
        directory.extend([b"PK\x01\x02", &[0; 24][..], &length, &[0; 12]].concat());
        directory.extend((file.len() as u32).to_le_bytes());
        directory.extend(name.as_bytes());
        file.extend([b"PK\x03\x04", &[0; 22][..], &length, &[0; 2], name.as_bytes()].concat());
    }
    let mut end = [b"PK\x06\x06", &[0; 52][..]].concat();
    end[32..40].copy_from_slice(&(count as u64).to_le_bytes());
    end[40..48].copy_from_slice(&(directory.len() as u64).to_le_bytes());
    end[48..56].copy_from_slice(&(file.len() as u64).to_le_bytes());
    let at = file.len() + directory.len();
    let locator = [b"PK\x06\x07", &[0; 4][..], &at.to_le_bytes(), &[0; 4]].concat();
    [file, directory, end, locator, b"PK\x05\x06".to_vec(), vec![0; 18]].concat()
}

/// As many complete units as fit 32768, each tensor from one place: the most layers for the least file.
fn deep(mut tensors: impl FnMut(&str, &[usize]) -> Vec<u8>) -> Vec<u8> {
    let architecture = Architecture {
        stem_channels: 1,
        stages: [900, 1, 1].map(|units| Stage { units, channels: 2 }),
        feature_channels: 1,
        classes: 1,
    };
    let names = support::names(&architecture);
    names.iter().flat_map(|(name, shape)| tensors(name, shape)).collect()
}

/// A network with hardly more than its last layer, in f16, and a text in its metadata, escaped already.
fn described(classes: usize, key: &str, text: &str) -> Vec<u8> {
    let architecture = Architecture {
        stem_channels: 1,
        stages: [Stage { units: 1, channels: 2 }; 3],
        feature_channels: 1,
        classes,
    };
    let mut header = format!("{{\"__metadata__\":{{\"shufflenet.{key}\":\"{text}\"}}");
    let mut at = 0;
    for (name, shape) in support::names(&architecture) {
        let end = at + 2 * shape.iter().product::<usize>();
        let (shape, range) = (format!("{shape:?}").replace(' ', ""), format!("[{at},{end}]"));
        header += &format!(
            ",\"{name}\":{{\"dtype\":\"F16\",\"shape\":{shape},\"data_offsets\":{range}}}"
        );
        at = end;
    }
    [safetensors(&(header + "}")), [0x00, 0x3c].repeat(at / 2)].concat()
}

fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    const N: usize = 1 << 18;
    let run = |code: &[u8]| stream(&code.repeat(N), &[]);
    let deep_stream = {
        // Three tensors that nearly all others are, out of the memo.
        let mut object = [tensor("0", 30, 0, &[1], &[1]), b"q\0".to_vec()].concat();
        for (i, shape) in [[1usize, 1, 3, 3], [1, 1, 1, 1]].iter().enumerate() {
            object.extend(tensor("0", 30, 0, shape, &contiguous(shape)));
            object.extend([b'q', i as u8 + 1]);
        }
        object.extend(b"}(");
        object.extend(deep(|name, shape| {
            let view = match shape {
                [1] => b"h\0".to_vec(),
                [1, 1, 3, 3] => b"h\x01".to_vec(),
                [1, 1, 1, 1] => b"h\x02".to_vec(),
                _ => tensor("0", 30, 0, shape, &contiguous(shape)),
            };
            [text(name), view].concat()
        }));
        object.push(b'u');
        let mut file = stream(&object, &[("0", &[0x00, 0x3c].repeat(30))]);
        // Just long enough for so many tensors.
        file.resize(64 * deep(|_, _| vec![0]).len(), 0);
        file
    };
    let mut at = 0;
    let mut deep_header: String = deep(|name, shape| {
        let size = 2 * shape.iter().product::<usize>();
        at += size;
        let range = format!("[{},{at}]", at - size);
        let shape = format!("{shape:?}").replace(' ', "");
        format!("\"{name}\":{{\"dtype\":\"F16\",\"shape\":{shape},\"data_offsets\":{range}}},")
            .into_bytes()
    })
    .into_iter()
    .map(char::from)
    .collect();
    deep_header.pop();
    let deep_safetensors =
        [safetensors(&format!("{{{deep_header}}}")), [0x00, 0x3c].repeat(at / 2)].concat();
    let entries = |f: &dyn Fn(usize) -> String| {
        let all: Vec<String> = (0..20_000).map(f).collect();
        all.join(",")
    };
    let empty = |i| {
        format!("\"{i:x}\":{{\"dtype\":\"U8\",\"shape\":[0,1,1,1,1,1,1,1],\"data_offsets\":[0,0]}}")
    };
    // Each would be three layers if it were complete.
    let unit =
        |i| format!("\"stage2.{i}.\":{{\"dtype\":\"F16\",\"shape\":[0],\"data_offsets\":[0,0]}}");
    let widths = [
        "conv1.0",
        "conv5.0",
        "fc",
        "stage2.0.branch1.2",
        "stage3.0.branch1.2",
        "stage4.0.branch1.2",
    ]
    .map(|name| {
        format!("\"{name}.weight\":{{\"dtype\":\"F16\",\"shape\":[2,0],\"data_offsets\":[0,0]}}")
    })
    .join(",");
    let note = |i| format!("\"{i:x}\":\"\"");
    let sparse = |i| format!("\"{i:0122x}\":\"\"");
    let long = format!("{{\"__metadata__\":{{\"a\":\"{}\"}}}}", "\\n".repeat(N));
    let mixed = format!(
        "{{\"{}\":{{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,0]}}}}",
        "\\na".repeat(N)
    );
    let names = |label: &str, count: usize| {
        format!("[{}]", vec![format!("\\\"{label}\\\""); count].join(","))
    };
    let (many, newlines) = (1 << 15, "\\\\n".repeat(N));
    vec![
        ("network with empty labels", described(many, "labels", &names("", many))),
        ("network with short labels", described(many, "labels", &names("a", many))),
        ("network with escapes in short labels", described(many, "labels", &names("\\\\n", many))),
        ("network with a label of escapes", described(1, "labels", &names(&newlines, 1))),
        ("network with a long label", described(1, "labels", &names(&"a".repeat(N), 1))),
        ("network with a long provenance", described(1, "provenance", &"\\n".repeat(N))),
        ("too many labels", described(1, "labels", &names("", N))),
        ("labels that are none", described(1, "labels", &format!("[{}", "1,".repeat(N)))),
        ("a mean of many numbers", described(1, "mean", &format!("[{}1]", "1,".repeat(N)))),
        ("lists", run(b"]")),
        ("dictionaries", run(b"}")),
        ("empty tuples", run(b")")),
        ("nothing", run(b"N")),
        ("marks", run(b"(")),
        ("copies", run(b"N2")),
        (
            "numbers in a list",
            stream(&[b"](".to_vec(), b"K\0".repeat(N), b"e".to_vec()].concat(), &[]),
        ),
        ("pairs", stream(&[b"}(".to_vec(), b"NN".repeat(N), b"u".to_vec()].concat(), &[])),
        ("singles put one by one", stream(&[b"]".to_vec(), b"Na".repeat(N)].concat(), &[])),
        ("tuples in tuples", stream(&[b")".to_vec(), b"\x85".repeat(N)].concat(), &[])),
        ("storages", stream(&[b")q\0".to_vec(), b"Qh\0".repeat(N)].concat(), &[])),
        (
            "memo",
            stream(
                &[
                    b"N".to_vec(),
                    (0..N as u32).flat_map(|i| [&b"r"[..], &i.to_le_bytes()].concat()).collect(),
                ]
                .concat(),
                &[],
            ),
        ),
        ("network, deep, in a stream", deep_stream),
        ("network, deep, in safetensors", deep_safetensors),
        ("units of one tensor", safetensors(&format!("{{{widths},{}}}", entries(&unit)))),
        ("empty tensors", safetensors(&format!("{{{}}}", entries(&empty)))),
        (
            "notes, as many as pass",
            safetensors(&format!("{{\"__metadata__\":{{{}}}}}", entries(&sparse))),
        ),
        ("notes", safetensors(&format!("{{\"__metadata__\":{{{}}}}}", entries(&note)))),
        ("escapes in a note", safetensors(&long)),
        ("escapes in a name", safetensors(&mixed)),
        ("entries of an archive", zip(10_000)),
        ("claims", [&99_000_000u64.to_le_bytes()[..], b"{"].concat()),
    ]
}

#[test]
fn loading_takes_at_most_four_times_the_file() {
    for name in SAME.into_iter().chain(["fine_f64.pth"]) {
        let (peak, model) = peak(&file(name));
        let from_disk = peak_from_disk(&file(name));
        println!("{name}: {peak:.2}, from disk {:.2}", from_disk.0);
        assert!(model && from_disk.1, "{name}");
    }
    for (name, file) in hostile() {
        let (peak, model) = peak(&file);
        let from_disk = peak_from_disk(&file);
        println!("{name}: {peak:.2}, from disk {:.2}", from_disk.0);
        assert_eq!([model, from_disk.1], [name.starts_with("network"); 2], "{name}");
    }
    let mut random = Random::new();
    for name in SAME {
        let good = support::without_checksums(file(name));
        let mut worst = 0f64;
        for _ in 0..2000 {
            let mut bad = good.clone();
            for _ in 0..1 + random.below(3) {
                let at = random.below(bad.len());
                bad[at] ^= 1 << random.below(8);
            }
            worst = worst.max(peak(&bad).0);
        }
        println!("{name}, damaged: {worst:.2}");
    }
}
