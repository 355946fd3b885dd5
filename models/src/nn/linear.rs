//! A linear layer in whatever form its weights are stored.
//!
//! Invariant: `forward` takes `[rows, inputs]` in the type of activations and gives `[rows, outputs]` in the same type.

use tch::{TchError, Tensor};

use super::Dense;
use crate::ModelError;
use crate::options::Dtype;
use crate::quant::{Int4, Int8};
use crate::torch::size;
use crate::weights::Target;

/// See the module.
#[derive(Debug)]
pub(crate) enum Linear {
    /// Weights `[outputs, inputs]` in the type of activations.
    Dense(Dense),
    /// Signed bytes.
    Int8(Int8),
    /// Four bits in groups.
    Int4(Int4),
}

impl Linear {
    /// Stores weights as the target wants them.
    pub(crate) fn new(weight: Tensor, bias: Option<Tensor>, target: &Target) -> Result<Self, ModelError> {
        let (outputs, inputs) = weight.size2()?;
        match target.dtype {
            Dtype::Int4 if Int4::fits(size(outputs), size(inputs)) => {
                Ok(Self::Int4(Int4::quantise(&weight, bias.as_ref(), target)?))
            }
            // A width that the 4-bit kernel cannot take is kept in eight.
            Dtype::Int4 | Dtype::Int8 => Ok(Self::Int8(Int8::quantise(&weight, bias, target)?)),
            Dtype::Auto | Dtype::F32 | Dtype::Bf16 => Ok(Self::Dense(Dense::new(weight, bias)?)),
        }
    }

    /// Applies the layer to rows.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor, TchError> {
        match self {
            Self::Dense(layer) => layer.forward(x),
            Self::Int8(layer) => layer.forward(x),
            Self::Int4(layer) => layer.forward(x),
        }
    }

    /// Adds the layer's result to `sum`, which is a tensor of its own.
    pub(crate) fn add_to(&self, sum: Tensor, x: &Tensor) -> Result<Tensor, TchError> {
        match self {
            Self::Dense(layer) => layer.add_to(sum, x),
            Self::Int8(_) | Self::Int4(_) => sum.f_add(&self.forward(x)?),
        }
    }

    /// As [`Linear::forward`], in 32-bit floats where that costs nothing: for the last layer, whose result is compared.
    pub(crate) fn scores(&self, x: &Tensor) -> Result<Tensor, TchError> {
        match self {
            Self::Dense(layer) => layer.scores(x),
            Self::Int8(_) | Self::Int4(_) => self.forward(x),
        }
    }

    /// Bytes that one use of the layer reads: what bounds the speed of a single sequence.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Dense(layer) => layer.bytes(),
            Self::Int8(layer) => layer.bytes(),
            Self::Int4(layer) => layer.bytes(),
        }
    }
}
