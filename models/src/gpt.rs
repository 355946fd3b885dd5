//! A byte-level GPT: pre-norm transformer with RMSNorm, rotary positions, SwiGLU and tied embeddings.
//!
//! One forward pass serves training, prefill, single steps and tracing; they differ in how they attend, which they
//! hand in. It names no size that depends on the batch or on the number of positions, so that a trace of it accepts any.
//! Every document begins with [`BEGIN`], a newline that callers do not send.

mod cache;
mod file;
mod session;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use tch::{Kind, TchError, Tensor};

use crate::ModelError;
use crate::torch::{dim, size};

pub use file::{GptModel, write};

/// Bytes are the vocabulary.
pub const VOCAB: u32 = 256;
/// The token before every document.
pub const BEGIN: u32 = b'\n' as u32;

const NORM_EPSILON: f64 = 1e-5;
const ROTARY_BASE: f64 = 10_000.0;
/// Bounds on a configuration from an untrusted file; far above what a byte-level model needs.
const MAX_CONTEXT: usize = 1 << 16;
const MAX_LAYERS: usize = 256;
const MAX_WIDTH: usize = 1 << 14;

/// The shape of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GptConfig {
    /// Most tokens that one prediction looks back on, the begin token included.
    pub context: usize,
    /// Transformer blocks.
    pub layers: usize,
    /// Attention heads; they divide `width` into an even number.
    pub heads: usize,
    /// Numbers per position in the residual stream.
    pub width: usize,
    /// Numbers per position inside the feed-forward part.
    pub hidden: usize,
}

impl GptConfig {
    /// Checks that a network of this shape can be built.
    ///
    /// # Errors
    /// [`ModelError::Config`] with the field at fault.
    pub fn check(&self) -> Result<(), ModelError> {
        let bounded = |field, value: usize, least, most| {
            if (least..=most).contains(&value) {
                return Ok(());
            }
            let reason = format!("{value} is not between {least} and {most}");
            Err(ModelError::Config { field, reason })
        };
        bounded("context", self.context, 2, MAX_CONTEXT)?;
        bounded("layers", self.layers, 1, MAX_LAYERS)?;
        bounded("width", self.width, 2, MAX_WIDTH)?;
        bounded("hidden", self.hidden, 1, 8 * MAX_WIDTH)?;
        bounded("heads", self.heads, 1, self.width / 2)?;
        if !self.width.is_multiple_of(2 * self.heads) {
            let reason = format!("{} must divide width {} evenly", self.heads, self.width);
            return Err(ModelError::Config { field: "heads", reason });
        }
        Ok(())
    }

    /// Every tensor with its shape, in the order of the file. The one place that knows them.
    #[must_use]
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let (width, hidden) = (self.width, self.hidden);
        let mut all = vec![("embedding".to_owned(), vec![VOCAB as usize, width])];
        for layer in 0..self.layers {
            let mut add = |name: &str, shape: Vec<usize>| {
                all.push((format!("layers.{layer}.{name}"), shape));
            };
            add("attention_norm", vec![width]);
            add("qkv", vec![3 * width, width]);
            add("attention_out", vec![width, width]);
            add("feed_norm", vec![width]);
            add("gate_up", vec![2 * hidden, width]);
            add("down", vec![width, hidden]);
        }
        all.push(("norm".to_owned(), vec![width]));
        all
    }

    /// Number of learned values.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        self.tensors().iter().map(|(_, shape)| shape.iter().product::<usize>() as u64).sum()
    }
}

#[derive(Debug)]
struct Layer {
    attention_norm: Tensor,
    qkv: Tensor,
    attention_out: Tensor,
    feed_norm: Tensor,
    gate_up: Tensor,
    down: Tensor,
}

/// The network with its weights in f32.
#[derive(Debug)]
pub(crate) struct Gpt {
    pub(crate) config: GptConfig,
    embedding: Tensor,
    layers: Vec<Layer>,
    norm: Tensor,
    cos: Tensor,
    sin: Tensor,
}

/// What attention does with the queries, keys and values of a layer, each `[batch, heads, positions, head width]`.
type Attend<'a> = dyn FnMut(usize, &Tensor, &Tensor, &Tensor) -> Result<Tensor, TchError> + 'a;

impl Gpt {
    /// Puts a network together from tensors that `take` finds by name.
    pub(crate) fn new(
        config: GptConfig,
        take: &mut dyn FnMut(&str) -> Result<Tensor, ModelError>,
    ) -> Result<Self, ModelError> {
        let embedding = take("embedding")?;
        let layers = (0..config.layers)
            .map(|layer| {
                let mut part = |name: &str| take(&format!("layers.{layer}.{name}"));
                Ok(Layer {
                    attention_norm: part("attention_norm")?,
                    qkv: part("qkv")?,
                    attention_out: part("attention_out")?,
                    feed_norm: part("feed_norm")?,
                    gate_up: part("gate_up")?,
                    down: part("down")?,
                })
            })
            .collect::<Result<_, ModelError>>()?;
        let norm = take("norm")?;
        let (cos, sin) = rotary_tables(&config)?;
        Ok(Self { config, embedding, layers, norm, cos, sin })
    }

    /// The same network with every weight passed through `change`.
    pub(crate) fn map(&self, change: &dyn Fn(&Tensor) -> Result<Tensor, TchError>) -> Result<Self, TchError> {
        let layers = self.layers.iter().map(|layer| {
            Ok(Layer {
                attention_norm: change(&layer.attention_norm)?,
                qkv: change(&layer.qkv)?,
                attention_out: change(&layer.attention_out)?,
                feed_norm: change(&layer.feed_norm)?,
                gate_up: change(&layer.gate_up)?,
                down: change(&layer.down)?,
            })
        });
        Ok(Self {
            config: self.config,
            embedding: change(&self.embedding)?,
            layers: layers.collect::<Result<_, TchError>>()?,
            norm: change(&self.norm)?,
            cos: self.cos.shallow_clone(),
            sin: self.sin.shallow_clone(),
        })
    }

    /// Logits `[batch, positions, vocab]` of whole sequences from their beginning.
    pub(crate) fn logits(&self, ids: &Tensor) -> Result<Tensor, TchError> {
        self.prefill(ids, &mut |_, _, _| Ok(()))
    }

    /// As [`Gpt::logits`], handing each layer's keys and values to `keep`.
    fn prefill(
        &self,
        ids: &Tensor,
        keep: &mut dyn FnMut(usize, &Tensor, &Tensor) -> Result<(), TchError>,
    ) -> Result<Tensor, TchError> {
        let positions = ids.f_ones_like()?.f_cumsum(1, Kind::Int64)?.f_sub_scalar(1)?;
        self.forward(ids, &positions, &mut |layer, q, k, v| {
            keep(layer, k, v)?;
            Tensor::f_scaled_dot_product_attention::<Tensor>(q, k, v, None, 0.0, true, None, false)
        })
    }

    /// Logits of the tokens `ids` at `positions`, both `[batch, positions]`.
    fn forward(&self, ids: &Tensor, positions: &Tensor, attend: &mut Attend<'_>) -> Result<Tensor, TchError> {
        let cos = table(&self.cos, positions)?;
        let sin = table(&self.sin, positions)?;
        let mut x = Tensor::f_embedding(&self.embedding, ids, -1, false, false)?;
        for (index, layer) in self.layers.iter().enumerate() {
            let (q, k, v) = self.project(layer, &x, &cos, &sin)?;
            let mixed = attend(index, &q, &k, &v)?.f_transpose(1, 2)?.f_flatten(2, 3)?;
            x = x.f_add(&linear(&mixed, &layer.attention_out)?)?;
            x = x.f_add(&self.feed_forward(layer, &x)?)?;
        }
        linear(&self.normalise(&x, &self.norm)?, &self.embedding)
    }

    fn project(
        &self,
        layer: &Layer,
        x: &Tensor,
        cos: &Tensor,
        sin: &Tensor,
    ) -> Result<(Tensor, Tensor, Tensor), TchError> {
        let heads = dim(self.config.heads);
        let head = dim(self.config.width / self.config.heads);
        let qkv = linear(&self.normalise(x, &layer.attention_norm)?, &layer.qkv)?;
        let qkv = qkv.f_unflatten(-1, [3 * heads, head])?;
        let qk = rotate(&qkv.f_narrow(2, 0, 2 * heads)?, cos, sin, head / 2)?;
        let part = |tensor: &Tensor, from| tensor.f_narrow(2, from, heads)?.f_transpose(1, 2);
        Ok((part(&qk, 0)?, part(&qk, heads)?, part(&qkv, 2 * heads)?))
    }

    fn feed_forward(&self, layer: &Layer, x: &Tensor) -> Result<Tensor, TchError> {
        let hidden = dim(self.config.hidden);
        let both = linear(&self.normalise(x, &layer.feed_norm)?, &layer.gate_up)?;
        let gate = both.f_narrow(-1, 0, hidden)?.f_silu()?;
        linear(&gate.f_mul(&both.f_narrow(-1, hidden, hidden)?)?, &layer.down)
    }

    fn normalise(&self, x: &Tensor, weight: &Tensor) -> Result<Tensor, TchError> {
        x.f_rms_norm([dim(self.config.width)], Some(weight), NORM_EPSILON)
    }
}

fn linear(x: &Tensor, weight: &Tensor) -> Result<Tensor, TchError> {
    x.f_linear::<Tensor>(weight, None)
}

/// Rows of a rotary table as `[batch, positions, 1, half head]`.
fn table(table: &Tensor, positions: &Tensor) -> Result<Tensor, TchError> {
    Tensor::f_embedding(table, positions, -1, false, false)?.f_unsqueeze(2)
}

/// Turns each pair (i, i + half) of the last dimension by its position's angle.
fn rotate(x: &Tensor, cos: &Tensor, sin: &Tensor, half: i64) -> Result<Tensor, TchError> {
    let (a, b) = (x.f_narrow(-1, 0, half)?, x.f_narrow(-1, half, half)?);
    let first = a.f_mul(cos)?.f_sub(&b.f_mul(sin)?)?;
    let second = b.f_mul(cos)?.f_add(&a.f_mul(sin)?)?;
    Tensor::f_cat(&[first, second], -1)
}

fn rotary_tables(config: &GptConfig) -> Result<(Tensor, Tensor), ModelError> {
    let head = config.width / config.heads;
    let half = head / 2;
    let angles: Vec<f64> = (0..config.context)
        .flat_map(|position| {
            (0..half).map(move |pair| position as f64 * ROTARY_BASE.powf(-2.0 * pair as f64 / head as f64))
        })
        .collect();
    let shape = [dim(config.context), dim(half)];
    let angles = Tensor::f_from_slice(&angles)?.f_view(shape)?;
    let narrow = |tensor: Tensor| tensor.f_to_kind(Kind::Float);
    Ok((narrow(angles.f_cos()?)?, narrow(angles.f_sin()?)?))
}

/// The shape of a tensor in this crate's integers.
fn shape(tensor: &Tensor) -> Vec<usize> {
    tensor.size().into_iter().map(size).collect()
}
