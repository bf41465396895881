//! Runs the built program, and makes models for it.

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize_to_file};
use serde_json::Value;
use shufflenet::model::{Architecture, Stage};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a run left.
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// Standard output of a run without a complaint.
    #[track_caller]
    pub fn success(self) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{}", self.stdout);
        self.stdout
    }

    /// The same as one line of JSON.
    #[track_caller]
    pub fn json(self) -> Value {
        let lines = json_lines(&self.success());
        assert_eq!(lines.len(), 1);
        lines[0].clone()
    }

    /// The one line on standard error, without its `error: `, of a run that printed nothing else.
    #[track_caller]
    pub fn error(self) -> String {
        assert_eq!((self.code, self.stdout.as_str()), (Some(1), ""), "{}", self.stderr);
        let line = self.stderr.strip_prefix("error: ").expect(&self.stderr);
        let line = line.strip_suffix('\n').expect("a line break at the end");
        assert!(!line.contains('\n'), "{line}");
        line.to_owned()
    }
}

#[track_caller]
pub fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

fn runner() -> Option<String> {
    let prefix = format!("CARGO_TARGET_{}_", std::env::consts::ARCH.to_uppercase());
    let runner = std::env::vars().find(|(name, value)| {
        name.starts_with(&prefix) && name.ends_with("_RUNNER") && !value.trim().is_empty()
    });
    runner.map(|(_, runner)| runner)
}

/// Whether the program runs on an emulator, and slowly.
pub fn emulated() -> bool {
    runner().is_some()
}

/// The program, to be given its arguments. Under an emulator, started through the runner that cargo was
/// told to start the tests with.
pub fn program() -> Command {
    let program = env!("CARGO_BIN_EXE_shufflenet");
    let mut command = match runner() {
        Some(runner) => {
            let mut words = runner.split_whitespace();
            let mut command = Command::new(words.next().unwrap());
            command.args(words).arg(program);
            command
        }
        None => Command::new(program),
    };
    command.env("NO_COLOR", "1").env_remove("CLICOLOR_FORCE");
    command
}

pub fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Run {
    finish(program().args(arguments))
}

pub fn finish(command: &mut Command) -> Run {
    let output = command.output().expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// An empty folder for one test.
pub fn folder(test: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    if path.exists() {
        fs::remove_dir_all(&path).unwrap();
    }
    fs::create_dir_all(&path).unwrap();
    path
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// A file of these tests.
pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// A test picture.
pub fn picture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../pictures/tests/data").join(name)
}

/// Each test picture's name, size and decoded pixels, as they are in `pictures.txt`.
pub fn decoded_pictures() -> Vec<(String, [usize; 2], Vec<u8>)> {
    let values = fs::read(picture("pictures.u8")).unwrap();
    let mut values = &values[..];
    let pictures = fs::read_to_string(picture("pictures.txt")).unwrap();
    let pictures = pictures.lines().map(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        let [width, height] = [1, 2].map(|i| fields[i].parse::<usize>().unwrap());
        let (pixels, rest) = values.split_at(width * height * 3);
        values = rest;
        (fields[0].to_owned(), [width, height], pixels.to_vec())
    });
    pictures.collect()
}

/// A network of a few channels.
pub fn tiny(classes: usize) -> Architecture {
    let stage = |units, channels| Stage { units, channels };
    Architecture {
        stem_channels: 4,
        stages: [stage(2, 4), stage(3, 6), stage(1, 8)],
        feature_channels: 12,
        classes,
    }
}

/// Writes a model whose values follow from the tensors' names, under torchvision's names.
pub fn write_model(path: &Path, architecture: &Architecture) {
    let mut tensors = Vec::new();
    let mut add = |name: String, shape: Vec<usize>, middle: f32, spread: f32| {
        let mut state = name.bytes().fold(17u32, |hash, byte| hash.wrapping_mul(31) ^ byte as u32);
        let values = (0..shape.iter().product()).flat_map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let unit = (state >> 8) as f32 / (1 << 24) as f32; // 0 to 1
            (middle + spread * (2.0 * unit - 1.0)).to_le_bytes()
        });
        tensors.push((name, shape, values.collect::<Vec<u8>>()));
    };
    for layer in architecture.layers() {
        let shape = layer.weight_shape();
        let inputs: usize = shape[1..].iter().product();
        // Activations neither grow nor fade from layer to layer.
        add(format!("{}.weight", layer.name), shape, 0.0, (6.0 / inputs as f32).sqrt());
        let vector = vec![layer.outputs];
        match layer.batch_norm {
            Some(norm) => {
                add(format!("{norm}.weight"), vector.clone(), 1.0, 0.25);
                add(format!("{norm}.bias"), vector.clone(), 0.0, 0.5);
                add(format!("{norm}.running_mean"), vector.clone(), 0.0, 0.25);
                add(format!("{norm}.running_var"), vector, 1.0, 0.5);
            }
            None => add(format!("{}.bias", layer.name), vector, 0.0, 0.5),
        }
    }
    let views = tensors.iter().map(|(name, shape, values)| {
        (name, TensorView::new(Dtype::F32, shape.clone(), values).expect("values of the shape"))
    });
    serialize_to_file(views, None, path).expect("a file");
}

/// Puts texts into the metadata of a model's file.
pub fn describe(path: &Path, texts: &[(&str, &str)]) {
    let file = fs::read(path).unwrap();
    let tensors = SafeTensors::deserialize(&file).unwrap();
    let texts = texts.iter().map(|(key, text)| (format!("shufflenet.{key}"), text.to_string()));
    serialize_to_file(tensors.iter(), Some(texts.collect()), path).unwrap();
}

/// A pipe that nobody writes into.
#[cfg(unix)]
pub fn pipe(folder: &Path) -> PathBuf {
    let path = folder.join("pipe.png");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

/// A picture of a class of the embedded model.
pub fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/images").join(name)
}

/// A checkpoint of the library's tests.
pub fn checkpoint(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/weights").join(name)
}

/// The file of the embedded model.
pub fn embedded_model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/fashion-mnist-x0_5.safetensors")
}

/// The file of a tiny model in a test's folder.
pub fn tiny_model(folder: &Path, classes: usize) -> PathBuf {
    let path = folder.join(format!("tiny_{classes}.safetensors"));
    write_model(&path, &tiny(classes));
    path
}
