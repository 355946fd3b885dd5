//! RMSNorm.

use acumen_models_kernels::rms_norm as kernel;
use tch::{TchError, Tensor};

use super::numbers::{by_kind, is_host, read, write};

/// `x / √(mean(x²) + ε) ∘ weight` for each row.
pub(crate) fn rms_norm(x: &Tensor, weight: &Tensor, epsilon: f64) -> Result<Tensor, TchError> {
    let width = weight.size();
    if !is_host(x) || !is_host(weight) || x.kind() != weight.kind() || x.size().last() != width.last() {
        return x.f_rms_norm(width, Some(weight), epsilon);
    }
    let mut y = x.f_empty_like()?;
    by_kind!(x, T => kernel(read::<T>(x), read(weight), epsilon as f32, write(&mut y)));
    Ok(y)
}
