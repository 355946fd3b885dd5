//! A linear layer in whatever form its weights are stored.
//!
//! Invariant: `forward` takes `[rows, inputs]` in the type of activations and gives `[rows, outputs]` in the same type.

use tch::{TchError, Tensor};

use crate::ModelError;
use crate::options::Dtype;
use crate::quant::{Int4, Int8};
use crate::torch::size;
use crate::weights::Target;

/// See the module.
#[derive(Debug)]
pub(crate) enum Linear {
    /// Weights `[outputs, inputs]` in the type of activations.
    Dense {
        /// The matrix.
        weight: Tensor,
        /// Added to each row, where there is one.
        bias: Option<Tensor>,
    },
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
            Dtype::Auto | Dtype::F32 | Dtype::Bf16 => Ok(Self::Dense { weight, bias }),
        }
    }

    /// Applies the layer to rows.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor, TchError> {
        match self {
            Self::Dense { weight, bias } => x.f_linear(weight, bias.as_ref()),
            Self::Int8(layer) => layer.forward(x),
            Self::Int4(layer) => layer.forward(x),
        }
    }

    /// Bytes that one use of the layer reads: what bounds the speed of a single sequence.
    pub(crate) fn bytes(&self) -> usize {
        let of = |tensor: &Tensor| tensor.numel() * tensor.kind().elt_size_in_bytes();
        match self {
            Self::Dense { weight, bias } => of(weight) + bias.as_ref().map_or(0, of),
            Self::Int8(layer) => layer.bytes(),
            Self::Int4(layer) => layer.bytes(),
        }
    }
}
