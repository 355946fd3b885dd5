//! Where the weights of a network come from, whatever the file format.
//!
//! An architecture asks for tensors by the names of Hugging Face's checkpoints and says which shape it expects; a source
//! answers with a tensor of exactly that shape or with an error that names the tensor. Nothing is allocated for a tensor
//! before its name, type, shape and extent in the file have been checked against each other.

mod header;
pub(crate) mod safetensors;

use std::path::{Path, PathBuf};

use tch::{Device, Kind, Tensor};

use crate::inspect::TensorInfo;
use crate::nn::Linear;
use crate::torch::dim;
use crate::{Dtype, ModelError, files};

/// Named tensors. See the module.
pub(crate) trait WeightSource {
    /// Every tensor that it holds, in a fixed order, with its shape in the file.
    fn tensors(&self) -> Vec<TensorInfo>;

    /// Whether it holds a tensor of this name.
    fn has(&self, name: &str) -> bool;

    /// One tensor in the floating-point type of the file, on the CPU. Its shape is `shape`.
    fn take(&mut self, name: &str, shape: &[usize]) -> Result<Tensor, ModelError>;

    /// Matrices stacked along their outputs as one layer in packed form, where the source can give one without going
    /// through floating point. `bias` has been read already.
    fn packed(
        &mut self,
        _rows: &[Rows],
        _bias: Option<&Tensor>,
        _to: &Target,
    ) -> Result<Option<Linear>, ModelError> {
        Ok(None)
    }

    /// Tensors that nobody took: what the architecture does not know. Called once, at the end.
    fn unused(&self) -> Vec<String>;

    /// The file to blame for a tensor.
    fn path(&self, name: &str) -> PathBuf;
}

/// One matrix `[outputs, inputs]` of a stacked linear layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rows {
    /// Name of its weight.
    pub(crate) weight: String,
    /// Rows of the matrix.
    pub(crate) outputs: usize,
    /// Columns of the matrix.
    pub(crate) inputs: usize,
}

/// What the weights become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target {
    /// How linear layers are stored: decided, never `Auto`.
    pub(crate) dtype: Dtype,
    /// Type of everything else: norms, embeddings, activations, cache.
    pub(crate) kind: Kind,
    /// Where they lie.
    pub(crate) device: Device,
    /// Whether packed layers keep a dense copy for products of many rows.
    pub(crate) dense_copy: bool,
}

impl Target {
    /// The type of activations that goes with a type of weights.
    pub(crate) fn new(dtype: Dtype, device: Device) -> Self {
        let kind = if dtype == Dtype::F32 { Kind::Float } else { Kind::BFloat16 };
        Self { dtype, kind, device, dense_copy: false }
    }

    /// The same with eight bits in the place of four.
    pub(crate) fn at_least_eight_bits(self) -> Self {
        Self { dtype: if self.dtype == Dtype::Int4 { Dtype::Int8 } else { self.dtype }, ..self }
    }

    /// The same with or without dense copies of packed layers.
    pub(crate) fn with_dense_copy(self, dense_copy: bool) -> Self {
        Self { dense_copy, ..self }
    }
}

/// Takes the tensors of one network out of a source, in the type and at the place where they are wanted.
pub(crate) struct Builder<'a> {
    source: &'a mut dyn WeightSource,
    target: Target,
    parameters: u64,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(source: &'a mut dyn WeightSource, target: Target) -> Self {
        Self { source, target, parameters: 0 }
    }

    /// Learned values asked for so far.
    pub(crate) fn parameters(&self) -> u64 {
        self.parameters
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.source.has(name)
    }

    /// A tensor as it stands.
    pub(crate) fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Tensor, ModelError> {
        let tensor = self.source.take(name, shape)?;
        let tensor = tensor.f_to_device(self.target.device)?.f_to_kind(self.target.kind)?;
        // In the type that is computed in, where more numbers are infinite than in the file's.
        check_finite(&self.source.path(name), name, &tensor)?;
        self.parameters += tensor.numel() as u64;
        Ok(tensor)
    }

    /// Linear layers that read the same input, stacked into one. `biases` is empty or has one name per part.
    pub(crate) fn linear(&mut self, parts: &[Rows], biases: &[String]) -> Result<Linear, ModelError> {
        let bias = self.stacked(biases.iter().zip(parts).map(|(name, part)| (name, vec![part.outputs])))?;
        if let Some(layer) = self.source.packed(parts, bias.as_ref(), &self.target)? {
            self.parameters += parts.iter().map(|part| (part.outputs * part.inputs) as u64).sum::<u64>();
            return Ok(layer);
        }
        let shapes = parts.iter().map(|part| (&part.weight, vec![part.outputs, part.inputs]));
        let weight =
            self.stacked(shapes)?.ok_or_else(|| ModelError::Engine("a layer without weights".into()))?;
        Linear::new(weight, bias, &self.target)
    }

    /// The layer that gives the logits: a matrix of its own if the file has one, else the embedding's, where the
    /// configuration says that they are `tied`. Files of tied networks may hold it twice; equal matrices are kept once.
    pub(crate) fn head(
        &mut self,
        own: &str,
        shared: Rows,
        embedding: &Tensor,
        tied: bool,
    ) -> Result<Linear, ModelError> {
        if !tied && !self.has(own) {
            let reason =
                "missing, and `tie_word_embeddings` of config.json does not let the embedding stand for it";
            return Err(fault(&self.source.path(own), own, reason));
        }
        if self.has(own) {
            let before = self.parameters;
            let weight = self.tensor(own, &[shared.outputs, shared.inputs])?;
            if !weight.f_equal(embedding)? {
                drop(weight);
                self.parameters = before;
                return self.linear(&[Rows { weight: own.into(), ..shared }], &[]);
            }
            self.parameters = before;
        }
        match self.source.packed(std::slice::from_ref(&shared), None, &self.target)? {
            Some(layer) => Ok(layer),
            // The head decides between neighbours: eight bits, also where other layers have four.
            None => Linear::new(embedding.shallow_clone(), None, &self.target.at_least_eight_bits()),
        }
    }

    /// A linear layer whose file stores `[inputs, outputs]`, as GPT-2's does.
    pub(crate) fn transposed(
        &mut self,
        weight: &str,
        bias: &str,
        shape: [usize; 2],
    ) -> Result<Linear, ModelError> {
        let [inputs, outputs] = shape;
        let bias = self.tensor(bias, &[outputs])?;
        let part = Rows { weight: weight.into(), outputs, inputs };
        if let Some(layer) = self.source.packed(&[part], Some(&bias), &self.target)? {
            self.parameters += (outputs * inputs) as u64;
            return Ok(layer);
        }
        let stored = self.tensor(weight, &shape)?;
        debug_assert_eq!(stored.size(), [dim(inputs), dim(outputs)]);
        Linear::new(stored.f_transpose(0, 1)?.f_contiguous()?, Some(bias), &self.target)
    }

    fn stacked<'n>(
        &mut self,
        parts: impl Iterator<Item = (&'n String, Vec<usize>)>,
    ) -> Result<Option<Tensor>, ModelError> {
        let tensors = parts.map(|(name, shape)| self.tensor(name, &shape)).collect::<Result<Vec<_>, _>>()?;
        match tensors.len() {
            0 => Ok(None),
            1 => Ok(tensors.into_iter().next()),
            _ => Ok(Some(Tensor::f_cat(&tensors, 0)?)),
        }
    }

    /// Refuses what nobody asked for, except names that `known` allows (buffers that are computed here).
    pub(crate) fn finish(self, known: &dyn Fn(&str) -> bool) -> Result<(), ModelError> {
        match self.source.unused().into_iter().find(|name| !known(name)) {
            Some(name) => Err(fault(&self.source.path(&name), &name, "this architecture has no such tensor")),
            None => Ok(()),
        }
    }
}

/// An error about one tensor.
pub(crate) fn fault(path: &Path, tensor: &str, reason: impl Into<String>) -> ModelError {
    ModelError::Tensor { path: path.into(), tensor: tensor.into(), reason: reason.into() }
}

/// Refuses NaN and infinity. The sum shows them in one pass; only a sum that is not finite is looked at again.
pub(crate) fn check_finite(path: &Path, name: &str, tensor: &Tensor) -> Result<(), ModelError> {
    if tensor.f_sum(Kind::Float)?.f_double_value(&[])?.is_finite() {
        return Ok(());
    }
    if tensor.f_isfinite()?.f_all()?.f_int64_value(&[])? == 0 {
        return Err(fault(path, name, "holds NaN or infinity"));
    }
    Ok(())
}

/// Elements of a shape, if they and their bytes can be counted.
pub(crate) fn elements(path: &Path, name: &str, shape: &[usize]) -> Result<usize, ModelError> {
    shape
        .iter()
        .try_fold(1usize, |product, size| product.checked_mul(*size))
        .ok_or_else(|| files::corrupt(path, format!("tensor `{name}`: shape {shape:?} overflows")))
}

#[cfg(test)]
mod tests;
