//! Files to models: safetensors, and PyTorch checkpoints with the feature `pth`.
//!
//! A file is input from anywhere. Whatever is wrong in it is an error that says what and where; sizes
//! are checked before memory is taken, and reading takes, with the file itself, never more than four
//! times the file's size. Nothing in a file is run: a checkpoint's pickle goes through an interpreter
//! that knows the few instructions by which tensors are written.
//!
//! The metadata of a safetensors file may describe its model. Each key is optional, and its value is a
//! text. Other keys that begin with `shufflenet.` are errors; a checkpoint has none, and
//! [`StateDict::metadata_mut`] gives it some:
//!
//! | key | value |
//! |---|---|
//! | `shufflenet.labels` | what the classes are called: a JSON array of one text for each |
//! | `shufflenet.fit` | `crop` (the default), `stretch` or `pad`: see [`Fit`](crate::model::Fit) |
//! | `shufflenet.resize` | length after resizing, 1 to 2048 pixels: of the shorter side with `crop`, of both with `stretch`, of the longer with `pad`. Without it, the crop times 256 / 224 (232 / 224 for x1.5 and x2.0) with `crop`, and the crop with the others |
//! | `shufflenet.crop` | height and width of the centre crop, 1 to 2048 pixels |
//! | `shufflenet.mean` | JSON array of three numbers of at most 19 digits, for red, green and blue in 0 to 1 |
//! | `shufflenet.std` | the same, in 0.001 to 10 |
//! | `shufflenet.channels` | what the network was trained on: `rgb` or `bgr`; it gets RGB here in any case |
//! | `shufflenet.epsilon` | what batch norm added to the variance: a number above 0 and up to 1; PyTorch's 1e-5 if absent |
//! | `shufflenet.stem_stride` | stride of the first convolution: `2`; `1`, as for CIFAR, is not supported yet |
//! | `shufflenet.provenance` | where the model comes from |
//!
//! The tensors tell neither epsilon nor the stem's stride: where training changed them and the file does
//! not say so, the network gives other answers. [`read_with`] says it for the file.
//!
//! ```no_run
//! let model = shufflenet::weights::load("shufflenet_v2_x1_0.safetensors")?;
//! assert_eq!(model.architecture().name(), "x1.0");
//! # Ok::<(), shufflenet::Error>(())
//! ```

mod decimal;
mod dtype;
mod fold;
mod json;
mod metadata;
#[cfg(feature = "pth")]
mod pth;
mod safetensors;
mod source;
mod state_dict;
mod tensor;

pub use dtype::Dtype;
pub use state_dict::StateDict;
pub use tensor::Tensor;

use std::path::Path;

use crate::Error;
use crate::model::Model;
use source::{OpenFile, Source};

/// Reads a model from a safetensors file or, with the feature `pth`, a PyTorch checkpoint.
///
/// Of a safetensors file only the header and a few kilobytes are in memory at a time, beside the model.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; [`Error::File`] around what [`from_bytes`] returns.
pub fn load(path: impl AsRef<Path>) -> Result<Model, Error> {
    read_with(path, |state| state.to_model())
}

/// The same for all that a [`StateDict`] can do.
///
/// ```no_run
/// use shufflenet::weights;
///
/// // Its batch norms were trained with another epsilon, which a checkpoint does not tell.
/// let model = weights::read_with("trained.pth", |state| {
///     state.metadata_mut().insert("shufflenet.epsilon".into(), "1e-3".into());
///     state.to_model()
/// })?;
/// # Ok::<(), shufflenet::Error>(())
/// ```
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; [`Error::File`] around what [`StateDict::read`] and `use_it`
/// return.
pub fn read_with<T>(
    path: impl AsRef<Path>,
    use_it: impl FnOnce(&mut StateDict<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let path = path.as_ref();
    from_file(&OpenFile::open(path)?, use_it).map_err(in_file(path))
}

/// The same of bytes of a file that is open, the first and how many. Errors speak of it as `path`.
#[cfg(all(unix, feature = "capi"))]
pub(crate) fn load_part(
    file: std::fs::File,
    path: &Path,
    place: (u64, u64),
) -> Result<Model, Error> {
    let part = OpenFile::part(file, path, place)?;
    from_file(&part, |state| state.to_model()).map_err(in_file(path))
}

/// Says in which file an error is.
fn in_file(path: &Path) -> impl Fn(Error) -> Error {
    move |error| match error {
        Error::Io { .. } | Error::Write { .. } => error,
        source => Error::File { path: path.to_owned(), source: Box::new(source) },
    }
}

fn from_file<T>(
    file: &OpenFile<'_>,
    use_it: impl FnOnce(&mut StateDict<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut bytes = Vec::new();
    file.read(0..file.len.min(state_dict::BEGINNING), &mut bytes)?;
    if state_dict::is_checkpoint(&bytes)? {
        file.read(0..file.len, &mut bytes)?;
        return use_it(&mut StateDict::read(&bytes)?);
    }
    let header = safetensors::header_place(&bytes, file.len)?;
    file.read(header, &mut bytes)?;
    use_it(&mut safetensors::read_header(&bytes, Source::File(file))?)
}

/// Reads a file of weights whole. A device or a pipe, which may have no end, is refused.
///
/// # Errors
/// [`Error::Io`] if it cannot be read, is no regular file, or is larger than the memory there is.
pub fn read_file(path: impl AsRef<Path>) -> Result<Vec<u8>, Error> {
    let file = OpenFile::open(path.as_ref())?;
    let mut bytes = Vec::new();
    file.read(0..file.len, &mut bytes)?;
    Ok(bytes)
}

/// Makes a model of the bytes of such a file.
///
/// # Errors
/// What [`StateDict::read`] and [`StateDict::to_model`] return.
pub fn from_bytes(bytes: &[u8]) -> Result<Model, Error> {
    StateDict::read(bytes)?.to_model()
}
