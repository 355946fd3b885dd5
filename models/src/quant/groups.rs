//! ggml's 4-bit blocks as the numbers that the packed kernel wants, without rounding them again.

use tch::Tensor;

use super::{GROUP, Int4};
use crate::ModelError;
use crate::gguf::quant::{GgmlType, four_bit_groups};
use crate::torch::dim;
use crate::weights::Target;

/// Rows of a matrix in groups of 32 inputs: value = `q · step + least`.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    values: Vec<i32>,
    steps: Vec<f32>,
    leasts: Vec<f32>,
}

impl Groups {
    /// Whether a tensor of this type and row length can be added.
    pub(crate) fn accepts(kind: GgmlType, inputs: usize) -> bool {
        matches!(kind, GgmlType::Q4_0 | GgmlType::Q4_1 | GgmlType::Q4K) && inputs.is_multiple_of(GROUP)
    }

    /// Adds the rows of a tensor; says whether all its numbers are finite.
    pub(crate) fn push(&mut self, kind: GgmlType, bytes: &[u8]) -> bool {
        let before = self.steps.len();
        four_bit_groups(kind, bytes, |values, step, least| {
            self.values.extend(values.iter().map(|value| i32::from(*value)));
            self.steps.push(step);
            self.leasts.push(least);
        });
        let new = self.steps[before..].iter().zip(&self.leasts[before..]);
        // The products of both with what four bits hold are finite, too: half-precision scales are far below f32's largest.
        new.fold(true, |finite, (step, least)| finite & (step + least).is_finite())
    }

    /// The layer of all rows that were added.
    pub(crate) fn pack(
        self,
        outputs: usize,
        inputs: usize,
        bias: Option<&Tensor>,
        to: &Target,
    ) -> Result<Int4, ModelError> {
        let groups = [dim(outputs), dim(inputs / GROUP)];
        let values = Tensor::f_from_slice(&self.values)?.f_view([dim(outputs), dim(inputs)])?;
        let steps = Tensor::f_from_slice(&self.steps)?.f_view(groups)?;
        let leasts = Tensor::f_from_slice(&self.leasts)?.f_view(groups)?;
        Int4::pack(&values, &steps, &leasts, bias, to)
    }
}
