//! The Llama family: Llama, SmolLM2, Mistral, Qwen2. Pre-norm blocks with RMSNorm, rotary positions, grouped attention
//! and a gated feed-forward part.
//!
//! The projections of queries, keys and values are one matrix, as are gate and up: a step reads each weight once and pays
//! for few kernel calls.

mod config;

use std::path::Path;

use serde_json::Value;
use tch::{TchError, Tensor};

use super::{Decoder, Shape};
use crate::ModelError;
use crate::engine::{Arena, Batch};
use crate::nn::rope::{Angles, Rope};
use crate::nn::{Activation, Heads, Linear, rms_norm};
use crate::torch::dim;
use crate::weights::{Builder, Rows};

pub(crate) use config::Family;
use config::LlamaConfig;

struct Layer {
    attention_norm: Tensor,
    qkv: Linear,
    out: Linear,
    feed_norm: Tensor,
    gate_up: Linear,
    down: Linear,
    window: Option<usize>,
}

/// See the module.
pub(crate) struct Llama {
    shape: Shape,
    heads: Heads,
    rope: Rope,
    epsilon: f64,
    activation: Activation,
    hidden: i64,
    embedding: Tensor,
    layers: Vec<Layer>,
    norm: Tensor,
    head: Linear,
    parameters: u64,
}

/// Builds the network of a `config.json`.
pub(crate) fn build(
    path: &Path,
    family: Family,
    config: &Value,
    mut builder: Builder<'_>,
) -> Result<Llama, ModelError> {
    let config = LlamaConfig::read(path, family, config)?;
    let prefix = if builder.has("embed_tokens.weight") { "" } else { "model." };
    let embedding = builder.tensor(&format!("{prefix}embed_tokens.weight"), &[config.vocab, config.width])?;
    let layers = (0..config.layers)
        .map(|index| layer(&config, &mut builder, &format!("{prefix}layers.{index}."), config.windows[index]))
        .collect::<Result<Vec<_>, _>>()?;
    let norm = builder.tensor(&format!("{prefix}norm.weight"), &[config.width])?;
    let shared =
        Rows { weight: format!("{prefix}embed_tokens.weight"), outputs: config.vocab, inputs: config.width };
    let head = builder.head("lm_head.weight", shared, &embedding, config.tied)?;
    let parameters = builder.parameters();
    // Old exports hold the frequencies, which are computed here.
    builder.finish(&|name| name.ends_with("rotary_emb.inv_freq"))?;
    let shape = Shape {
        vocab: config.vocab,
        context: config.rope.context(),
        cache_width: config.heads.cache_width(),
        windows: config.windows.clone(),
        extends: true,
        spans: config.rope.spans(),
    };
    Ok(Llama {
        shape,
        heads: config.heads,
        rope: Rope::new(config.rope),
        epsilon: config.epsilon,
        activation: config.activation,
        hidden: dim(config.hidden),
        embedding,
        layers,
        norm,
        head,
        parameters,
    })
}

fn layer(
    config: &LlamaConfig,
    builder: &mut Builder<'_>,
    at: &str,
    window: Option<usize>,
) -> Result<Layer, ModelError> {
    let heads = config.heads;
    let (width, hidden) = (config.width, config.hidden);
    let (queries, keys) = (heads.queries * heads.size, heads.keys * heads.size);
    let norm =
        |builder: &mut Builder<'_>, name: &str| builder.tensor(&format!("{at}{name}.weight"), &[width]);
    let mut linear = |parts: &[(&str, usize)], inputs: usize, bias: bool| {
        let rows: Vec<Rows> = parts
            .iter()
            .map(|(name, outputs)| Rows { weight: format!("{at}{name}.weight"), outputs: *outputs, inputs })
            .collect();
        let biases: Vec<String> =
            parts.iter().filter(|_| bias).map(|(name, _)| format!("{at}{name}.bias")).collect();
        builder.linear(&rows, &biases)
    };
    let qkv = [("self_attn.q_proj", queries), ("self_attn.k_proj", keys), ("self_attn.v_proj", keys)];
    let qkv = linear(&qkv, width, config.qkv_bias)?;
    let out = linear(&[("self_attn.o_proj", width)], queries, config.out_bias)?;
    let gate_up = linear(&[("mlp.gate_proj", hidden), ("mlp.up_proj", hidden)], width, config.feed_bias)?;
    let down = linear(&[("mlp.down_proj", width)], hidden, config.feed_bias)?;
    Ok(Layer {
        attention_norm: norm(builder, "input_layernorm")?,
        qkv,
        out,
        feed_norm: norm(builder, "post_attention_layernorm")?,
        gate_up,
        down,
        window,
    })
}

impl Llama {
    fn normalise(&self, x: &Tensor, weight: &Tensor) -> Result<Tensor, TchError> {
        rms_norm(x, weight, self.epsilon)
    }

    fn attention(
        &self,
        layer: &Layer,
        x: &Tensor,
        angles: &Angles,
        batch: &Batch,
        cache: &Tensor,
    ) -> Result<Tensor, TchError> {
        let mut qkv = layer.qkv.forward(&self.normalise(x, &layer.attention_norm)?)?;
        self.heads.turn_and_store(batch, angles, &mut qkv, cache)?;
        self.heads.attend(batch, cache, &qkv, layer.window)
    }

    /// Adds the gated part to the rows.
    fn feed_forward(&self, layer: &Layer, x: Tensor) -> Result<Tensor, TchError> {
        let both = layer.gate_up.forward(&self.normalise(&x, &layer.feed_norm)?)?;
        layer.down.add_to(x, &self.activation.gate(&both, self.hidden)?)
    }
}

impl Decoder for Llama {
    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn hidden(&self, batch: &Batch, arena: &Arena) -> Result<Tensor, TchError> {
        let (kind, device) = (self.embedding.kind(), self.embedding.device());
        let angles = self.rope.angles(&batch.positions, &batch.spans, kind, device)?;
        let mut x = Tensor::f_embedding(&self.embedding, &batch.ids, -1, false, false)?;
        for (index, (layer, cache)) in self.layers.iter().zip(arena.layers()).enumerate() {
            let mut mixed = self.attention(layer, &x, &angles, batch, cache)?;
            if index + 1 == self.layers.len() {
                (x, mixed) = (batch.wanted(x)?, batch.wanted(mixed)?);
            }
            x = self.feed_forward(layer, layer.out.add_to(x, &mixed)?)?;
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
            .map(|layer| layer.qkv.bytes() + layer.out.bytes() + layer.gate_up.bytes() + layer.down.bytes());
        layers.sum::<usize>() + self.head.bytes()
    }
}
