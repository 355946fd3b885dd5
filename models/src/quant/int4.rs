//! Weights in four bits with a scale and a zero for each 32 inputs.
//!
//! The kernel computes with `(q − 8) · scale + zero`. A format that says `q · d + m` has therefore scale `d` and zero
//! `m + 8 d`, in exact arithmetic; what is lost is the rounding of the two to the type of activations.

use tch::{Kind, TchError, Tensor};

use super::int8::finish;
use super::{GROUP, OUTPUTS, bytes, check_device, rows};
use crate::ModelError;
use crate::nn::Dense;
use crate::torch::dim;
use crate::weights::Target;

/// Rows from which the dense product is faster. Measured on two cores with AVX-512 for the layers of SmolLM2-135M; see
/// "Quantised decoding" in `docs/performance.md`.
const DENSE_ROWS: i64 = 16;

/// See the module.
#[derive(Debug)]
pub(crate) struct Int4 {
    /// In the kernel's own order.
    packed: Tensor,
    /// `[inputs / 32, outputs, 2]`: scale and zero, in the type of activations.
    scales: Tensor,
    bias: Option<Tensor>,
    /// The same weights for many rows.
    dense: Option<Dense>,
}

impl Int4 {
    /// Whether a matrix of this size can be packed.
    pub(crate) const fn fits(outputs: usize, inputs: usize) -> bool {
        outputs > 0 && inputs > 0 && outputs.is_multiple_of(OUTPUTS) && inputs.is_multiple_of(GROUP)
    }

    /// Packs values from 0 to 15 (`[outputs, inputs]`, `Int`) with `q · step + least`: `steps` and `leasts` are
    /// `[outputs, inputs / 32]` in 32-bit floats.
    pub(crate) fn pack(
        values: &Tensor,
        steps: &Tensor,
        leasts: &Tensor,
        bias: Option<&Tensor>,
        to: &Target,
    ) -> Result<Self, ModelError> {
        check_device(to)?;
        let zeros = (steps * 8.0).f_add(leasts)?;
        let scales = Tensor::f_stack(&[steps, &zeros], 2)?.f_transpose(0, 1)?;
        let scales = scales.f_to_kind(to.kind)?.f_contiguous()?;
        let bias = bias.map(|bias| bias.f_to_kind(to.kind)).transpose()?;
        let copy = || Dense::new(dense(values, steps, leasts)?, bias.as_ref().map(Tensor::shallow_clone));
        let dense = to.dense_copy.then(copy).transpose()?;
        let packed = values.f_internal_convert_weight_to_int4pack_for_cpu(1)?;
        Ok(Self { packed, scales, bias, dense })
    }

    /// Rounds a matrix `[outputs, inputs]` to the nearest of sixteen steps between the least and the greatest of each
    /// group.
    pub(crate) fn quantise(weight: &Tensor, bias: Option<&Tensor>, to: &Target) -> Result<Self, ModelError> {
        let (outputs, inputs) = weight.size2()?;
        let groups = weight.f_to_kind(Kind::Float)?.f_view([outputs, inputs / dim(GROUP), dim(GROUP)])?;
        let leasts = groups.f_amin([2], false)?;
        let steps = groups.f_amax([2], false)?.f_sub(&leasts)?.f_div_scalar(15.0)?;
        let steps = steps.f_clamp_min(f64::from(f32::MIN_POSITIVE))?;
        let values = groups.f_sub(&leasts.f_unsqueeze(2)?)?.f_div(&steps.f_unsqueeze(2)?)?;
        let values = values.f_round()?.f_clamp(0.0, 15.0)?.f_view([outputs, inputs])?.f_to_kind(Kind::Int)?;
        Self::pack(&values, &steps, &leasts, bias, to)
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor, TchError> {
        if let Some(dense) = self.dense.as_ref().filter(|_| rows(x) >= DENSE_ROWS) {
            return dense.forward(x);
        }
        let sizes = x.size();
        let inputs = sizes.last().copied().unwrap_or(1);
        let flat = x.f_reshape([-1, inputs])?;
        let y = flat.f_internal_weight_int4pack_mm_for_cpu(&self.packed, dim(GROUP), &self.scales)?;
        finish(y, &sizes, self.bias.as_ref())
    }

    /// Bytes that one product of few rows reads.
    pub(crate) fn bytes(&self) -> usize {
        bytes(&self.packed) + bytes(&self.scales) + self.bias.as_ref().map_or(0, bytes)
    }
}

/// `values · steps + leasts` in bf16.
fn dense(values: &Tensor, steps: &Tensor, leasts: &Tensor) -> Result<Tensor, TchError> {
    let (outputs, inputs) = values.size2()?;
    let groups = values.f_view([outputs, inputs / dim(GROUP), dim(GROUP)])?.f_to_kind(Kind::Float)?;
    let groups = groups.f_mul(&steps.f_unsqueeze(2)?)?.f_add(&leasts.f_unsqueeze(2)?)?;
    groups.f_view([outputs, inputs])?.f_to_kind(Kind::BFloat16)
}
