//! The functions between two linear layers, by the names of Hugging Face's configurations.

use tch::{TchError, Tensor};

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    /// x · sigmoid(x).
    Silu,
    /// x · Φ(x), exactly.
    Gelu,
    /// The same through a hyperbolic tangent.
    GeluTanh,
    /// max(x, 0).
    Relu,
}

impl Activation {
    /// Names that [`Activation::named`] knows.
    pub(crate) const KNOWN: &'static str = "silu, swish, gelu, gelu_new, gelu_fast, gelu_pytorch_tanh, relu";

    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "silu" | "swish" => Some(Self::Silu),
            "gelu" => Some(Self::Gelu),
            "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" => Some(Self::GeluTanh),
            "relu" => Some(Self::Relu),
            _ => None,
        }
    }

    /// In place: `x` is a fresh result of the layer before.
    pub(crate) fn apply(self, mut x: Tensor) -> Result<Tensor, TchError> {
        match self {
            Self::Silu => x.f_silu_(),
            Self::Gelu => x.f_gelu_("none"),
            Self::GeluTanh => x.f_gelu_("tanh"),
            Self::Relu => x.f_relu_(),
        }
    }
}
