//! From a path to a model, by the file's extension.

use std::path::Path;

use crate::ngram::NgramModel;
use crate::{LanguageModel, LoadOptions, ModelError};

/// Loads `.safetensors` (a byte GPT with its configuration inside), `.pt` (TorchScript) or `.ngram`.
///
/// The model belongs to the calling thread. Nothing about the file is trusted.
///
/// # Errors
/// What is wrong with the file.
pub fn load(path: &Path, options: &LoadOptions) -> Result<Box<dyn LanguageModel>, ModelError> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    match extension {
        Some("ngram") => Ok(Box::new(NgramModel::read(path, options.max_file_bytes)?)),
        Some("safetensors" | "pt" | "pth") => with_libtorch(path, options),
        _ => Err(ModelError::UnknownFormat { path: path.into() }),
    }
}

#[cfg(feature = "libtorch")]
fn with_libtorch(path: &Path, options: &LoadOptions) -> Result<Box<dyn LanguageModel>, ModelError> {
    crate::torch::prepare(options.threads);
    if path.extension().is_some_and(|extension| extension == "safetensors") {
        return Ok(Box::new(crate::gpt::GptModel::read(path, options.max_file_bytes)?));
    }
    Ok(Box::new(crate::torchscript::ScriptModel::read(path, options.max_file_bytes)?))
}

#[cfg(not(feature = "libtorch"))]
fn with_libtorch(path: &Path, _: &LoadOptions) -> Result<Box<dyn LanguageModel>, ModelError> {
    Err(ModelError::NoLibtorch { path: path.into() })
}
