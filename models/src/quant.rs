//! Linear layers whose weights are integers, run by libtorch's packed kernels on the processor.
//!
//! | type | stored | error of a weight |
//! |---|---|---|
//! | [`Int8`] | signed bytes, one scale for each output | half a step: 1/254 of the row's largest |
//! | [`Int4`] | four bits, scale and zero for each 32 inputs | half a step: 1/30 of the group's span |
//!
//! ggml's Q4_0, Q4_1 and Q4_K hold four bits with a scale and a minimum for each 32 inputs, which is what the 4-bit
//! kernel computes with: [`Groups`] hands their numbers over as they are, and nothing is quantised a second time.
//!
//! The packed kernels save memory traffic, which is what a step of few sequences waits for; with many rows the dense
//! product wins (`cargo run --example linear_kernels` shows where). A layer therefore may keep a dense copy beside the
//! packed one and use it from a number of rows on.

mod choice;
mod groups;
mod int4;
mod int8;

#[cfg(test)]
mod tests;

use tch::{Device, Tensor};

pub(crate) use choice::{Stored, memory_allows_copy};
pub(crate) use groups::Groups;
pub(crate) use int4::Int4;
pub(crate) use int8::Int8;

use crate::ModelError;
use crate::weights::Target;

/// Inputs that share a scale and a zero in [`Int4`].
pub(crate) const GROUP: usize = 32;

/// Outputs of a 4-bit layer come in multiples of this: the width of the kernel's inner loop.
pub(crate) const OUTPUTS: usize = 16;

/// The packed kernels are the processor's.
fn check_device(to: &Target) -> Result<(), ModelError> {
    if to.device == Device::Cpu {
        return Ok(());
    }
    let reason = format!("{} runs on the processor only; use bf16 on a GPU", to.dtype);
    Err(ModelError::Config { field: "dtype", reason })
}

/// Rows of a matrix of activations, or of several stacked in more dimensions.
fn rows(x: &Tensor) -> i64 {
    let sizes = x.size();
    sizes[..sizes.len().saturating_sub(1)].iter().product()
}

/// Bytes of a tensor.
fn bytes(tensor: &Tensor) -> usize {
    tensor.numel() * tensor.kind().elt_size_in_bytes()
}
