//! A linear layer in whatever form its weights are stored.
//!
//! Invariant: `forward` takes `[rows, inputs]` in the type of activations and gives `[rows, outputs]` in the same type.

use tch::{TchError, Tensor};

use crate::ModelError;
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
}

impl Linear {
    /// Stores weights as the target wants them.
    pub(crate) fn new(weight: Tensor, bias: Option<Tensor>, _target: &Target) -> Result<Self, ModelError> {
        Ok(Self::Dense { weight, bias })
    }

    /// Applies the layer to rows.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor, TchError> {
        match self {
            Self::Dense { weight, bias } => x.f_linear(weight, bias.as_ref()),
        }
    }

    /// Bytes that one use of the layer reads: what bounds the speed of a single sequence.
    pub(crate) fn bytes(&self) -> usize {
        let of = |tensor: &Tensor| tensor.numel() * tensor.kind().elt_size_in_bytes();
        match self {
            Self::Dense { weight, bias } => of(weight) + bias.as_ref().map_or(0, of),
        }
    }
}
