//! Network architectures: one file each, put together from `nn`, run by `engine`.
//!
//! To add one: write its file with a `Decoder` and a `build`, and name it in [`SUPPORTED`] and [`build`].

pub(crate) mod config;
mod gpt2;
mod llama;

use std::path::Path;

use serde_json::Value;
use tch::{TchError, Tensor};

use crate::engine::{Arena, Batch};
use crate::nn::rope::Spans;
use crate::weights::Builder;
use crate::{ModelError, files};

/// `model_type`s of `config.json` that decode here.
pub(crate) const SUPPORTED: [&str; 4] = ["llama", "mistral", "qwen2", "gpt2"];

/// What the engine must know about a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Tokens of the vocabulary: the width of the logits.
    pub(crate) vocab: usize,
    /// Positions that the network was made for.
    pub(crate) context: usize,
    /// Numbers that one position adds to each layer's cache: keys, then values.
    pub(crate) cache_width: usize,
    /// For each layer how far back it looks, itself included; none is everything.
    pub(crate) windows: Vec<Option<usize>>,
    /// Whether positions beyond `context` can be computed at all.
    pub(crate) extends: bool,
    /// How keys depend on the length of the text in which they entered.
    pub(crate) spans: Spans,
}

/// A causal network over a cache of keys and values.
pub(crate) trait Decoder {
    /// What the engine must know.
    fn shape(&self) -> &Shape;

    /// Runs the rows of a batch, adds their keys and values to the cache, gives the last hidden state of those wanted.
    fn hidden(&self, batch: &Batch, arena: &Arena) -> Result<Tensor, TchError>;

    /// Scores over the vocabulary for rows of hidden states.
    fn logits(&self, hidden: &Tensor) -> Result<Tensor, TchError>;

    /// Number of learned values.
    fn parameters(&self) -> u64;

    /// Bytes of weights that one step reads.
    fn bytes(&self) -> usize;
}

/// The name under which an architecture is known here.
pub(crate) fn model_type(path: &Path, config: &Value) -> Result<String, ModelError> {
    let named = config.get("model_type").and_then(Value::as_str).map(str::to_owned);
    let class = || config.get("architectures")?.get(0)?.as_str().map(of_class);
    named.or_else(class).ok_or_else(|| files::corrupt(path, "has neither `model_type` nor `architectures`"))
}

/// `LlamaForCausalLM` is `llama`.
fn of_class(class: &str) -> String {
    let end = class.find("For").or_else(|| class.find("LMHead")).unwrap_or(class.len());
    class[..end].to_lowercase()
}

/// Builds the network that a `config.json` describes.
pub(crate) fn build(
    path: &Path,
    config: &Value,
    builder: Builder<'_>,
) -> Result<Box<dyn Decoder>, ModelError> {
    match model_type(path, config)?.as_str() {
        "llama" => Ok(Box::new(llama::build(path, llama::Family::Llama, config, builder)?)),
        "mistral" => Ok(Box::new(llama::build(path, llama::Family::Mistral, config, builder)?)),
        "qwen2" => Ok(Box::new(llama::build(path, llama::Family::Qwen2, config, builder)?)),
        "gpt2" => Ok(Box::new(gpt2::build(path, config, builder)?)),
        other => Err(unknown(path, other)),
    }
}

/// Refuses a network that [`build`] does not know, before its weights are looked for.
pub(crate) fn check_known(path: &Path, config: &Value) -> Result<(), ModelError> {
    let found = model_type(path, config)?;
    if SUPPORTED.contains(&found.as_str()) { Ok(()) } else { Err(unknown(path, &found)) }
}

fn unknown(path: &Path, found: &str) -> ModelError {
    ModelError::UnknownArchitecture {
        path: path.into(),
        found: found.into(),
        supported: SUPPORTED.join(", "),
    }
}
