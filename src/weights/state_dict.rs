//! The tensors of a network by name: what they must be, and what network they describe.

use std::collections::BTreeMap;
use std::io::Write;

use super::source::Source;
use super::{Tensor, fold, metadata, safetensors, tensor};
use crate::Error;
use crate::float_env::DefaultFloatEnv;
use crate::model::{Architecture, Layer, Model, Preprocessing, Stage};

/// The tensors of a network under torchvision's names, still in their file.
///
/// Nothing is copied until a model is made. Reading takes memory for names and shapes only.
#[derive(Clone, Debug)]
pub struct StateDict<'a> {
    /// Sorted by name.
    tensors: Vec<Tensor<'a>>,
    metadata: BTreeMap<String, String>,
    source: Source<'a>,
    pub(super) checkpoint_key: Option<String>,
}

/// A file has fewer tensors than bytes by this factor: name, shape and place alone take more. A
/// smaller file is hostile, and the limit keeps what reading it costs below its own size.
const BYTES_PER_TENSOR: usize = 64;

/// What a batch norm counts while it trains, and nothing needs afterwards.
const COUNTER: &str = ".num_batches_tracked";

impl<'a> StateDict<'a> {
    /// Reads a safetensors file or, with the feature `pth`, a PyTorch checkpoint; which of them is
    /// told by the content.
    ///
    /// If all names begin with `module.` (as a training wrapper leaves them), the prefix is removed,
    /// and the entry `n_averaged` of an averaged model is left out.
    ///
    /// A training checkpoint has the state dict under a key. Of dictionaries with a ShuffleNet v2's tensors,
    /// one whose key has the word `ema`, `swa`, `average`, `averaged` or `avg` is taken, for whoever keeps
    /// averaged weights evaluates with them; else the first of `state_dict`, `model`, `model_state_dict`;
    /// else the only one. [`checkpoint_key`](StateDict::checkpoint_key) tells which.
    ///
    /// # Errors
    /// [`Error::Format`] for anything but a well-formed file of these formats, and for a checkpoint in which
    /// no dictionary has the tensors, or several have and nothing chooses one: the keys are named.
    pub fn read(bytes: &'a [u8]) -> Result<StateDict<'a>, Error> {
        if is_checkpoint(bytes)? { read_pth(bytes) } else { safetensors::read(bytes) }
    }

    /// Sorts and checks what a reader found in a file.
    pub(super) fn new(
        format: &'static str,
        mut tensors: Vec<Tensor<'a>>,
        metadata: BTreeMap<String, String>,
        source: Source<'a>,
    ) -> Result<StateDict<'a>, Error> {
        let counted = "n_averaged";
        while tensors.iter().any(|t| t.name.starts_with("module."))
            && tensors.iter().all(|t| t.name.starts_with("module.") || t.name == counted)
        {
            tensors.retain(|t| t.name != counted);
            for tensor in &mut tensors {
                tensor.strip_prefix("module.");
            }
        }
        tensor::sort(&mut tensors, &|a, b| a.name.cmp(&b.name));
        if let Some(pair) = tensors.windows(2).find(|pair| pair[0].name == pair[1].name) {
            return Err(Error::format(format, format!("tensor `{}` stands twice", pair[0].name)));
        }
        Ok(StateDict { tensors, metadata, source, checkpoint_key: None })
    }

    /// The tensors in the order of their names.
    pub fn tensors(&self) -> &[Tensor<'a>] {
        &self.tensors
    }

    /// The texts under `__metadata__` in a safetensors file, none for a checkpoint, and what was set since.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// The same, to be changed: what is put here counts as if it stood in the file, for models and for files
    /// that are written. [`weights`](super) has the keys.
    pub fn metadata_mut(&mut self) -> &mut BTreeMap<String, String> {
        &mut self.metadata
    }

    /// The key under which a training checkpoint has these tensors; none if it has them at the top.
    pub fn checkpoint_key(&self) -> Option<&str> {
        self.checkpoint_key.as_deref()
    }

    /// What batch norm adds to the variance: what the metadata says, or else PyTorch's 1e-5.
    ///
    /// # Errors
    /// [`Error::Metadata`] if it says no number above 0 and up to 1.
    pub fn epsilon(&self) -> Result<f64, Error> {
        metadata::epsilon(&self.metadata)
    }

    /// How pictures are prepared for the model, by the metadata and the shapes alone.
    ///
    /// # Errors
    /// Those of [`architecture`](StateDict::architecture), and [`Error::Metadata`] for a wrong text.
    pub fn preprocessing(&self) -> Result<Preprocessing, Error> {
        metadata::preprocessing(&self.metadata, &self.architecture()?)
    }

    #[inline(never)] // large, and called from many places
    fn find(&self, name: &str) -> Option<usize> {
        self.tensors.binary_search_by(|t| t.name.as_ref().cmp(name)).ok()
    }

    pub(super) fn get(&self, name: &str) -> Result<&Tensor<'a>, Error> {
        let found = self.find(name).map(|i| &self.tensors[i]);
        found.ok_or_else(|| Error::MissingTensor { name: name.to_owned(), expected: Vec::new() })
    }

    /// Widths, depths and class count, from names and shapes alone.
    ///
    /// # Errors
    /// [`Error::MissingTensor`] if nothing tells a width, [`Error::Argument`] for a width or depth that
    /// no network has. Other faults in the file are found when a model is made of it.
    pub fn architecture(&self) -> Result<Architecture, Error> {
        let mut stages = [Stage { units: 0, channels: 0 }; 3];
        for (s, stage) in stages.iter_mut().enumerate() {
            let half = self.width([
                &format!("stage{}.0.branch1.2.weight", s + 2),
                &format!("stage{}.0.branch1.3.weight", s + 2),
                &format!("stage{}.0.branch1.3.running_mean", s + 2),
            ])?;
            *stage = Stage { units: self.units(s + 2), channels: half.saturating_mul(2) };
        }
        let architecture = Architecture {
            stem_channels: self.width([
                "conv1.0.weight",
                "conv1.1.weight",
                "conv1.1.running_mean",
            ])?,
            stages,
            feature_channels: self.width([
                "conv5.0.weight",
                "conv5.1.weight",
                "conv5.1.running_mean",
            ])?,
            classes: self.width(["fc.weight", "fc.bias", "fc.bias"])?,
        };
        architecture.validate()?;
        Ok(architecture)
    }

    /// The first dimension of three tensors that share it. Where one differs, the two others are
    /// believed, so that the error names the odd one; where there is no majority, the first.
    fn width(&self, names: [&str; 3]) -> Result<usize, Error> {
        let first = |name| self.find(name).and_then(|i| self.tensors[i].shape().first().copied());
        let [a, b, c] = names.map(first);
        let width = if b.is_some() && b == c && names[1] != names[2] { b } else { a.or(b).or(c) };
        width.ok_or_else(|| Error::MissingTensor { name: names[0].to_owned(), expected: vec![] })
    }

    /// Units of a stage. The first incomplete one is the last counted: it will be reported, and what
    /// follows from the result stays in proportion to the file.
    fn units(&self, stage: usize) -> usize {
        let complete = |unit: &usize| {
            let prefix = format!("stage{stage}.{unit}.");
            let begin = self.tensors.partition_point(|t| t.name.as_ref() < prefix.as_str());
            let own = self.tensors[begin..].iter().take_while(|t| t.name.starts_with(&prefix));
            let count = own.filter(|t| !t.name.ends_with(COUNTER)).count();
            if count > 0 { Some(count >= if *unit == 0 { 25 } else { 15 }) } else { None }
        };
        let mut units = 0;
        while let Some(complete) = complete(&units) {
            units += 1;
            if !complete {
                break;
            }
        }
        units.max(1)
    }

    /// The network that the tensors describe, and its layers, once every tensor is known to be there
    /// with its shape and type, and none beside them.
    fn network(&self) -> Result<(Architecture, Vec<Layer>), Error> {
        let architecture = self.architecture()?;
        let layers = architecture.layers();
        let mut known = vec![false; self.tensors.len()];
        let mut bytes = 0usize;
        let mut check = |name: String, expected: &[usize]| {
            let Some(index) = self.find(&name) else {
                return Err(Error::MissingTensor { name, expected: expected.to_vec() });
            };
            let tensor = &self.tensors[index];
            if tensor.shape() != expected {
                let (found, expected) = (tensor.shape().to_vec(), expected.to_vec());
                return Err(Error::TensorShape { name, found, expected });
            }
            if !tensor.dtype().is_weight() {
                return Err(Error::TensorType { name, found: tensor.dtype().to_string() });
            }
            known[index] = true;
            bytes = bytes.saturating_add(tensor.size());
            Ok(())
        };
        for layer in &layers {
            check(format!("{}.weight", layer.name), &layer.weight_shape())?;
            let vectors = match &layer.batch_norm {
                Some(_) => &["weight", "bias", "running_mean", "running_var"][..],
                None => &["bias"],
            };
            for vector in vectors {
                let name = layer.batch_norm.as_ref().unwrap_or(&layer.name);
                check(format!("{name}.{vector}"), &[layer.outputs])?;
            }
        }
        for (tensor, _) in self.tensors.iter().zip(&known).filter(|(_, known)| !**known) {
            let counter = tensor.name.strip_suffix(COUNTER).is_some_and(|norm| {
                self.find(&format!("{norm}.running_var")).is_some_and(|index| known[index])
            });
            if !counter {
                let (name, shape) = (tensor.name().to_owned(), tensor.shape().to_vec());
                return Err(Error::UnexpectedTensor { name, shape });
            }
        }
        if bytes > self.source.len() {
            return Err(Error::format("checkpoint", "tensors of the network share memory"));
        }
        Ok((architecture, layers))
    }

    /// The model, with batch norm folded in.
    ///
    /// Takes 4 bytes a weight. For each batch norm, in f64 and without fused operations: `scale = weight
    /// / sqrt(running_var + epsilon)`; the convolution's weights become `weight * scale` and its bias
    /// `bias - running_mean * scale`, each rounded to f32 once. Epsilon is 1e-5 if the metadata does not say
    /// otherwise: no tensor tells with which one it was trained. What the metadata says of labels,
    /// preprocessing and provenance is taken over, and torchvision's preprocessing for what it does not
    /// say (see [`weights`](super)). A network trained on BGR gets its first weights in the order RGB.
    ///
    /// # Errors
    /// In this order, and each with the first tensor concerned in the order of the network:
    /// [`Error::MissingTensor`], [`Error::TensorShape`] and [`Error::TensorType`];
    /// [`Error::UnexpectedTensor`]; [`Error::Metadata`] and [`Error::MetadataKey`]; [`Error::NotFinite`] for an
    /// infinity or a NaN in the file or made by batch norm, [`Error::Negative`] for a variance below `-epsilon`.
    /// Besides, what [`architecture`](StateDict::architecture) returns, and
    /// [`Error::Format`] if tensors of the network share memory.
    pub fn to_model(&self) -> Result<Model, Error> {
        let (architecture, specs) = self.network()?;
        let (description, bgr) = metadata::read(&self.metadata, &architecture)?;
        metadata::check_stem(&self.metadata)?;
        let epsilon = self.epsilon()?;
        let _environment = DefaultFloatEnv::enter();
        let mut reader = self.source.reader();
        let mut layers = Vec::with_capacity(specs.len());
        for spec in &specs {
            layers.push(fold::fold(self, &mut reader, spec, epsilon)?);
        }
        drop(specs);
        if bgr {
            fold::swap_red_and_blue(&mut layers[0]);
        }
        Ok(Model::from_parts(architecture, layers, description))
    }

    /// Writes the network as a safetensors file, in torchvision's names.
    ///
    /// Types, values and metadata stay as they are; `num_batches_tracked` is left out. The tensors stand
    /// by falling element size and then by name, the data begins at a multiple of 8 bytes, so every
    /// element is aligned to its size.
    ///
    /// # Errors
    /// What [`to_model`](StateDict::to_model) returns, except that values are not looked at;
    /// [`Error::Write`] if `out` fails.
    pub fn write_safetensors(&self, mut out: impl Write) -> Result<(), Error> {
        self.network()?;
        let weights = self.tensors.iter().filter(|t| !t.name.ends_with(COUNTER));
        let mut weights: Vec<&Tensor<'_>> = weights.collect();
        weights.sort_by_key(|t| std::cmp::Reverse(t.dtype().size()));
        let failed = |source| Error::Write { source };
        out.write_all(&safetensors::header(&weights, &self.metadata)).map_err(failed)?;
        let mut reader = self.source.reader();
        for tensor in weights {
            tensor.write(&mut reader, &mut out)?;
        }
        out.flush().map_err(failed)
    }
}

/// So many bytes at a file's beginning tell what it is.
pub(super) const BEGINNING: usize = 9;

/// Whether a file that begins so is a PyTorch checkpoint; else it is a safetensors file.
pub(super) fn is_checkpoint(beginning: &[u8]) -> Result<bool, Error> {
    if beginning.starts_with(b"PK\x03\x04") {
        return Ok(true);
    }
    // A safetensors file could begin with a pickle's first two bytes, but not with its first eight:
    // they would make a header of more than 2^40 bytes.
    if matches!(beginning, [0x80, 2..=5, rest @ ..] if rest.iter().take(6).skip(3).any(|&b| b != 0))
    {
        return Ok(true);
    }
    // The header is an object. What is neither form would otherwise be an odd safetensors file.
    match beginning.get(8) {
        Some(b'{') | None => Ok(false),
        Some(_) => {
            let message = "neither safetensors nor a PyTorch checkpoint";
            Err(Error::format("weights", message))
        }
    }
}

/// Checks that a file of `bytes` can hold so many `entries`, before memory is taken for them.
pub(super) fn check_count(format: &'static str, entries: usize, bytes: usize) -> Result<(), Error> {
    if entries > (bytes + 1024) / BYTES_PER_TENSOR {
        let message = format!("{entries} entries in {bytes} bytes are more than any network has");
        return Err(Error::format(format, message));
    }
    Ok(())
}

#[cfg(feature = "pth")]
fn read_pth(bytes: &[u8]) -> Result<StateDict<'_>, Error> {
    super::pth::read(bytes)
}

#[cfg(not(feature = "pth"))]
fn read_pth(_: &[u8]) -> Result<StateDict<'_>, Error> {
    let message = "this is a PyTorch checkpoint, which needs the feature `pth`; \
                   `shufflenet convert` makes a safetensors file of it";
    Err(Error::format("safetensors", message))
}
