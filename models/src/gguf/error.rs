//! What can be wrong with a GGUF file, each with the key or tensor it is about.

use std::path::Path;

use crate::ModelError;

/// A fault of a GGUF file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GgufError {
    /// The first four bytes are not `GGUF`.
    #[error("it does not begin with the letters GGUF")]
    Magic,
    /// A version that is not read here.
    #[error("GGUF version {0}; versions 2 and 3 are read, write it again with a current converter")]
    Version(u32),
    /// The file was written on a big-endian machine.
    #[error("it is big-endian; convert it with `gguf-convert-endian FILE little`")]
    BigEndian,
    /// The file ends in the middle of something.
    #[error("it ends at byte {at} inside {what}, which needs {needed} more bytes than there are")]
    Truncated {
        /// What was being read.
        what: String,
        /// Where.
        at: usize,
        /// How many bytes are missing.
        needed: u64,
    },
    /// A number that is over a limit of this reader.
    #[error("{what} is {value}; at most {limit} is read")]
    Limit {
        /// What is counted.
        what: String,
        /// The file's number.
        value: u64,
        /// The largest that is accepted.
        limit: u64,
    },
    /// A metadata entry that cannot be used.
    #[error("metadata `{key}`: {reason}")]
    Key {
        /// The entry's key.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// A tensor that cannot be used.
    #[error("tensor `{tensor}`: {reason}")]
    Tensor {
        /// The tensor's name.
        tensor: String,
        /// What is wrong.
        reason: String,
    },
}

impl GgufError {
    pub(super) fn key(key: &str, reason: impl Into<String>) -> Self {
        Self::Key { key: key.into(), reason: reason.into() }
    }

    pub(super) fn tensor(tensor: &str, reason: impl Into<String>) -> Self {
        Self::Tensor { tensor: tensor.into(), reason: reason.into() }
    }

    /// The same with the path of the file.
    pub(crate) fn at(self, path: &Path) -> ModelError {
        match self {
            Self::Tensor { tensor, reason } => ModelError::Tensor { path: path.into(), tensor, reason },
            other => ModelError::Corrupt { path: path.into(), reason: other.to_string() },
        }
    }
}
