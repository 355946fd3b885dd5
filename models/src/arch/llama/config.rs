//! `config.json` of the Llama family, with the defaults of transformers' configuration classes.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::ModelError;
use crate::arch::config::{self, MAX_CONTEXT, MAX_LAYERS, MAX_VOCAB, MAX_WIDTH, bounded, unsupported};
use crate::nn::rope::{RopeConfig, RopeFields};
use crate::nn::{Activation, Heads};

/// Which member of the family: they differ in defaults and in who has biases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// Llama, SmolLM2 and whatever else calls itself `llama`.
    Llama,
    /// Looks back a window only.
    Mistral,
    /// Has biases on queries, keys and values.
    Qwen2,
}

#[derive(Deserialize)]
struct Fields {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    max_position_embeddings: Option<usize>,
    rms_norm_eps: Option<f64>,
    hidden_act: Option<String>,
    attention_bias: Option<bool>,
    mlp_bias: Option<bool>,
    use_sliding_window: Option<bool>,
    max_window_layers: Option<usize>,
    layer_types: Option<Vec<String>>,
    tie_word_embeddings: Option<bool>,
    #[serde(flatten)]
    rope: RopeFields,
}

/// Settings of a network of the family, checked.
#[derive(Debug, Clone)]
pub(crate) struct LlamaConfig {
    pub(super) vocab: usize,
    pub(super) width: usize,
    pub(super) hidden: usize,
    pub(super) layers: usize,
    pub(super) heads: Heads,
    pub(super) rope: RopeConfig,
    pub(super) epsilon: f64,
    pub(super) activation: Activation,
    pub(super) qkv_bias: bool,
    pub(super) out_bias: bool,
    pub(super) feed_bias: bool,
    pub(super) windows: Vec<Option<usize>>,
    /// Whether the embedding is the head where the file has none.
    pub(super) tied: bool,
}

impl LlamaConfig {
    /// Reads and checks.
    pub(super) fn read(path: &Path, family: Family, value: &Value) -> Result<Self, ModelError> {
        let fields: Fields = config::read(path, value)?;
        check(path, &fields)?;
        let heads = heads(path, family, &fields)?;
        let context = fields.max_position_embeddings.unwrap_or(match family {
            Family::Llama => 2048,
            Family::Mistral => 131_072,
            Family::Qwen2 => 32_768,
        });
        bounded(path, "max_position_embeddings", context, 1, MAX_CONTEXT)?;
        let name = fields.hidden_act.as_deref().unwrap_or("silu");
        let activation = Activation::named(name)
            .ok_or_else(|| unsupported(path, "hidden_act", name, Activation::KNOWN))?;
        let llama_bias = |bias: Option<bool>| family == Family::Llama && bias.unwrap_or(false);
        Ok(Self {
            vocab: fields.vocab_size,
            width: fields.hidden_size,
            hidden: fields.intermediate_size,
            layers: fields.num_hidden_layers,
            heads,
            rope: RopeConfig::read(path, &fields.rope, heads.size, context)?,
            epsilon: fields.rms_norm_eps.unwrap_or(1e-6),
            activation,
            qkv_bias: family == Family::Qwen2 || llama_bias(fields.attention_bias),
            out_bias: llama_bias(fields.attention_bias),
            feed_bias: llama_bias(fields.mlp_bias),
            windows: windows(path, family, &fields, value)?,
            tied: fields.tie_word_embeddings.unwrap_or(false),
        })
    }
}

fn check(path: &Path, fields: &Fields) -> Result<(), ModelError> {
    bounded(path, "vocab_size", fields.vocab_size, 2, MAX_VOCAB)?;
    bounded(path, "hidden_size", fields.hidden_size, 1, MAX_WIDTH)?;
    bounded(path, "intermediate_size", fields.intermediate_size, 1, MAX_WIDTH)?;
    bounded(path, "num_hidden_layers", fields.num_hidden_layers, 1, MAX_LAYERS)?;
    bounded(path, "num_attention_heads", fields.num_attention_heads, 1, MAX_WIDTH)
}

fn heads(path: &Path, family: Family, fields: &Fields) -> Result<Heads, ModelError> {
    let queries = fields.num_attention_heads;
    let default = if family == Family::Mistral { 8.min(queries) } else { queries };
    let keys = fields.num_key_value_heads.unwrap_or(default);
    let size = fields.head_dim.unwrap_or(fields.hidden_size / queries);
    bounded(path, "num_key_value_heads", keys, 1, queries)?;
    bounded(path, "head_dim", size, 2, MAX_WIDTH / queries)?;
    if !queries.is_multiple_of(keys) {
        let reason = format!("`num_key_value_heads` {keys} does not divide `num_attention_heads` {queries}");
        return Err(crate::files::corrupt(path, reason));
    }
    if !size.is_multiple_of(2) {
        return Err(crate::files::corrupt(
            path,
            format!("`head_dim` {size} is odd: it cannot be rotated in pairs"),
        ));
    }
    Ok(Heads { queries, keys, size, scale: (size as f64).powf(-0.5) })
}

/// How far each layer looks back.
fn windows(
    path: &Path,
    family: Family,
    fields: &Fields,
    value: &Value,
) -> Result<Vec<Option<usize>>, ModelError> {
    let layers = fields.num_hidden_layers;
    // Absent and null differ: transformers' default stands for the one, the other switches the window off.
    let window = match value.get("sliding_window") {
        None => Some(4096),
        Some(Value::Null) => None,
        Some(given) => Some(config::read::<usize>(path, given)?),
    };
    if let Some(window) = window {
        bounded(path, "sliding_window", window, 1, MAX_CONTEXT)?;
    }
    match family {
        Family::Llama => Ok(vec![None; layers]),
        Family::Mistral => Ok(vec![window; layers]),
        Family::Qwen2 => {
            let window = window.filter(|_| fields.use_sliding_window.unwrap_or(false));
            let first = fields.max_window_layers.unwrap_or(28);
            let Some(types) = &fields.layer_types else {
                return Ok((0..layers).map(|layer| window.filter(|_| layer >= first)).collect());
            };
            if types.len() != layers {
                let reason = format!("`layer_types` has {} entries for {layers} layers", types.len());
                return Err(crate::files::corrupt(path, reason));
            }
            let known = ["full_attention", "sliding_attention"];
            if let Some(other) = types.iter().find(|kind| !known.contains(&kind.as_str())) {
                return Err(unsupported(path, "layer_types", other, &known.join(", ")));
            }
            Ok(types.iter().map(|kind| window.filter(|_| kind == "sliding_attention")).collect())
        }
    }
}
