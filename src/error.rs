//! The one error type: what was wrong, where, and what was expected.

use std::fmt;
use std::path::PathBuf;

/// Anything that a file, an argument or a machine can get wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be opened or read.
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// An output could not be written.
    Write {
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The contents of a file are wrong.
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        source: Box<Error>,
    },
    /// Bytes are not the format that they claim to be, or break one of its rules.
    Format {
        /// The format: `safetensors`, `zip`, `pickle`, ...
        format: &'static str,
        /// What is wrong, where, and what was expected.
        message: String,
    },
    /// A tensor that the network needs is not in the file.
    MissingTensor {
        /// Its name, in torchvision's naming.
        name: String,
        /// The shape it should have; empty where the shape follows from the tensor itself.
        expected: Vec<usize>,
    },
    /// A tensor in the file belongs to no layer of the network.
    UnexpectedTensor {
        /// Its name.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// A tensor has the wrong shape.
    TensorShape {
        /// Its name.
        name: String,
        /// The shape in the file.
        found: Vec<usize>,
        /// The shape that the network needs.
        expected: Vec<usize>,
    },
    /// A tensor has an element type that is not f64, f32, f16 or bf16.
    TensorType {
        /// Its name.
        name: String,
        /// The type in the file.
        found: String,
    },
    /// A tensor, or what batch norm makes of it, holds an infinity or a NaN.
    NotFinite {
        /// Its name.
        name: String,
        /// Row-major index of the first such element.
        index: usize,
    },
    /// A tensor holds a negative number where the network needs a variance.
    Negative {
        /// Its name.
        name: String,
        /// Row-major index of the first such element.
        index: usize,
    },
    /// An image's float is an infinity or a NaN.
    ImageNotFinite {
        /// Which image of the run, from 0.
        image: usize,
        /// `red`, `green` or `blue`.
        colour: &'static str,
        /// Row of the pixel, from 0.
        row: usize,
        /// Column of the pixel, from 0.
        column: usize,
        /// `NaN`, `inf` or `-inf`.
        found: &'static str,
    },
    /// A text in a file's metadata is not what its key stands for.
    Metadata {
        /// The key: `shufflenet.labels`, ...
        key: &'static str,
        /// What stands there.
        found: String,
        /// What would have been right.
        expected: String,
    },
    /// A file's metadata has a key of ours that does not exist.
    MetadataKey {
        /// The key: `shufflenet.lables`, ...
        key: String,
        /// Those that exist.
        expected: String,
    },
    /// An argument of a call is out of range.
    Argument {
        /// Which argument.
        name: &'static str,
        /// What was passed.
        found: String,
        /// What would have been right.
        expected: String,
    },
    /// There is not so much memory.
    Memory {
        /// What would take it.
        what: String,
    },
}

impl Error {
    pub(crate) fn argument(
        name: &'static str,
        found: impl fmt::Display,
        expected: impl fmt::Display,
    ) -> Error {
        /// Once for all types.
        #[cold]
        fn of(name: &'static str, found: &dyn fmt::Display, expected: &dyn fmt::Display) -> Error {
            Error::Argument { name, found: found.to_string(), expected: expected.to_string() }
        }
        of(name, &found, &expected)
    }

    pub(crate) fn format(format: &'static str, message: impl Into<String>) -> Error {
        Error::Format { format, message: message.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io { path, source } => write!(f, "{}: {source}", path.display()),
            Error::Write { source } => write!(f, "cannot write: {source}"),
            Error::File { path, source } => write!(f, "{}: {source}", path.display()),
            Error::Format { format, message } => write!(f, "not a valid {format} file: {message}"),
            Error::MissingTensor { name, expected } if expected.is_empty() => {
                write!(f, "tensor `{name}` is missing")
            }
            Error::MissingTensor { name, expected } => {
                write!(f, "tensor `{name}` is missing, expected with shape {expected:?}")
            }
            Error::UnexpectedTensor { name, shape } => write!(
                f,
                "tensor `{name}` with shape {shape:?} belongs to no layer of this ShuffleNet v2"
            ),
            Error::TensorShape { name, found, expected } => {
                write!(f, "tensor `{name}` has shape {found:?}, expected {expected:?}")
            }
            Error::TensorType { name, found } => {
                write!(f, "tensor `{name}` has type {found}, expected f64, f32, f16 or bf16")
            }
            Error::NotFinite { name, index } => {
                write!(f, "tensor `{name}` is not finite at element {index}")
            }
            Error::Negative { name, index } => {
                write!(f, "tensor `{name}` is negative at element {index}, expected a variance")
            }
            Error::ImageNotFinite { image, colour, row, column, found } => write!(
                f,
                "image {image} is {found} in {colour} at row {row}, column {column}, expected finite \
                 numbers: pixels normalised with the network's mean and std"
            ),
            Error::Metadata { key, found, expected } => {
                write!(f, "metadata `{key}` is {found}, expected {expected}")
            }
            Error::MetadataKey { key, expected } => {
                write!(f, "metadata `{key}` is unknown, expected one of {expected}")
            }
            Error::Argument { name, found, expected } => {
                write!(f, "{name} is {found}, expected {expected}")
            }
            Error::Memory { what } => write!(f, "{what} does not fit in memory"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. } | Error::Write { source } => Some(source),
            Error::File { source, .. } => Some(source),
            _ => None,
        }
    }
}
