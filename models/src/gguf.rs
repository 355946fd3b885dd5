//! GGUF files: one memory-mapped file with weights, configuration, tokenizer and chat template.
//!
//! Versions 2 and 3, little-endian. The file is not trusted: lengths, counts, shapes, offsets and overlaps are checked
//! against the file before anything is allocated for them, and an error names the entry or the tensor. Metadata arrays
//! are left in the file and decoded when asked for, so reading a header costs memory in proportion to its records.
//!
//! | module | what it does |
//! |---|---|
//! | `header` | the directory of entries and tensors, checked |
//! | [`quant`] | the block types and their values |
//! | `names` | llama.cpp's tensor names as Hugging Face's |
//! | `config`, `rope` | metadata as Hugging Face's `config.json` |
//! | `convert` | a file as a Hugging Face folder |
//! | `load` | a file as a model |
//! | `weights` | the tensors as the architectures ask for them |

mod config;
mod convert;
mod cursor;
mod error;
mod header;
mod load;
mod names;
pub mod quant;
mod rope;
mod value;
pub(crate) mod weights;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use convert::{Converted, Float, convert};
pub use error::GgufError;
pub use header::TensorInfo;
pub(crate) use load::load;

use crate::ModelError;
use crate::mapped::Mapped;
use header::Header;
use value::Value;

/// Bytes of a file, mapped or held.
pub(crate) type Bytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}

/// A GGUF file whose header has been checked.
#[derive(Clone)]
pub struct Gguf {
    path: PathBuf,
    file: Bytes,
    header: Arc<Header>,
}

impl std::fmt::Debug for Gguf {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tensors = self.header.tensors.len();
        formatter
            .debug_struct("Gguf")
            .field("path", &self.path)
            .field("tensors", &tensors)
            .finish_non_exhaustive()
    }
}

impl Gguf {
    /// Maps a file of at most `limit` bytes and checks its header.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn open(path: &Path, limit: u64) -> Result<Self, ModelError> {
        Self::parse(path, Arc::new(Mapped::open(path, limit)?))
    }

    /// Reads and checks the header of a file that has been mapped or read. `path` is for messages.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub(crate) fn parse(path: &Path, file: Bytes) -> Result<Self, ModelError> {
        let header = Header::read((*file).as_ref()).map_err(|error| error.at(path))?;
        Ok(Self { path: path.into(), file, header: Arc::new(header) })
    }

    /// The format's version: 2 or 3.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.header.version
    }

    /// The file, for messages.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every tensor, in the order of the file.
    #[must_use]
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.header.tensors
    }

    /// The tensor of this name.
    #[must_use]
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.header.tensors.iter().find(|tensor| tensor.name == name)
    }

    /// A tensor's bytes, as they are stored.
    #[must_use]
    pub fn bytes(&self, tensor: &TensorInfo) -> &[u8] {
        self.whole().get(tensor.range.clone()).unwrap_or_default()
    }

    /// The whole file.
    pub(crate) fn whole(&self) -> &[u8] {
        (*self.file).as_ref()
    }

    /// A tensor's values.
    ///
    /// # Errors
    /// A value that is infinite or not a number.
    pub fn values(&self, tensor: &TensorInfo) -> Result<Vec<f32>, ModelError> {
        let mut out = vec![0.0; tensor.shape.iter().product()];
        tensor.kind.dequantize(self.bytes(tensor), &mut out);
        if out.iter().all(|value| value.is_finite()) {
            return Ok(out);
        }
        Err(GgufError::tensor(&tensor.name, "holds NaN or infinity").at(&self.path))
    }

    /// Text of a metadata entry, if it is there.
    pub(crate) fn text(&self, key: &str) -> Result<Option<&str>, GgufError> {
        match self.header.entries.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(GgufError::key(key, format!("{}, expected text", other.describe()))),
        }
    }

    /// Whether the file says how text becomes tokens.
    pub(crate) fn has_tokenizer(&self) -> Result<bool, GgufError> {
        let model = self.text("tokenizer.ggml.model")?;
        // What llama.cpp writes for a model without one.
        Ok(model.is_some_and(|model| !matches!(model, "none" | "no_vocab")))
    }

    /// A count, id or length, if it is there.
    pub(crate) fn unsigned(&self, key: &str) -> Result<Option<u64>, GgufError> {
        match self.header.entries.get(key) {
            None => Ok(None),
            Some(Value::Integer(value)) => u64::try_from(*value)
                .map(Some)
                .map_err(|_| GgufError::key(key, format!("{value} is not a count"))),
            Some(other) => Err(GgufError::key(key, format!("{}, expected an integer", other.describe()))),
        }
    }

    /// A finite number, if it is there.
    pub(crate) fn number(&self, key: &str) -> Result<Option<f64>, GgufError> {
        match self.header.entries.get(key) {
            None => Ok(None),
            Some(Value::Float(value)) if value.is_finite() => Ok(Some(*value)),
            Some(Value::Integer(value)) => Ok(Some(*value as f64)),
            Some(other) => Err(GgufError::key(key, format!("{}, expected a number", other.describe()))),
        }
    }

    /// A truth value, if it is there.
    pub(crate) fn truth(&self, key: &str) -> Result<Option<bool>, GgufError> {
        match self.header.entries.get(key) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(other) => Err(GgufError::key(key, format!("{}, expected true or false", other.describe()))),
        }
    }

    fn array(&self, key: &str) -> Result<Option<value::Array>, GgufError> {
        match self.header.entries.get(key) {
            None => Ok(None),
            Some(Value::Array(array)) => Ok(Some(*array)),
            Some(other) => Err(GgufError::key(key, format!("{}, expected an array", other.describe()))),
        }
    }

    /// The bytes of an array's strings, which need not be UTF-8.
    pub(crate) fn raw_strings<'a>(
        &'a self,
        key: &'a str,
    ) -> Result<Option<impl Iterator<Item = Result<&'a [u8], GgufError>> + use<'a>>, GgufError> {
        self.array(key)?.map(|array| array.raw_strings(self.whole(), key)).transpose()
    }

    /// An array's numbers.
    pub(crate) fn numbers(&self, key: &str) -> Result<Option<Vec<f64>>, GgufError> {
        let Some(array) = self.array(key)? else { return Ok(None) };
        let numbers = array.elements(self.whole(), key).map(|value| match value? {
            Value::Integer(value) => Ok(value as f64),
            Value::Float(value) => Ok(value),
            other => Err(GgufError::key(key, format!("holds {}, expected numbers", other.describe()))),
        });
        numbers.collect::<Result<_, _>>().map(Some)
    }
}
