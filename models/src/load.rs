//! From a path to a model: a Hugging Face folder, or a file by its extension.

use std::path::Path;

use crate::bytewise::Bytewise;
use crate::ngram::NgramModel;
use crate::tokenizer::{Tokenizer, TokenizerError};
use crate::{Device, LanguageModel, LoadOptions, ModelError};

/// Loads a Hugging Face folder, `.gguf`, `.safetensors` (a byte GPT with its configuration inside),
/// `.pt` (TorchScript) or `.ngram`.
///
/// The model belongs to the calling thread. Nothing about the file is trusted.
///
/// # Errors
/// What is wrong with the file.
pub fn load(path: &Path, options: &LoadOptions) -> Result<Box<dyn LanguageModel>, ModelError> {
    let model = with_own_vocabulary(path, options)?;
    if !options.bytes || model.info().tokenizer == "bytes" {
        return Ok(model);
    }
    let tokenizer = Tokenizer::of_model(path, options.max_file_bytes)?;
    let tokenizer = tokenizer.ok_or_else(|| TokenizerError::Missing(path.into()))?;
    Ok(Box::new(Bytewise::new(model, tokenizer)?))
}

fn with_own_vocabulary(path: &Path, options: &LoadOptions) -> Result<Box<dyn LanguageModel>, ModelError> {
    // A file that is not there is told as such, whatever its name.
    if std::fs::metadata(path).map_err(|error| crate::files::io(path, &error))?.is_dir() {
        return folder(path, options);
    }
    let extension = path.extension().and_then(|extension| extension.to_str());
    match extension {
        Some("ngram" | "safetensors" | "pt" | "pth") if options.device != Device::Cpu => {
            Err(ModelError::Config {
                field: "device",
                reason: format!(
                    "{}: byte GPTs, TorchScript and n-grams run on the processor only: leave `{}` out",
                    path.display(),
                    options.device
                ),
            })
        }
        Some("ngram") => Ok(Box::new(NgramModel::read(path, options.max_file_bytes)?)),
        Some("safetensors" | "pt" | "pth" | "gguf") => with_libtorch(path, options),
        _ => Err(ModelError::UnknownFormat { path: path.into() }),
    }
}

#[cfg(feature = "libtorch")]
fn with_libtorch(path: &Path, options: &LoadOptions) -> Result<Box<dyn LanguageModel>, ModelError> {
    crate::torch::prepare(options.threads);
    if path.extension().is_some_and(|extension| extension == "safetensors") {
        return Ok(Box::new(crate::gpt::GptModel::read(path, options.max_file_bytes)?));
    }
    if path.extension().is_some_and(|extension| extension == "gguf") {
        return Ok(Box::new(crate::gguf::load(path, options)?));
    }
    Ok(Box::new(crate::torchscript::ScriptModel::read(path, options.max_file_bytes)?))
}

#[cfg(feature = "libtorch")]
fn folder(path: &Path, options: &LoadOptions) -> Result<Box<dyn LanguageModel>, ModelError> {
    crate::torch::prepare(options.threads);
    Ok(Box::new(crate::hf::load(path, options)?))
}

#[cfg(not(feature = "libtorch"))]
fn folder(path: &Path, _: &LoadOptions) -> Result<Box<dyn LanguageModel>, ModelError> {
    Err(ModelError::NoLibtorch { path: path.into() })
}

#[cfg(not(feature = "libtorch"))]
fn with_libtorch(path: &Path, _: &LoadOptions) -> Result<Box<dyn LanguageModel>, ModelError> {
    Err(ModelError::NoLibtorch { path: path.into() })
}
