//! BERT: post-norm blocks with learned positions that look both ways.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use tch::{Kind, TchError, Tensor};

use crate::arch::config::{self, MAX_CONTEXT, MAX_LAYERS, MAX_VOCAB, MAX_WIDTH, bounded, unsupported};
use crate::nn::{Activation, Linear};
use crate::torch::dim;
use crate::weights::{Builder, Rows};
use crate::{ModelError, files};

#[derive(Deserialize)]
struct Fields {
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    max_position_embeddings: usize,
    type_vocab_size: Option<usize>,
    hidden_act: Option<String>,
    layer_norm_eps: Option<f64>,
    position_embedding_type: Option<String>,
    is_decoder: Option<bool>,
}

#[derive(Debug)]
struct Norm {
    weight: Tensor,
    bias: Tensor,
}

#[derive(Debug)]
struct Layer {
    qkv: Linear,
    out: Linear,
    attention_norm: Norm,
    up: Linear,
    down: Linear,
    feed_norm: Norm,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Bert {
    heads: i64,
    epsilon: f64,
    activation: Activation,
    words: Tensor,
    /// Positions with the type of a single text added.
    places: Tensor,
    norm: Norm,
    layers: Vec<Layer>,
    parameters: u64,
}

/// Builds the network of a `config.json`.
pub(super) fn build(path: &Path, value: &Value, mut builder: Builder<'_>) -> Result<Bert, ModelError> {
    let fields: Fields = config::read(path, value)?;
    let activation = check(path, &fields)?;
    let width = fields.hidden_size;
    let prefix = if builder.has("embeddings.word_embeddings.weight") { "" } else { "bert." };
    let mut table = |name: &str, rows: usize| {
        builder.tensor(&format!("{prefix}embeddings.{name}_embeddings.weight"), &[rows, width])
    };
    let words = table("word", fields.vocab_size)?;
    let positions = table("position", fields.max_position_embeddings)?;
    let types = table("token_type", fields.type_vocab_size.unwrap_or(2))?;
    let places = positions.f_add(&types.f_narrow(0, 0, 1)?)?;
    let norm = norm(&mut builder, &format!("{prefix}embeddings.LayerNorm"), width)?;
    let layers = (0..fields.num_hidden_layers)
        .map(|index| layer(&fields, &mut builder, &format!("{prefix}encoder.layer.{index}.")))
        .collect::<Result<Vec<_>, _>>()?;
    let parameters = builder.parameters();
    // The pooler and the heads of tasks are not part of an encoder; position ids are counted here.
    builder.finish(&|name| {
        let heads = ["cls.", "classifier.", "qa_outputs."];
        name.contains("pooler.")
            || heads.iter().any(|head| name.starts_with(head))
            || name.ends_with("position_ids")
    })?;
    let (heads, epsilon) = (dim(fields.num_attention_heads), fields.layer_norm_eps.unwrap_or(1e-12));
    Ok(Bert { heads, epsilon, activation, words, places, norm, layers, parameters })
}

fn check(path: &Path, fields: &Fields) -> Result<Activation, ModelError> {
    bounded(path, "vocab_size", fields.vocab_size, 2, MAX_VOCAB)?;
    bounded(path, "hidden_size", fields.hidden_size, 1, MAX_WIDTH)?;
    bounded(path, "num_hidden_layers", fields.num_hidden_layers, 1, MAX_LAYERS)?;
    bounded(path, "num_attention_heads", fields.num_attention_heads, 1, fields.hidden_size)?;
    bounded(path, "intermediate_size", fields.intermediate_size, 1, MAX_WIDTH)?;
    bounded(path, "max_position_embeddings", fields.max_position_embeddings, 2, MAX_CONTEXT)?;
    bounded(path, "type_vocab_size", fields.type_vocab_size.unwrap_or(2), 1, MAX_VOCAB)?;
    if !fields.hidden_size.is_multiple_of(fields.num_attention_heads) {
        let (width, heads) = (fields.hidden_size, fields.num_attention_heads);
        return Err(files::corrupt(
            path,
            format!("`num_attention_heads` {heads} does not divide `hidden_size` {width}"),
        ));
    }
    if fields.is_decoder == Some(true) {
        return Err(unsupported(path, "is_decoder", "true", "false"));
    }
    let positions = fields.position_embedding_type.as_deref().unwrap_or("absolute");
    if positions != "absolute" {
        return Err(unsupported(path, "position_embedding_type", positions, "absolute"));
    }
    let name = fields.hidden_act.as_deref().unwrap_or("gelu");
    Activation::named(name).ok_or_else(|| unsupported(path, "hidden_act", name, Activation::KNOWN))
}

fn norm(builder: &mut Builder<'_>, at: &str, width: usize) -> Result<Norm, ModelError> {
    // The oldest exports have TensorFlow's names.
    let old = builder.has(&format!("{at}.gamma"));
    let (weight, bias) = if old { ("gamma", "beta") } else { ("weight", "bias") };
    let weight = builder.tensor(&format!("{at}.{weight}"), &[width])?;
    Ok(Norm { weight, bias: builder.tensor(&format!("{at}.{bias}"), &[width])? })
}

fn layer(fields: &Fields, builder: &mut Builder<'_>, at: &str) -> Result<Layer, ModelError> {
    let (width, hidden) = (fields.hidden_size, fields.intermediate_size);
    let linear = |builder: &mut Builder<'_>, names: &[&str], inputs, outputs| {
        let rows = |name: &&str| Rows { weight: format!("{at}{name}.weight"), outputs, inputs };
        let biases: Vec<String> = names.iter().map(|name| format!("{at}{name}.bias")).collect();
        builder.linear(&names.iter().map(rows).collect::<Vec<_>>(), &biases)
    };
    let attention = ["attention.self.query", "attention.self.key", "attention.self.value"];
    Ok(Layer {
        qkv: linear(builder, &attention, width, width)?,
        out: linear(builder, &["attention.output.dense"], width, width)?,
        attention_norm: norm(builder, &format!("{at}attention.output.LayerNorm"), width)?,
        up: linear(builder, &["intermediate.dense"], width, hidden)?,
        down: linear(builder, &["output.dense"], hidden, width)?,
        feed_norm: norm(builder, &format!("{at}output.LayerNorm"), width)?,
    })
}

impl Bert {
    pub(super) fn width(&self) -> usize {
        crate::torch::size(self.words.size()[1])
    }

    pub(super) fn vocab(&self) -> usize {
        crate::torch::size(self.words.size()[0])
    }

    /// Learned values.
    pub(super) const fn parameters(&self) -> u64 {
        self.parameters
    }

    pub(super) fn positions(&self) -> usize {
        crate::torch::size(self.places.size()[0])
    }

    /// Last hidden states `[texts, tokens, width]` of tokens `ids`, of which those that are not `real` are hidden.
    pub(super) fn hidden(&self, ids: &Tensor, real: &Tensor) -> Result<Tensor, TchError> {
        let (texts, tokens) = ids.size2()?;
        let words = Tensor::f_embedding(&self.words, ids, -1, false, false)?;
        let summed = words.f_add(&self.places.f_narrow(0, 0, tokens)?)?;
        let mut x = self.normalise(&summed.f_view([texts * tokens, -1])?, &self.norm)?;
        let whole = real.f_all()?.f_int64_value(&[])? != 0;
        let mask = if whole { None } else { Some(hidden_from(real, x.kind())?) };
        for layer in &self.layers {
            let mixed = self.attention(layer, &x, texts, mask.as_ref())?;
            x = self.normalise(&x.f_add(&layer.out.forward(&mixed)?)?, &layer.attention_norm)?;
            let fed = layer.down.forward(&self.activation.apply(layer.up.forward(&x)?)?)?;
            x = self.normalise(&x.f_add(&fed)?, &layer.feed_norm)?;
        }
        x.f_view([texts, tokens, -1])
    }

    fn attention(
        &self,
        layer: &Layer,
        x: &Tensor,
        texts: i64,
        mask: Option<&Tensor>,
    ) -> Result<Tensor, TchError> {
        let qkv = layer.qkv.forward(x)?.f_view([texts, -1, 3, self.heads, x.size2()?.1 / self.heads])?;
        let part = |index| qkv.f_select(2, index)?.f_transpose(1, 2);
        let (q, k, v) = (part(0)?, part(1)?, part(2)?);
        let mixed = Tensor::f_scaled_dot_product_attention(&q, &k, &v, mask, 0.0, false, None, false)?;
        mixed.f_transpose(1, 2)?.f_reshape([x.size2()?.0, -1])
    }

    fn normalise(&self, x: &Tensor, norm: &Norm) -> Result<Tensor, TchError> {
        x.f_layer_norm(norm.weight.size(), Some(&norm.weight), Some(&norm.bias), self.epsilon, false)
    }
}

/// What is added to the scores so that nobody sees padding: `[texts, 1, 1, tokens]`.
fn hidden_from(real: &Tensor, kind: Kind) -> Result<Tensor, TchError> {
    let mask = real.f_zeros_like()?.f_to_kind(kind)?;
    mask.f_masked_fill(&real.f_logical_not()?, f64::NEG_INFINITY)?.f_unsqueeze(1)?.f_unsqueeze(1)
}
