//! Files to models: every form, what is wrong in one, and hostile ones.

use crate::support;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use crate::support::{Random, SAME, directory, file, int, path, stream, tensor, text};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView, serialize};
use shufflenet::Error;
use shufflenet::model::{Architecture, Model, Stage};
use shufflenet::weights::{self, StateDict};

fn bits(model: &Model) -> Vec<u32> {
    let layers = model.layers().iter();
    layers.flat_map(|l| l.weight.iter().chain(&l.bias)).map(|v| v.to_bits()).collect()
}

/// Values that NumPy folded in f64 and rounded to f32.
fn golden(name: &str) -> Vec<u32> {
    file(name).chunks_exact(4).map(|b| u32::from_le_bytes(b.try_into().unwrap())).collect()
}

#[test]
fn every_form_gives_the_model_that_numpy_folds() {
    let architecture = Architecture {
        stem_channels: 4,
        stages: [(1, 4), (2, 6), (1, 8)].map(|(units, channels)| Stage { units, channels }),
        feature_channels: 10,
        classes: 3,
    };
    for name in SAME {
        let model = weights::load(path(name)).unwrap();
        assert_eq!(model.architecture(), &architecture, "{name}");
        assert_eq!(bits(&model), golden("folded.f32"), "{name}");
    }
    assert_eq!(bits(&weights::load(path("fine_f64.pth")).unwrap()), golden("fine.f32"));
}

#[test]
fn the_same_real_weights_come_out_of_both_formats() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/models");
    if !models.exists() {
        println!("skipped: ../shared/models is absent");
        return;
    }
    let [a, b] = ["safetensors", "pth"].map(|kind| {
        weights::load(models.join(format!("shufflenet_v2_x1_0-imagenet.{kind}"))).unwrap()
    });
    assert_eq!(a.architecture(), &Architecture::X1_0);
    assert_eq!(a.architecture(), b.architecture());
    assert_eq!(bits(&a), bits(&b));
}

/// A network's tensors, to be changed and written again.
type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn small() -> Tensors {
    let file = file("f32.safetensors");
    let tensors = SafeTensors::deserialize(&file).unwrap();
    let own = |t: TensorView<'_>| (t.dtype(), t.shape().to_vec(), t.data().to_vec());
    tensors.iter().map(|(name, t)| (name.to_owned(), own(t))).collect()
}

fn write(tensors: &Tensors) -> Vec<u8> {
    let views = tensors.iter().map(|(name, (dtype, shape, data))| {
        (name, TensorView::new(*dtype, shape.clone(), data).unwrap())
    });
    serialize(views, None).unwrap()
}

fn refused(change: impl FnOnce(&mut Tensors)) -> String {
    let mut tensors = small();
    change(&mut tensors);
    weights::from_bytes(&write(&tensors)).unwrap_err().to_string()
}

fn set(tensors: &mut Tensors, name: &str, index: usize, value: f32) {
    tensors.get_mut(name).unwrap().2[index * 4..][..4].copy_from_slice(&value.to_le_bytes());
}

fn reshape(tensors: &mut Tensors, name: &str, shape: &[usize]) {
    let size = 4 * shape.iter().product::<usize>();
    tensors.insert(name.to_owned(), (Dtype::F32, shape.to_vec(), vec![0; size]));
}

#[test]
fn a_wrong_tensor_is_named() {
    // Each tensor of the network, absent and with one element too many.
    for name in small().keys().filter(|name| !name.ends_with("num_batches_tracked")) {
        let shape = small()[name].1.clone();
        let missing = refused(|t| drop(t.remove(name)));
        assert_eq!(
            missing.split(", expected").next(),
            Some(&*format!("tensor `{name}` is missing"))
        );
        if name != "fc.bias" && name != "fc.weight" {
            assert!(missing.ends_with(&format!("with shape {shape:?}")), "{missing}");
            let mut longer = shape.clone();
            longer[0] += 1;
            let found = refused(|t| reshape(t, name, &longer));
            let expected = format!("tensor `{name}` has shape {longer:?}, expected {shape:?}");
            assert_eq!(found, expected);
        }
    }
    let cases = [
        refused(|t| reshape(t, "conv1.0.weight", &[4])),
        refused(|t| reshape(t, "fc.weight", &[3, 11])),
        refused(|t| reshape(t, "stage3.2.branch2.0.weight", &[3, 3, 1, 1])),
        refused(|t| reshape(t, "stage3.0.branch1.5.num_batches_tracked", &[])),
        refused(|t| reshape(t, "", &[0, 7])),
        refused(|t| t.get_mut("fc.bias").unwrap().0 = Dtype::I32),
        refused(|t| set(t, "fc.weight", 7, f32::NAN)),
        refused(|t| set(t, "conv1.1.bias", 1, f32::INFINITY)),
        refused(|t| set(t, "conv1.1.running_var", 2, -1.0)),
        refused(|t| set(t, "conv5.1.running_mean", 3, f32::NEG_INFINITY)),
        refused(|t| {
            set(t, "conv1.0.weight", 27, f32::MAX);
            set(t, "conv1.1.weight", 1, f32::MAX);
        }),
        refused(|t| {
            for name in ["conv5.1.running_mean", "conv5.1.weight"] {
                set(t, name, 9, f32::MAX);
            }
            t.get_mut("conv5.0.weight").unwrap().2.fill(0);
        }),
    ];
    let belongs = "belongs to no layer of this ShuffleNet v2";
    assert_eq!(
        cases,
        [
            "tensor `conv1.0.weight` has shape [4], expected [4, 3, 3, 3]".to_owned(),
            "tensor `fc.weight` has shape [3, 11], expected [3, 10]".to_owned(),
            "tensor `stage3.2.branch2.1.weight` is missing, expected with shape [3]".to_owned(),
            format!("tensor `stage3.0.branch1.5.num_batches_tracked` with shape [] {belongs}"),
            format!("tensor `` with shape [0, 7] {belongs}"),
            "tensor `fc.bias` has type i32, expected f64, f32, f16 or bf16".to_owned(),
            "tensor `fc.weight` is not finite at element 7".to_owned(),
            "tensor `conv1.1.bias` is not finite at element 1".to_owned(),
            "tensor `conv1.1.running_var` is negative at element 2, expected a variance".to_owned(),
            "tensor `conv5.1.running_mean` is not finite at element 3".to_owned(),
            "tensor `conv1.0.weight` is not finite at element 27".to_owned(),
            "tensor `conv5.1.bias` is not finite at element 9".to_owned(),
        ]
    );
}

#[test]
fn another_network_is_refused_by_its_widths() {
    let found = refused(|t| {
        for name in t.keys().filter(|n| n.starts_with("conv1.")).cloned().collect::<Vec<_>>() {
            reshape(t, &name, &[1 << 15 | 1]);
        }
    });
    assert_eq!(found, "stem channels is 32769, expected 1 to 32768");
    let nothing = weights::from_bytes(&write(&Tensors::new())).unwrap_err().to_string();
    assert_eq!(nothing, "tensor `stage2.0.branch1.2.weight` is missing");
}

#[test]
fn a_file_is_read_as_its_bytes_are() {
    let place = std::env::temp_dir().join(format!("weights.{}", std::process::id()));
    let mut random = Random::new();
    let mut models = 0;
    for name in ["f32.safetensors", "mixed.safetensors", "wrapped.safetensors", "zip.pth"] {
        let good = file(name);
        for round in 0..300 {
            let mut bytes = good.clone();
            if round > 0 {
                let at = random.below(bytes.len());
                bytes[at] ^= 1 << random.below(8);
                bytes.truncate(bytes.len() - random.below(200) / 150 * random.below(64));
            }
            std::fs::write(&place, &bytes).unwrap();
            match (weights::load(&place), weights::from_bytes(&bytes)) {
                (Ok(found), Ok(expected)) => {
                    models += 1;
                    assert_eq!(bits(&found), bits(&expected));
                }
                (Err(Error::File { source, .. }), Err(expected)) => {
                    assert_eq!(source.to_string(), expected.to_string());
                }
                (found, expected) => panic!("{name}: {found:?}, expected {expected:?}"),
            }
        }
    }
    std::fs::remove_file(place).unwrap();
    assert!(models > 100, "{models} models");
}

#[test]
fn load_names_the_file() {
    let absent = weights::load("no such file").unwrap_err();
    assert!(matches!(&absent, Error::Io { path, .. } if path == Path::new("no such file")));
    let script = path("make_weights.py");
    let wrong = weights::load(&script).unwrap_err();
    assert!(matches!(&wrong, Error::File { path, .. } if *path == script), "{wrong}");
}

#[test]
fn written_files_read_back_everywhere() {
    for name in SAME {
        let file = file(name);
        let state = StateDict::read(&file).unwrap();
        let mut written = Vec::new();
        state.write_safetensors(&mut written).unwrap();

        let again = StateDict::read(&written).unwrap();
        assert_eq!(again.to_model().unwrap(), state.to_model().unwrap(), "{name}");
        assert_eq!(again.metadata(), state.metadata());
        let kept = state.tensors().iter().filter(|t| !t.name().ends_with("num_batches_tracked"));
        let list = |t: &weights::Tensor<'_>| (t.name().to_owned(), t.dtype(), t.shape().to_vec());
        assert!(kept.map(list).eq(again.tensors().iter().map(list)), "{name}");

        // Its own reference implementation takes it, and every element is aligned.
        let (length, _) = SafeTensors::read_metadata(&written).unwrap();
        assert!(length.is_multiple_of(8), "{name}");
        let reference = SafeTensors::deserialize(&written).unwrap();
        assert_eq!(reference.len(), again.tensors().len());
        for (tensor, view) in reference.iter() {
            let at = view.data().as_ptr().addr() - written.as_ptr().addr();
            assert!(at.is_multiple_of(view.dtype().bitsize() / 8), "{name}: {tensor}");
        }
        // Values in row-major order, whatever their order was.
        if name == "channels_last.pth" {
            for (tensor, (_, shape, data)) in small() {
                let Ok(view) = reference.tensor(&tensor) else { continue };
                assert_eq!((view.shape(), view.data()), (&shape[..], &data[..]), "{tensor}");
            }
        }
    }
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let file = file("zip.pth");
    let full = StateDict::read(&file).unwrap().write_safetensors(Full);
    assert!(matches!(full, Err(Error::Write { .. })));
}

#[test]
fn safetensors_agrees_with_its_reference() {
    let mut random = Random::new();
    let dtypes = [
        (Dtype::F64, 8),
        (Dtype::F32, 4),
        (Dtype::F16, 2),
        (Dtype::BF16, 2),
        (Dtype::I64, 8),
        (Dtype::U32, 4),
        (Dtype::I16, 2),
        (Dtype::BOOL, 1),
        (Dtype::C64, 8),
    ];
    let characters = ['a', '.', '"', '\\', '/', '\n', '\t', '\u{1}', '\u{7f}', 'é', '好', '😀'];
    for _ in 0..300 {
        let mut word = || {
            let length = random.below(9);
            (0..length).map(|_| characters[random.below(12)]).collect::<String>()
        };
        let metadata: HashMap<String, String> = (0..3).map(|_| (word(), word())).collect();
        let names: Vec<String> = (0..7).map(|_| word()).collect();
        let tensors: Tensors = names
            .into_iter()
            .map(|name| {
                let (dtype, size) = dtypes[random.below(dtypes.len())];
                let shape: Vec<usize> = (0..random.below(5)).map(|_| random.below(5)).collect();
                let size = size * shape.iter().product::<usize>();
                (name, (dtype, shape, (0..size).map(|_| random.below(256) as u8).collect()))
            })
            .collect();
        let views = tensors.iter().map(|(name, (dtype, shape, data))| {
            (name, TensorView::new(*dtype, shape.clone(), data).unwrap())
        });
        let file = serialize(views, Some(metadata.clone())).unwrap();
        let read = StateDict::read(&file).unwrap();
        let found = read.tensors().iter().map(|t| (t.name(), t.shape()));
        assert!(found.eq(tensors.iter().map(|(name, t)| (&**name, &*t.1))), "{:?}", read.tensors());
        let types = read.tensors().iter().map(|t| t.dtype().to_string().to_uppercase());
        assert!(types.eq(tensors.values().map(|t| t.0.to_string())));
        assert!(read.metadata().iter().eq(&metadata.into_iter().collect::<BTreeMap<_, _>>()));
    }
}

/// Why a file that the format's own reader takes may be refused here: words of the error, and the reason.
const STRICTER: [(&str, &str); 8] = [
    ("", "of two tensors or texts of a name, the last would be taken"),
    ("neither safetensors nor", "space before the header"),
    ("expected f64, f32, f16 or bf16", "elements that are no whole bytes"),
    ("at most 8 numbers", "more axes than any weight has"),
    ("expected `dtype`, `shape` or `data_offsets`", "keys that the format does not know"),
    ("expected `{`", "null for metadata, or a tensor's fields without their names"),
    ("expected `\"`", "a type as an object"),
    ("has 0 bytes of data", "no elements, but axes whose product is no number"),
];

/// Numbers, strings and single characters of a header without escapes.
fn pieces(header: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = header;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => rest[1..].find('"').unwrap() + 2,
            '0'..='9' => rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (piece, others) = rest.split_at(length);
        pieces.push(piece.to_owned());
        rest = others;
    }
    pieces
}

#[test]
fn broken_safetensors_are_refused_as_by_their_reference() {
    let words = r#"{ } [ ] : , " \ 0 1 2 4 8 18446744073709551615 - . e1 \u0061 "\u0061" "\ud800" "\ud83d\ude00" é
        null true {} [] "a" "a":{}, "b":"", "a":"", "F32" "F4" "F6_E2M3" {"F32":null} "__metadata__" "dtype" "shape"
        "data_offsets":[0,0] "dtype":"U8" [0,18446744073709551615,2] ,1,1,1,1,1,1,1 "x":[[]], ["U8",[0],[0,0]]
        "c":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"#;
    let words: Vec<&str> = words.split_whitespace().chain([" ", "\n", "\t", "\u{1}"]).collect();
    let mut random = Random::new();
    let dtypes = [(Dtype::F32, 4), (Dtype::F16, 2), (Dtype::U8, 1), (Dtype::F8_E5M2, 1)];
    let (mut taken, mut refused) = (0, 0);
    let mut stricter = [0; STRICTER.len()];
    for _ in 0..100_000 {
        let tensors: Tensors = (0..random.below(4))
            .map(|i| {
                let (dtype, size) = dtypes[random.below(dtypes.len())];
                let shape: Vec<usize> = (0..random.below(4)).map(|_| random.below(3)).collect();
                let data = vec![0; size * shape.iter().product::<usize>()];
                (["a", "b.c", "d"][i].to_owned(), (dtype, shape, data))
            })
            .collect();
        let views = tensors.iter().map(|(name, (dtype, shape, data))| {
            (name, TensorView::new(*dtype, shape.clone(), data).unwrap())
        });
        let note =
            (random.below(2) == 0).then(|| HashMap::from([("a".to_owned(), "b".to_owned())]));
        let file = serialize(views, note).unwrap();
        let end = 8 + usize::try_from(u64::from_le_bytes(file[..8].try_into().unwrap())).unwrap();

        // Pieces are left out, replaced by others or by words, and added; most often one.
        let mut header = pieces(std::str::from_utf8(&file[8..end]).unwrap());
        for _ in 0..1 + random.below(3) * random.below(2) {
            let mut run = |most: usize| {
                let begin = random.below(header.len() + 1);
                begin..(begin + random.below(most)).min(header.len())
            };
            let (to, from) = (run(3), run(20));
            let with = match random.below(5) {
                0 => Vec::new(),
                1 => header[from].to_vec(),
                _ => vec![words[random.below(words.len())].to_owned()],
            };
            header.splice(to, with);
        }
        let mut header = header.concat().into_bytes();
        // Or a byte.
        if random.below(20) == 0 && !header.is_empty() {
            let at = random.below(header.len());
            header[at] ^= 1 << random.below(8);
        }
        let mut data = file[end..].to_vec();
        if random.below(20) == 0 {
            data.resize((data.len() + random.below(9)).saturating_sub(4), 0);
        }
        let length = header.len() as u64 + u64::from(random.below(50) == 0);
        let file = [&length.to_le_bytes(), &header[..], &data].concat();

        let shown = String::from_utf8_lossy(&header);
        match (StateDict::read(&file), SafeTensors::deserialize(&file)) {
            (Ok(found), Ok(expected)) => {
                let mut expected: Vec<_> = expected.iter().collect();
                expected.sort_by_key(|&(name, _)| name);
                let expected =
                    expected.iter().map(|(name, t)| (*name, t.shape(), t.dtype().to_string()));
                let found = found.tensors().iter();
                let found =
                    found.map(|t| (t.name(), t.shape(), t.dtype().to_string().to_uppercase()));
                assert!(found.eq(expected), "{shown}");
                taken += 1;
            }
            (Err(_), Err(_)) => refused += 1,
            (Ok(_), Err(error)) => panic!("{shown} is taken, and not by the reference: {error}"),
            (Err(error), Ok(expected)) => {
                let error = error.to_string();
                // However the first of them is wrong.
                let twice = shown.matches("\"data_offsets\"").count() > expected.len();
                let why = match twice || error.contains("stands twice") {
                    true => Some(0),
                    false => STRICTER[1..]
                        .iter()
                        .position(|(words, _)| error.contains(words))
                        .map(|i| i + 1),
                };
                stricter[why.unwrap_or_else(|| panic!("{shown} is refused: {error}"))] += 1;
            }
        }
    }
    println!("{taken} taken, {refused} refused by both");
    for ((_, reason), count) in STRICTER.iter().zip(stricter) {
        println!("{count} refused here alone: {reason}");
    }
    assert!(taken > 1000 && refused > 10_000);
}

#[test]
fn malformed_safetensors_are_refused() {
    let with = |header: &str, data: usize| {
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; data]].concat()
    };
    let entry = |name: &str, shape: &str, begin: u64, end: u64| {
        format!(r#""{name}":{{"dtype":"F32","shape":{shape},"data_offsets":[{begin},{end}]}}"#)
    };
    let one = entry("a", "[1]", 0, 4);
    let read = |header: &str, data| StateDict::read(&with(header, data)).map(|s| s.tensors().len());
    // The cases below differ from these in one thing each.
    assert_eq!(read(&format!("{{{one}}}"), 4).unwrap(), 1);
    assert_eq!(read(&format!("{{{one} \n\t\r}}   "), 4).unwrap(), 1);
    assert_eq!(read("{}", 0).unwrap(), 0);
    assert_eq!(read(r#"{"__metadata__":{}}"#, 0).unwrap(), 0);
    let pair = |b: &str| format!("{{{one},{b}}}");
    assert_eq!(read(&pair(&entry("b", "[1]", 4, 8)), 8).unwrap(), 2);
    assert_eq!(read(&pair(&entry("b", "[0,9]", 4, 4)), 4).unwrap(), 2);
    let lone = "{\"\\ud800\":1}";
    let cases = [
        ("".to_owned(), 0, "expected `{`"),
        (format!(" {{{one}}}"), 4, "neither safetensors nor"),
        (format!("{{{one}}}}}"), 4, "expected the end"),
        (format!("{{{one}"), 4, "expected `}`"),
        (format!("{{{one},}}"), 4, "expected `\"`"),
        (format!("{{{one}}}"), 5, "1 bytes of data belong to no tensor"),
        (format!("{{{one}}}"), 3, "stands at 0 to 4 of 3"),
        (pair(&one), 4, "overlaps another"),
        (pair(&entry("a", "[1]", 4, 8)), 8, "`a` stands twice"),
        (pair(&entry("b", "[1]", 0, 4)), 4, "overlaps another"),
        (pair(&entry("b", "[1]", 2, 6)), 6, "overlaps another"),
        (pair(&entry("b", "[1]", 5, 9)), 9, "hole before it"),
        (pair(&entry("b", "[1]", 8, 4)), 8, "stands at 8 to 4"),
        (pair(&entry("b", "[1]", 4, u64::MAX)), 8, "stands at 4 to"),
        (pair(&entry("b", "[2]", 4, 8)), 8, "of f32 [2] has 4 bytes"),
        (pair(&entry("b", "[4294967296,4294967296]", 4, 8)), 8, "has 4 bytes"),
        (pair(&entry("b", "[0,18446744073709551615,2]", 4, 4)), 4, "has 0 bytes"),
        (pair(&entry("b", "[18446744073709551616]", 4, 8)), 8, "whole number"),
        (pair(&entry("b", "[-1]", 4, 8)), 8, "whole number"),
        (pair(&entry("b", "[1.0]", 4, 8)), 8, "expected `]`"),
        (pair(&entry("b", "[01]", 4, 8)), 8, "whole number"),
        (pair(&entry("b", "[[1]]", 4, 8)), 8, "whole number"),
        (pair(&entry("b", "[1,]", 4, 8)), 8, "whole number"),
        (pair(&entry("b", "[1,1,1,1,1,1,1,1,1]", 4, 8)), 8, "at most 8 numbers"),
        (pair(r#""b":{"dtype":"F32","shape":[0],"data_offsets":[4]}"#), 4, "two `data_offsets`"),
        (pair(r#""b":{"dtype":"F32","shape":[0]}"#), 4, "two `data_offsets`"),
        (pair(r#""b":{"dtype":"F32","dtype":"F32"}"#), 4, "each key once"),
        (pair(r#""b":{"dtype":"F32","more":[]}"#), 4, "expected `dtype`"),
        (pair(r#""b":[]"#), 4, "expected `{`"),
        (entry("b", "[]", 0, 4).replace("F32", "Q9"), 4, "neither safetensors nor"),
        (format!("{{{}}}", one.replace("F32", "Q9")), 4, "type Q9"),
        ("{\"a\n\":1}".to_owned(), 0, "a character of a string"),
        (lone.to_owned(), 0, "an escape sequence"),
        (lone.replace("d800", "d800\\u0041"), 0, "an escape sequence"),
        (lone.replace("d800", "dc00"), 0, "an escape sequence"),
        (lone.replace("ud800", "x"), 0, "an escape sequence"),
        (lone.replace("ud800", "é"), 0, "an escape sequence"),
        (lone.replace("d800", "+041"), 0, "hexadecimal"),
        ("{\"\\u00".to_owned(), 0, "hexadecimal"),
        (r#"{"__metadata__":{},"__metadata__":{}}"#.to_owned(), 0, "`__metadata__` stands twice"),
        (r#"{"__metadata__":{"a":"","\u0061":""}}"#.to_owned(), 0, "metadata `a` stands twice"),
        (r#"{"__metadata__":{"a":{}}}"#.to_owned(), 0, "expected `\"`"),
        (r#"{"__metadata__":null}"#.to_owned(), 0, "expected `{`"),
    ];
    for (header, data, expected) in &cases {
        let found = read(header, *data).unwrap_err().to_string();
        assert!(found.contains(expected), "{header}: {found}");
    }
    let lengths =
        [0, 7, 8, u64::MAX, 100_000_001].map(|n: u64| StateDict::read(&n.to_le_bytes()).is_err());
    assert_eq!(lengths, [true; 5]);
    assert!(StateDict::read(b"").is_err());
    let latin1 = [&5u64.to_le_bytes()[..], b"{\"\xe9\"}"].concat();
    assert!(StateDict::read(&latin1).unwrap_err().to_string().contains("not UTF-8 at byte 2"));
}

#[test]
fn the_seeds_of_the_fuzz_targets_are_models() {
    let seeds = [
        "nested.pth",
        "stream.pth",
        "views.pth",
        "zip.pth",
        "f16.safetensors",
        "wrapped.safetensors",
    ];
    let models = seeds.map(|name| {
        let folder = name.split('.').next_back().unwrap();
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
        bits(&weights::load(corpus.join(folder).join(name)).unwrap())
    });
    // The same network in all, once with some of its matrices written column by column.
    assert!(models.iter().all(|model| *model == models[0]));
}

#[test]
fn a_cut_file_is_an_error_at_every_length() {
    for name in SAME {
        let file = file(name);
        // The largest has ten times the bytes and the same structure.
        let step = if name == "training.pth" { 13 } else { 1 };
        for length in (0..file.len()).step_by(step) {
            assert!(StateDict::read(&file[..length]).is_err(), "{name} cut at {length}");
        }
    }
}

#[test]
fn damage_is_an_error_or_a_model() {
    let mut random = Random::new();
    for name in SAME {
        let mut file = file(name);
        if name.ends_with(".pth") {
            file = support::without_checksums(file);
            assert!(weights::from_bytes(&file).is_ok());
        }
        let (mut errors, mut models) = (0, 0);
        let mut read = |file: &[u8]| match weights::from_bytes(file) {
            Ok(_) => models += 1,
            Err(error) => errors += usize::from(!error.to_string().is_empty()),
        };
        let step = file.len() / 1500;
        for at in (random.below(step)..file.len()).step_by(step) {
            let good = file[at];
            file[at] ^= 1 << random.below(8);
            read(&file);
            file[at] = good;
        }
        for _ in 0..500 {
            let mut bad = file.clone();
            for _ in 0..1 + random.below(8) {
                let at = random.below(bad.len());
                bad[at] = random.below(256) as u8;
            }
            read(&bad);
        }
        // Flips in values give models, flips in names and lengths errors.
        assert!(errors > 100 && models > 100, "{name}: {errors} errors, {models} models");
    }
}

#[test]
fn damaged_values_fail_the_checksum() {
    let mut file = file("zip.pth");
    let entry = directory(&file)[6];
    let header = u32::from_le_bytes(file[entry + 42..entry + 46].try_into().unwrap()) as usize;
    let lengths =
        [26, 28].map(|at| usize::from(file[header + at]) | usize::from(file[header + at + 1]) << 8);
    file[header + 30 + lengths[0] + lengths[1]] ^= 1;
    let found = weights::from_bytes(&file).unwrap_err().to_string();
    assert!(found.contains("checksum is wrong"), "{found}");
}

#[test]
fn zip_archives_that_swell_or_are_foreign_are_refused() {
    let good = support::without_checksums(file("zip.pth"));
    let refused = |change: &dyn Fn(&mut Vec<u8>, &[usize])| {
        let mut file = good.clone();
        let entries = directory(&file);
        change(&mut file, &entries);
        weights::from_bytes(&file).unwrap_err().to_string()
    };
    let cases = [
        (refused(&|f, e| f[e[4] + 10] = 8), "`zip/data/0` is compressed; torch.save stores"),
        (refused(&|f, e| f[e[4] + 24] ^= 4), "is compressed"),
        (refused(&|f, e| f[e[4] + 8] |= 1), "is encrypted"),
        (refused(&|f, e| f[e[4] + 43] ^= 1), "not where its directory says"),
        (refused(&|f, e| f[e[4] + 45] = 0x70), "stands outside the file"),
        (
            // One entry's bytes under another's, with headers of their own: a name that is data.
            refused(&|f, e| {
                for at in [20, 24] {
                    f[e[4] + at..e[4] + at + 4].copy_from_slice(&2000u32.to_le_bytes());
                }
            }),
            "overlap",
        ),
        (
            refused(&|f, e| {
                let entry = f[e[5]..e[6]].to_vec();
                f[e[4]..e[4] + entry.len()].copy_from_slice(&entry);
            }),
            "overlap",
        ),
        (
            refused(&|f, _| {
                let at = f.windows(6).position(|w| w == b"little").unwrap();
                f[at..at + 6].copy_from_slice(b"big   ");
            }),
            "not little-endian",
        ),
        (refused(&|f, _| f.push(0)), "has bytes appended"),
        (
            refused(&|f, _| {
                let end = f.len();
                f[end - 20 - 22 - 56 + 32] += 1;
            }),
            "no entry where",
        ),
    ];
    for (found, expected) in &cases {
        assert!(found.contains(expected), "{found}, expected: {expected}");
    }
}

/// A pickled dictionary of the tensors of a network, each a view of one storage.
fn dictionary(architecture: &Architecture, view: impl Fn(&str, &[usize]) -> Vec<u8>) -> Vec<u8> {
    let entries = support::names(architecture);
    let entries = entries.iter().flat_map(|(name, shape)| [text(name), view(name, shape)].concat());
    [b"}(".to_vec(), entries.collect(), b"u".to_vec()].concat()
}

#[test]
fn hostile_pickles_are_refused() {
    let zeros = vec![0; 1 << 16];
    let small = Architecture {
        stem_channels: 1,
        stages: [Stage { units: 1, channels: 2 }; 3],
        feature_channels: 1,
        classes: 1,
    };
    let storage = [("0", &zeros[..])];
    let plain = |shape: &[usize]| tensor("0", 1 << 15, 0, shape, &support::contiguous(shape));
    let network = |change: &dyn Fn(&[usize]) -> Vec<u8>| {
        let object = dictionary(&small, |name, shape| match name {
            "conv1.0.weight" => change(shape),
            _ => plain(shape),
        });
        weights::from_bytes(&stream(&object, &storage)).map(|_| ()).map_err(|e| e.to_string())
    };
    assert_eq!(network(&plain), Ok(()));
    let view = |offset, strides: &[usize]| {
        network(&|shape| tensor("0", 1 << 15, offset, shape, strides)).unwrap_err()
    };
    assert!(view(0, &[27, 9, 0, 1]).contains("overlaps itself"));
    assert!(view(0, &[27, 9, 1, 1]).contains("overlaps itself"));
    assert!(view(32767, &[27, 9, 3, 1]).contains("leaves its storage"));
    assert!(view(0, &[27, 9, 3, 1 << 62]).contains("leaves its storage"));
    assert!(view(usize::MAX, &[27, 9, 3, 1]).contains("no valid shape"));
    assert!(view(0, &[27, 9, 3]).contains("do not belong together"));
    // 2 GB from 64 kB: every matrix is the same bytes.
    let large = Architecture::new([128, 128, 128], 250, 100);
    let object = dictionary(&large, |_, shape| plain(shape));
    let shared = weights::from_bytes(&stream(&object, &storage)).unwrap_err().to_string();
    assert!(shared.contains("share memory"), "{shared}");

    // The file has the storages that the object names, unless that is the point.
    let refused = |object: &[u8]| {
        let named = object.windows(6).any(|w| w == b"X\x01\0\0\x000");
        let storages = if named { &storage[..] } else { &[] };
        StateDict::read(&stream(object, storages)).unwrap_err().to_string()
    };
    let call = [b"cos\nsystem\n(".to_vec(), text("exit 1"), b"tR".to_vec()].concat();
    let key = [b"}".to_vec(), text("a"), call.clone(), b"s".to_vec()].concat();
    let beside =
        [b"}(".to_vec(), text("a"), plain(&[]), text("b"), call.clone(), b"u".to_vec()].concat();
    let absent = [b"}".to_vec(), text("a"), tensor("1", 1, 0, &[], &[]), b"s".to_vec()].concat();
    let length = [b"}".to_vec(), text("a"), tensor("0", 1, 0, &[], &[]), b"s".to_vec()].concat();
    let twice =
        [b"}(".to_vec(), text("a"), plain(&[]), text("a"), plain(&[]), b"u".to_vec()].concat();
    let memo =
        [b"}(".to_vec(), text("a"), b"q\0".to_vec(), plain(&[]), b"h\0N".to_vec(), b"u".to_vec()];
    let number = [b"}".to_vec(), int(1), plain(&[]), b"s".to_vec()].concat();
    let cases: [(&[u8], &str); 19] = [
        (&call, "no state dict"),
        (&key, "no dictionary in it has a ShuffleNet v2's tensors; its keys are `a`"),
        (&beside, "`b` of the state dict is not a tensor"),
        (&absent, "not in the file"),
        (&length, "another length"),
        (&twice, "`a` stands twice"),
        (&memo.concat(), "stands twice"),
        (&number, "not a text"),
        (b"N0", "nothing on the stack"),
        (b"N(0", "no state dict"),
        (b"N(a", "nothing on the stack"),
        (b"N(\x85", "nothing on the stack"),
        (b"NN(\x86t", "nothing on the stack"),
        (b"t", "no mark"),
        (b"}(Nu", "a key without a value"),
        (b"h\0", "nothing in the memo"),
        (b"Nr\x02\0\0\0", "a gap in the memo"),
        (b"\x80\x04N", "protocol"),
        (b"I1\n", "opcode 0x49"),
    ];
    for (object, expected) in cases {
        let found = refused(object);
        assert!(found.contains(expected), "{found}, expected: {expected}");
    }
    let nested = [vec![b']'; 1 << 20], vec![b'a'; (1 << 20) - 1]].concat();
    assert!(refused(&nested).contains("too much memory"));
    // With enough data beside it, depth is no matter.
    let zeros = vec![0; 1 << 25];
    let file = stream(&nested, &[]);
    let file = [file, zeros].concat();
    assert!(StateDict::read(&file).unwrap_err().to_string().contains("no state dict"));
}
