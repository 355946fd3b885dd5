//! Which number format a model runs in when nobody says.
//!
//! Never integers for layers that the file has in floating point, never sixteen bits for layers that it has in 32:
//!
//! | linear layers of the file | candidates |
//! |---|---|
//! | f32 or f64 anywhere | f32 |
//! | f16, bf16 | f32, bf16 |
//! | some in four bits that the packed kernel takes as they are | f32, bf16, int4 (the others in eight bits) |
//! | five to eight bits | f32, bf16, int8 |
//!
//! Of several the fastest is taken, by a measurement of some tens of milliseconds on the shape of the model's largest
//! layer: the geometric mean of the time for one row (one sequence) and for [`MANY_ROWS`] (a batch, a prompt). What bf16
//! (which keeps eight of the eleven bits of f16) and int8 lose is measured in `docs/models.md`: well below one per cent of perplexity.

use std::time::{Duration, Instant};

use tch::{Device, Kind, Tensor};

use super::{GROUP, Groups, Int4};
use crate::gguf::quant::GgmlType;
use crate::inspect::TensorInfo;
use crate::nn::Linear;
use crate::options::Dtype;
use crate::torch::dim;
use crate::weights::Target;
use crate::{ModelError, quant};

/// Rows of the second measurement.
const MANY_ROWS: i64 = 32;
/// Weights that are measured over, in values: more than a processor's caches hold in any format.
const VALUES: usize = 24 << 20;
/// Of so many measurements the fastest counts: noise only ever adds time.
const ROUNDS: usize = 3;

/// What the linear layers of a file allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    candidates: Vec<Dtype>,
    /// Outputs and inputs of the largest layer.
    largest: (usize, usize),
    /// Values of all linear layers.
    pub(crate) values: usize,
}

impl Stored {
    /// Looks at the matrices of a file. Embeddings are looked up, not multiplied with, unless they are the head too.
    pub(crate) fn of(tensors: &[TensorInfo]) -> Self {
        let layers = tensors.iter().filter_map(|tensor| match tensor.shape.as_slice() {
            [outputs, inputs] if !tensor.name.contains("embed") && !tensor.name.contains(".wpe.") => {
                Some((tensor.dtype.as_str(), *outputs, *inputs))
            }
            _ => None,
        });
        let layers: Vec<_> = layers.collect();
        let kinds: Vec<Option<GgmlType>> = layers.iter().map(|(kind, ..)| quantised(kind)).collect();
        let four = |(kind, layer): (&Option<GgmlType>, &(&str, usize, usize))| {
            kind.is_some_and(|kind| Groups::accepts(kind, layer.2)) && Int4::fits(layer.1, layer.2)
        };
        let mut candidates = vec![Dtype::F32];
        let exact = layers.iter().any(|(kind, ..)| matches!(*kind, "f32" | "f64"));
        if !layers.is_empty() && !exact {
            candidates.push(Dtype::Bf16);
            if kinds.iter().all(Option::is_some) {
                let packed = if kinds.iter().zip(&layers).any(four) { Dtype::Int4 } else { Dtype::Int8 };
                candidates.push(packed);
            }
        }
        let size = |layer: &&(&str, usize, usize)| layer.1.saturating_mul(layer.2);
        let largest = layers.iter().max_by_key(size).map_or((GROUP, GROUP), |layer| (layer.1, layer.2));
        Self { candidates, largest, values: layers.iter().map(|layer| size(&layer)).sum() }
    }

    /// The format for `auto` on the processor, by measurement.
    pub(crate) fn fastest(&self) -> Result<Dtype, ModelError> {
        if let [only] = self.candidates.as_slice() {
            return Ok(*only);
        }
        let _guard = tch::no_grad_guard();
        let mut best = (f64::INFINITY, Dtype::F32);
        for dtype in &self.candidates {
            let cost = self.cost(*dtype)?;
            tracing::debug!(%dtype, milliseconds = cost * 1e3, "measured for the choice of a number format");
            if cost < best.0 {
                best = (cost, *dtype);
            }
        }
        Ok(best.1)
    }

    /// Geometric mean of the times for one row and for many, in seconds.
    fn cost(&self, dtype: Dtype) -> Result<f64, ModelError> {
        let (outputs, inputs) = self.largest;
        // A giant head is measured by a part of it, in the width that the packed kernels take.
        let outputs =
            outputs.min(VALUES / inputs.max(1)).max(quant::OUTPUTS).next_multiple_of(quant::OUTPUTS);
        let inputs = inputs.next_multiple_of(GROUP);
        let copies = (VALUES / (outputs * inputs)).clamp(1, 64);
        let to = Target::new(dtype, Device::Cpu).with_dense_copy(true);
        let layer = || {
            let weight = Tensor::f_rand([dim(outputs), dim(inputs)], (Kind::Float, Device::Cpu))?;
            Linear::new(weight.f_to_kind(to.kind)?, None, &to)
        };
        let layers = (0..copies).map(|_| layer()).collect::<Result<Vec<_>, _>>()?;
        let mut product = 1.0;
        for rows in [1, MANY_ROWS] {
            let x = Tensor::f_rand([rows, dim(inputs)], (to.kind, Device::Cpu))?;
            let mut least = Duration::MAX;
            for _ in 0..ROUNDS {
                let start = Instant::now();
                for layer in &layers {
                    drop(layer.forward(&x)?);
                }
                least = least.min(start.elapsed());
            }
            product *= least.as_secs_f64();
        }
        Ok(product.sqrt())
    }
}

/// The block type of a name, if it is one.
fn quantised(name: &str) -> Option<GgmlType> {
    GgmlType::ALL.into_iter().find(|kind| kind.is_quantised() && kind.to_string().eq_ignore_ascii_case(name))
}

/// Whether packed layers may keep a dense copy in bf16: where that takes at most a quarter of the memory that is free.
/// Where nobody knows how much that is, they may not.
pub(crate) fn memory_allows_copy(values: usize) -> bool {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kibibytes =
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<usize>().ok()).unwrap_or(0);
    values.saturating_mul(2) <= kibibytes.saturating_mul(1024) / 4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(name: &str, shape: &[usize], dtype: &str) -> TensorInfo {
        TensorInfo { name: name.into(), shape: shape.into(), dtype: dtype.into() }
    }

    fn candidates(layers: &[&str]) -> Vec<Dtype> {
        let mut tensors = vec![
            tensor("model.embed_tokens.weight", &[512, 64], "q8_0"),
            tensor("model.norm.weight", &[64], "f32"),
        ];
        tensors
            .extend(layers.iter().map(|dtype| tensor("model.layers.0.mlp.up_proj.weight", &[96, 64], dtype)));
        Stored::of(&tensors).candidates
    }

    #[test]
    fn nothing_is_rounded_that_the_file_has_not_rounded() {
        assert_eq!(candidates(&["f32"]), [Dtype::F32]);
        assert_eq!(candidates(&["f32", "q4_1"]), [Dtype::F32]);
        assert_eq!(candidates(&["f16"]), [Dtype::F32, Dtype::Bf16]);
        assert_eq!(candidates(&["bf16", "q4_1"]), [Dtype::F32, Dtype::Bf16]);
        assert_eq!(candidates(&["q4_1"]), [Dtype::F32, Dtype::Bf16, Dtype::Int4]);
        assert_eq!(candidates(&["q4_0", "q6_k"]), [Dtype::F32, Dtype::Bf16, Dtype::Int4]);
        assert_eq!(candidates(&["q8_0", "q6_k", "q5_1"]), [Dtype::F32, Dtype::Bf16, Dtype::Int8]);
        assert_eq!(candidates(&[]), [Dtype::F32]);
    }

    #[test]
    fn a_measurement_takes_a_candidate() {
        let stored =
            Stored::of(&[tensor("a.weight", &[100, 70], "q4_1"), tensor("b.weight", &[30, 70], "q4_1")]);
        assert_eq!((stored.largest, stored.values), ((100, 70), 9100));
        assert!(stored.candidates.contains(&stored.fastest().unwrap()));
    }
}
