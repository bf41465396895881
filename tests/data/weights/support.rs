//! What the tests of the loader share: the small files beside this one, hand-made checkpoints of the
//! stream form, and random numbers.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::path::PathBuf;

/// Every small file that holds the same network, and so gives the same model.
pub const SAME: [&str; 11] = [
    "zip.pth",
    "stream.pth",
    "python2.pth",
    "f16.pth",
    "bf16.pth",
    "channels_last.pth",
    "training.pth",
    "distributed.pth",
    "f32.safetensors",
    "mixed.safetensors",
    "wrapped.safetensors",
];

pub fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/weights").join(name)
}

pub fn file(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap()
}

/// SplitMix64. The seed is the time, unless `SEED` is set, and is printed: a failing test shows it.
pub struct Random(u64);

impl Random {
    pub fn new() -> Random {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let seed =
            std::env::var("SEED").map_or(now.as_nanos() as u64, |seed| seed.parse().unwrap());
        println!("SEED={seed}");
        Random(seed)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }
}

/// A pickled text.
pub fn text(text: &str) -> Vec<u8> {
    [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
}

pub fn int(value: usize) -> Vec<u8> {
    [&[0x8a, 8], &(value as u64).to_le_bytes()[..]].concat()
}

fn ints(values: &[usize]) -> Vec<u8> {
    [b"(".to_vec(), values.iter().flat_map(|&v| int(v)).collect(), b"t".to_vec()].concat()
}

/// A pickled tensor that is a view of a float storage.
pub fn tensor(
    key: &str,
    numel: usize,
    offset: usize,
    shape: &[usize],
    strides: &[usize],
) -> Vec<u8> {
    [
        b"ctorch._utils\n_rebuild_tensor_v2\n((".to_vec(),
        text("storage"),
        b"ctorch\nHalfStorage\n".to_vec(),
        text(key),
        text("cpu"),
        int(numel),
        b"NtQ".to_vec(),
        int(offset),
        ints(shape),
        ints(strides),
        b"\x89NtR".to_vec(),
    ]
    .concat()
}

/// A file of the stream form around an object's pickle and storages of 2-byte elements.
pub fn stream(object: &[u8], storages: &[(&str, &[u8])]) -> Vec<u8> {
    let mut file =
        b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.".to_vec();
    file.extend([b"\x80\x02}(".to_vec(), text("little_endian"), b"\x88u.".to_vec()].concat());
    file.extend([b"\x80\x02", object, b"."].concat());
    file.extend(b"\x80\x02](");
    file.extend(storages.iter().flat_map(|(key, _)| text(key)));
    file.extend(b"e.");
    for (_, data) in storages {
        file.extend((data.len() as u64 / 2).to_le_bytes());
        file.extend(*data);
    }
    file
}

/// The names and shapes of a network's tensors.
pub fn names(architecture: &shufflenet::model::Architecture) -> Vec<(String, Vec<usize>)> {
    let mut names = Vec::new();
    for layer in architecture.layers() {
        names.push((format!("{}.weight", layer.name), layer.weight_shape()));
        match &layer.batch_norm {
            Some(norm) => {
                for part in ["weight", "bias", "running_mean", "running_var"] {
                    names.push((format!("{norm}.{part}"), vec![layer.outputs]));
                }
            }
            None => names.push((format!("{}.bias", layer.name), vec![layer.outputs])),
        }
    }
    names
}

pub fn contiguous(shape: &[usize]) -> Vec<usize> {
    (0..shape.len()).map(|i| shape[i + 1..].iter().product()).collect()
}

/// Sets the checksums in a zip archive's directory to 0, which stands for none: damage then reaches
/// what is behind them.
pub fn without_checksums(mut file: Vec<u8>) -> Vec<u8> {
    for at in directory(&file) {
        file[at + 16..at + 20].fill(0);
    }
    file
}

/// Where the entries of a zip archive's directory begin.
pub fn directory(file: &[u8]) -> Vec<usize> {
    (0..file.len()).filter(|&at| file[at..].starts_with(b"PK\x01\x02")).collect()
}
