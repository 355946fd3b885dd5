//! The functions between two linear layers, by the names of Hugging Face's configurations.

use acumen_models_kernels::gate_silu;
use tch::{TchError, Tensor};

use super::numbers::{by_kind, is_host, read, write};
use crate::torch::size;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    /// x · sigmoid(x).
    Silu,
    /// x · Φ(x), exactly.
    Gelu,
    /// The same through a hyperbolic tangent.
    GeluTanh,
    /// The exact one, cut to 10 on both sides.
    Gelu10,
    /// x · sigmoid(1.702 · x).
    QuickGelu,
    /// max(x, 0).
    Relu,
    /// Its square.
    Relu2,
    /// The same, cut at 6.
    Relu6,
    /// x above 0, x / 100 below.
    LeakyRelu,
    /// x · tanh(ln(1 + eˣ)).
    Mish,
    /// x · min(max(x + 3, 0), 6) / 6.
    HardSwish,
    /// A hyperbolic tangent.
    Tanh,
    /// 1 / (1 + e⁻ˣ).
    Sigmoid,
    /// x.
    Linear,
}

impl Activation {
    /// Names that [`Activation::named`] knows.
    pub(crate) const KNOWN: &'static str = "silu, swish, gelu, gelu_new, gelu_fast, gelu_accurate, gelu_python, \
         gelu_pytorch_tanh, gelu_python_tanh, gelu_10, quick_gelu, relu, relu2, relu6, leaky_relu, mish, hardswish, tanh, \
         sigmoid, linear";

    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "silu" | "swish" => Some(Self::Silu),
            "gelu" | "gelu_python" => Some(Self::Gelu),
            // Several ways to write one function.
            "gelu_new" | "gelu_fast" | "gelu_accurate" | "gelu_pytorch_tanh" | "gelu_python_tanh" => {
                Some(Self::GeluTanh)
            }
            "gelu_10" => Some(Self::Gelu10),
            "quick_gelu" => Some(Self::QuickGelu),
            "relu" => Some(Self::Relu),
            "relu2" => Some(Self::Relu2),
            "relu6" => Some(Self::Relu6),
            "leaky_relu" => Some(Self::LeakyRelu),
            "mish" => Some(Self::Mish),
            "hardswish" => Some(Self::HardSwish),
            "tanh" => Some(Self::Tanh),
            "sigmoid" => Some(Self::Sigmoid),
            "linear" => Some(Self::Linear),
            _ => None,
        }
    }

    /// `activation(gate) · up` for rows of gate and up side by side, `width` of each.
    pub(crate) fn gate(self, both: &Tensor, width: i64) -> Result<Tensor, TchError> {
        if self != Self::Silu || !is_host(both) {
            let gate = self.apply(both.f_narrow(1, 0, width)?)?;
            return gate.f_mul(&both.f_narrow(1, width, width)?);
        }
        let (rows, _) = both.size2()?;
        let mut y = Tensor::f_empty([rows, width], (both.kind(), both.device()))?;
        by_kind!(both, T => gate_silu(read::<T>(both), size(width), write(&mut y)));
        Ok(y)
    }

    /// In place where libtorch can: `x` is a fresh result of the layer before.
    pub(crate) fn apply(self, mut x: Tensor) -> Result<Tensor, TchError> {
        match self {
            Self::Silu => x.f_silu_(),
            Self::Gelu => x.f_gelu_("none"),
            Self::GeluTanh => x.f_gelu_("tanh"),
            Self::Gelu10 => x.f_gelu_("none")?.f_clamp_(-10.0, 10.0),
            Self::QuickGelu => {
                let gate = x.f_mul_scalar(1.702)?.f_sigmoid_()?;
                x.f_mul_(&gate)
            }
            Self::Relu => x.f_relu_(),
            Self::Relu2 => x.f_relu_()?.f_square_(),
            Self::Relu6 => x.f_clamp_(0.0, 6.0),
            Self::LeakyRelu => x.f_leaky_relu_(),
            Self::Mish => x.f_mish_(),
            Self::HardSwish => x.f_hardswish_(),
            Self::Tanh => x.f_tanh_(),
            Self::Sigmoid => x.f_sigmoid_(),
            Self::Linear => Ok(x),
        }
    }
}
