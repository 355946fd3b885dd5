//! Weights in signed bytes with one scale for each output.

use tch::{Kind, TchError, Tensor};

use super::{bytes, check_device, rows};
use crate::ModelError;
use crate::nn::Dense;
use crate::weights::Target;

/// Rows from which the dense product is faster. Measured on two cores with AVX-512 for the layers of SmolLM2-135M; see
/// "Quantised decoding" in `docs/performance.md`.
const DENSE_ROWS: i64 = 8;

/// `y = (x · wᵀ) ∘ scales + bias`, `w` in bytes. The sum over inputs is in 32-bit floats.
#[derive(Debug)]
pub(crate) struct Int8 {
    /// `[outputs, inputs]`, bytes.
    weight: Tensor,
    /// `[outputs]`, in the type of activations.
    scales: Tensor,
    bias: Option<Tensor>,
    /// The same weights for many rows.
    dense: Option<Dense>,
}

impl Int8 {
    /// Rounds a matrix `[outputs, inputs]` to the nearest of 255 steps in each row.
    pub(crate) fn quantise(weight: &Tensor, bias: Option<Tensor>, to: &Target) -> Result<Self, ModelError> {
        check_device(to)?;
        let weight = weight.f_to_kind(Kind::Float)?;
        let most = weight.f_abs()?.f_amax([1], true)?;
        // A row of zeros has any scale.
        let scales = most.f_div_scalar(127.0)?.f_clamp_min(f64::from(f32::MIN_POSITIVE))?;
        // The scale is rounded first, so that the steps are those that the kernel will take.
        let scales = scales.f_to_kind(to.kind)?;
        let steps = weight.f_div(&scales.f_to_kind(Kind::Float)?)?.f_round()?.f_clamp(-127.0, 127.0)?;
        let packed = steps.f_to_kind(Kind::Int8)?.f_contiguous()?;
        let bias = bias.map(|bias| bias.f_to_kind(to.kind)).transpose()?;
        let copy = || Dense::new(weight.f_to_kind(Kind::BFloat16)?, bias.as_ref().map(Tensor::shallow_clone));
        let dense = to.dense_copy.then(copy).transpose()?;
        Ok(Self { weight: packed, scales: scales.f_flatten(0, 1)?.f_contiguous()?, bias, dense })
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor, TchError> {
        if let Some(dense) = self.dense.as_ref().filter(|_| rows(x) >= DENSE_ROWS) {
            return dense.forward(x);
        }
        let sizes = x.size();
        let inputs = sizes.last().copied().unwrap_or(1);
        let flat = x.f_reshape([-1, inputs])?;
        let y = flat.f_internal_weight_int8pack_mm(&self.weight, &self.scales)?;
        finish(y, &sizes, self.bias.as_ref())
    }

    /// Bytes that one product of few rows reads.
    pub(crate) fn bytes(&self) -> usize {
        bytes(&self.weight) + bytes(&self.scales) + self.bias.as_ref().map_or(0, bytes)
    }
}

/// Gives the product the dimensions of its input, and adds the bias.
pub(super) fn finish(y: Tensor, sizes: &[i64], bias: Option<&Tensor>) -> Result<Tensor, TchError> {
    let y = match bias {
        Some(bias) => y.f_add(bias)?,
        None => y,
    };
    if sizes.len() == 2 {
        return Ok(y);
    }
    let mut shape = sizes.to_vec();
    if let Some(last) = shape.last_mut() {
        *last = -1;
    }
    y.f_reshape(shape)
}
