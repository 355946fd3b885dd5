//! GPT-2: pre-norm blocks with LayerNorm, learned positions, and matrices that are stored input by output.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use tch::{TchError, Tensor};

use super::config::{self, MAX_CONTEXT, MAX_LAYERS, MAX_VOCAB, MAX_WIDTH, bounded, unsupported};
use super::{Decoder, Shape};
use crate::engine::{Arena, Batch};
use crate::nn::rope::Spans;
use crate::nn::{Activation, Heads, Linear};
use crate::torch::dim;
use crate::weights::{Builder, Rows};
use crate::{ModelError, files};

#[derive(Deserialize)]
struct Fields {
    #[serde(default = "defaults::vocab")]
    vocab_size: usize,
    #[serde(default = "defaults::positions")]
    n_positions: usize,
    #[serde(default = "defaults::width")]
    n_embd: usize,
    #[serde(default = "defaults::twelve")]
    n_layer: usize,
    #[serde(default = "defaults::twelve")]
    n_head: usize,
    n_inner: Option<usize>,
    activation_function: Option<String>,
    layer_norm_epsilon: Option<f64>,
    scale_attn_weights: Option<bool>,
    scale_attn_by_inverse_layer_idx: Option<bool>,
    add_cross_attention: Option<bool>,
    tie_word_embeddings: Option<bool>,
}

/// The names of other classes that stand for GPT-2's own where those are not there.
const OTHER_NAMES: [(&str, &str); 4] = [
    ("max_position_embeddings", "n_positions"),
    ("hidden_size", "n_embd"),
    ("num_hidden_layers", "n_layer"),
    ("num_attention_heads", "n_head"),
];

/// What transformers' configuration class falls back on.
mod defaults {
    pub(super) fn vocab() -> usize {
        50_257
    }
    pub(super) fn positions() -> usize {
        1024
    }
    pub(super) fn width() -> usize {
        768
    }
    pub(super) fn twelve() -> usize {
        12
    }
}

struct Norm {
    weight: Tensor,
    bias: Tensor,
}

struct Layer {
    attention_norm: Norm,
    qkv: Linear,
    out: Linear,
    feed_norm: Norm,
    up: Linear,
    down: Linear,
    heads: Heads,
}

/// See the module.
pub(crate) struct Gpt2 {
    shape: Shape,
    epsilon: f64,
    activation: Activation,
    embedding: Tensor,
    positions: Tensor,
    layers: Vec<Layer>,
    norm: Norm,
    head: Linear,
    parameters: u64,
}

/// Builds the network of a `config.json`.
pub(crate) fn build(path: &Path, config: &Value, mut builder: Builder<'_>) -> Result<Gpt2, ModelError> {
    let fields: Fields = config::read(path, &own_names(config))?;
    let (activation, hidden) = check(path, &fields)?;
    let width = fields.n_embd;
    let prefix = if builder.has("wte.weight") { "" } else { "transformer." };
    let embedding = builder.tensor(&format!("{prefix}wte.weight"), &[fields.vocab_size, width])?;
    let positions = builder.tensor(&format!("{prefix}wpe.weight"), &[fields.n_positions, width])?;
    let layers = (0..fields.n_layer)
        .map(|index| layer(&fields, hidden, &mut builder, &format!("{prefix}h.{index}."), index))
        .collect::<Result<Vec<_>, _>>()?;
    let norm = norm(&mut builder, &format!("{prefix}ln_f"), width)?;
    let shared = Rows { weight: format!("{prefix}wte.weight"), outputs: fields.vocab_size, inputs: width };
    let tied = fields.tie_word_embeddings.unwrap_or(true);
    let head = builder.head("lm_head.weight", shared, &embedding, tied)?;
    let parameters = builder.parameters();
    // The causal masks of old exports.
    builder.finish(&|name| name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias"))?;
    let shape = Shape {
        vocab: fields.vocab_size,
        context: fields.n_positions,
        cache_width: 2 * width,
        windows: vec![None; fields.n_layer],
        extends: false,
        spans: Spans::Alike,
    };
    let epsilon = fields.layer_norm_epsilon.unwrap_or(1e-5);
    Ok(Gpt2 { shape, epsilon, activation, embedding, positions, layers, norm, head, parameters })
}

fn own_names(config: &Value) -> Value {
    let mut config = config.clone();
    for (other, own) in OTHER_NAMES {
        if config[own].is_null() && !config[other].is_null() {
            config[own] = config[other].clone();
        }
    }
    config
}

fn check(path: &Path, fields: &Fields) -> Result<(Activation, usize), ModelError> {
    bounded(path, "vocab_size", fields.vocab_size, 2, MAX_VOCAB)?;
    bounded(path, "n_positions", fields.n_positions, 1, MAX_CONTEXT)?;
    bounded(path, "n_embd", fields.n_embd, 1, MAX_WIDTH)?;
    bounded(path, "n_layer", fields.n_layer, 1, MAX_LAYERS)?;
    bounded(path, "n_head", fields.n_head, 1, fields.n_embd)?;
    let hidden = fields.n_inner.unwrap_or(4 * fields.n_embd);
    bounded(path, "n_inner", hidden, 1, 4 * MAX_WIDTH)?;
    if !fields.n_embd.is_multiple_of(fields.n_head) {
        let reason = format!("`n_head` {} does not divide `n_embd` {}", fields.n_head, fields.n_embd);
        return Err(files::corrupt(path, reason));
    }
    if fields.add_cross_attention == Some(true) {
        return Err(unsupported(path, "add_cross_attention", "true", "false"));
    }
    let name = fields.activation_function.as_deref().unwrap_or("gelu_new");
    let activation = Activation::named(name)
        .ok_or_else(|| unsupported(path, "activation_function", name, Activation::KNOWN))?;
    Ok((activation, hidden))
}

fn norm(builder: &mut Builder<'_>, at: &str, width: usize) -> Result<Norm, ModelError> {
    let weight = builder.tensor(&format!("{at}.weight"), &[width])?;
    Ok(Norm { weight, bias: builder.tensor(&format!("{at}.bias"), &[width])? })
}

fn layer(
    fields: &Fields,
    hidden: usize,
    builder: &mut Builder<'_>,
    at: &str,
    index: usize,
) -> Result<Layer, ModelError> {
    let width = fields.n_embd;
    let size = width / fields.n_head;
    let scaled = fields.scale_attn_weights.unwrap_or(true);
    let mut scale = if scaled { (size as f64).powf(-0.5) } else { 1.0 };
    if fields.scale_attn_by_inverse_layer_idx.unwrap_or(false) {
        scale /= (index + 1) as f64;
    }
    let linear = |builder: &mut Builder<'_>, name: &str, inputs, outputs| {
        builder.transposed(&format!("{at}{name}.weight"), &format!("{at}{name}.bias"), [inputs, outputs])
    };
    Ok(Layer {
        attention_norm: norm(builder, &format!("{at}ln_1"), width)?,
        qkv: linear(builder, "attn.c_attn", width, 3 * width)?,
        out: linear(builder, "attn.c_proj", width, width)?,
        feed_norm: norm(builder, &format!("{at}ln_2"), width)?,
        up: linear(builder, "mlp.c_fc", width, hidden)?,
        down: linear(builder, "mlp.c_proj", hidden, width)?,
        heads: Heads { queries: fields.n_head, keys: fields.n_head, size, scale },
    })
}

impl Gpt2 {
    fn normalise(&self, x: &Tensor, norm: &Norm) -> Result<Tensor, TchError> {
        x.f_layer_norm(norm.weight.size(), Some(&norm.weight), Some(&norm.bias), self.epsilon, false)
    }

    fn attention(
        &self,
        layer: &Layer,
        x: &Tensor,
        batch: &Batch,
        cache: &Tensor,
    ) -> Result<Tensor, TchError> {
        let width = dim(layer.heads.queries * layer.heads.size);
        let qkv = layer.qkv.forward(&self.normalise(x, &layer.attention_norm)?)?;
        batch.store(cache, &qkv.f_narrow(1, width, 2 * width)?)?;
        layer.heads.attend(batch, cache, &qkv, None)
    }
}

impl Decoder for Gpt2 {
    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn hidden(&self, batch: &Batch, arena: &Arena) -> Result<Tensor, TchError> {
        let places: Vec<i64> = batch.positions.iter().map(|position| dim(*position)).collect();
        let places = Tensor::f_from_slice(&places)?.f_to_device(self.positions.device())?;
        let mut x = Tensor::f_embedding(&self.embedding, &batch.ids, -1, false, false)?;
        x = x.f_add(&Tensor::f_embedding(&self.positions, &places, -1, false, false)?)?;
        for (index, (layer, cache)) in self.layers.iter().zip(arena.layers()).enumerate() {
            let mut mixed = self.attention(layer, &x, batch, cache)?;
            if index + 1 == self.layers.len() {
                (x, mixed) = (batch.wanted(x)?, batch.wanted(mixed)?);
            }
            x = layer.out.add_to(x, &mixed)?;
            let up = layer.up.forward(&self.normalise(&x, &layer.feed_norm)?)?;
            x = layer.down.add_to(x, &self.activation.apply(up)?)?;
        }
        Ok(x)
    }

    fn logits(&self, hidden: &Tensor) -> Result<Tensor, TchError> {
        self.head.scores(&self.normalise(hidden, &self.norm)?)
    }

    fn parameters(&self) -> u64 {
        self.parameters
    }

    fn bytes(&self) -> usize {
        let layers = self
            .layers
            .iter()
            .map(|layer| layer.qkv.bytes() + layer.out.bytes() + layer.up.bytes() + layer.down.bytes());
        layers.sum::<usize>() + self.head.bytes()
    }
}
