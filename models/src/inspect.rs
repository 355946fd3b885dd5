//! What is in a model file.

use std::path::Path;

use serde::Serialize;

#[cfg(feature = "libtorch")]
use crate::weights::{WeightSource as _, safetensors::SafeTensorsSource};
use crate::{LoadOptions, Memory, ModelError, ModelInfo, Token, Tokenizer, load};

/// One tensor of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TensorInfo {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its type, in the words of the format.
    pub dtype: String,
}

/// A model file, described.
#[derive(Debug, Clone, Serialize)]
pub struct Inspection {
    /// What the model is.
    #[serde(flatten)]
    pub info: ModelInfo,
    /// Size of the file in bytes.
    pub file_bytes: u64,
    /// Its tensors, where the format names them.
    pub tensors: Vec<TensorInfo>,
    /// What it keeps in memory, where it knows.
    pub memory: Option<Memory>,
    /// Numbers in a vector, where it is an encoder.
    pub vector: Option<usize>,
    /// How text becomes tokens, where the model came with a tokenizer that can be used.
    pub tokenization: Option<Tokenization>,
    /// Why its tokenizer cannot be used; the model runs with token ids then.
    pub tokenizer_fault: Option<String>,
    /// The card in the file, where there is one.
    pub card: serde_json::Value,
}

/// A tokenizer, described.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tokenization {
    /// `bytes`, `bpe`, `unigram`, `wordpiece` or `wordlevel`.
    pub kind: String,
    /// Number of its tokens.
    pub tokens: usize,
    /// Tokens after which generation ends.
    pub end_tokens: Vec<Token>,
    /// The template that turns chat messages into text.
    pub chat_template: Option<String>,
}

impl Tokenization {
    pub(crate) fn of(tokenizer: &Tokenizer) -> Self {
        Self {
            kind: tokenizer.kind().into(),
            tokens: tokenizer.vocab_size(),
            end_tokens: tokenizer.end_tokens().to_vec(),
            chat_template: tokenizer.chat_template().map(|template| template.source().to_owned()),
        }
    }
}

/// Loads a model or an encoder and describes it.
///
/// # Errors
/// What is wrong with the file.
pub fn inspect(path: &Path, options: &LoadOptions) -> Result<Inspection, ModelError> {
    #[cfg(feature = "libtorch")]
    if path.is_dir() && crate::encoder::Encoder::is_encoder(path) {
        return crate::encoder::describe(path, options);
    }
    let model = load(path, options)?;
    let (info, memory) = (model.info().clone(), model.memory());
    let (tensors, card) = contents(path, options, &info)?;
    let (tokenization, tokenizer_fault) = match Tokenizer::of_model(path, options.max_file_bytes) {
        Ok(found) => (found.as_ref().map(Tokenization::of), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let file_bytes = bytes(path)?;
    Ok(Inspection { info, file_bytes, tensors, memory, vector: None, tokenization, tokenizer_fault, card })
}

/// Size of a file, or of the weights in a folder.
fn bytes(path: &Path) -> Result<u64, ModelError> {
    let size =
        |path: &Path| Ok(std::fs::metadata(path).map_err(|error| crate::files::io(path, &error))?.len());
    if !path.is_dir() {
        return size(path);
    }
    let mut sum = 0;
    for entry in std::fs::read_dir(path).map_err(|error| crate::files::io(path, &error))? {
        let file = entry.map_err(|error| crate::files::io(path, &error))?.path();
        if file.extension().is_some_and(|extension| extension == "safetensors") {
            sum += size(&file)?;
        }
    }
    Ok(sum)
}

#[cfg(feature = "libtorch")]
fn contents(
    path: &Path,
    options: &LoadOptions,
    info: &ModelInfo,
) -> Result<(Vec<TensorInfo>, serde_json::Value), ModelError> {
    if path.is_dir() {
        let source = SafeTensorsSource::open(path, options.max_file_bytes)?;
        return Ok((source.tensors(), serde_json::Value::Null));
    }
    if info.format == "gguf" {
        let file = crate::gguf::Gguf::open(path, options.max_file_bytes)?;
        let tensors = file.tensors().iter().map(|tensor| TensorInfo {
            name: tensor.name.clone(),
            shape: tensor.shape.clone(),
            dtype: format!("{:?}", tensor.kind).to_lowercase(),
        });
        return Ok((tensors.collect(), serde_json::Value::Null));
    }
    if info.architecture != "gpt-bytes" {
        return Ok((Vec::new(), serde_json::Value::Null));
    }
    let model = crate::gpt::GptModel::read(path, options.max_file_bytes)?;
    let tensors = model.config().tensors().into_iter();
    let tensors = tensors.map(|(name, shape)| TensorInfo { name, shape, dtype: "f16".into() }).collect();
    Ok((tensors, model.card().clone()))
}

#[cfg(not(feature = "libtorch"))]
fn contents(
    _: &Path,
    _: &LoadOptions,
    _: &ModelInfo,
) -> Result<(Vec<TensorInfo>, serde_json::Value), ModelError> {
    Ok((Vec::new(), serde_json::Value::Null))
}
