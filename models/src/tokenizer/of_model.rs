//! The tokenizer that belongs to a model, whatever the model's format.

use std::path::Path;

use super::Tokenizer;
use crate::ModelError;

impl Tokenizer {
    /// How the text of the model at `path` becomes tokens: the `tokenizer.json` of a folder, the metadata of a GGUF file
    /// (of at most `max_file_bytes`), else bytes. None for a folder or a GGUF file that came without one.
    ///
    /// # Errors
    /// What is wrong with the tokenizer's files.
    pub fn of_model(path: &Path, max_file_bytes: u64) -> Result<Option<Self>, ModelError> {
        if path.is_dir() {
            let described = path.join("tokenizer.json").exists();
            return Ok(described.then(|| Self::from_folder(path)).transpose()?);
        }
        if path.extension().is_some_and(|extension| extension == "gguf") {
            return gguf(path, max_file_bytes);
        }
        Ok(Some(Self::of_bytes()))
    }
}

#[cfg(feature = "libtorch")]
fn gguf(path: &Path, max_file_bytes: u64) -> Result<Option<Tokenizer>, ModelError> {
    let file = crate::gguf::Gguf::open(path, max_file_bytes)?;
    let described = file.has_tokenizer().map_err(|error| error.at(path))?;
    Ok(described.then(|| Tokenizer::from_gguf(&file)).transpose()?)
}

#[cfg(not(feature = "libtorch"))]
fn gguf(path: &Path, _: u64) -> Result<Option<Tokenizer>, ModelError> {
    Err(ModelError::NoLibtorch { path: path.into() })
}
