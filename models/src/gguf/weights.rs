//! The tensors of a GGUF file under Hugging Face's names, for the architectures.
//!
//! Stored blocks are handed to packed kernels as they are where those can hold them exactly ([`crate::quant`]);
//! everything else goes through floating point.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use tch::{Kind, Tensor};

use super::names::{Architecture, Layout, paired_row};
use super::quant::GgmlType;
use super::rope::ROPE_FACTORS;
use super::{Gguf, TensorInfo};
use crate::ModelError;
use crate::inspect;
use crate::nn::Linear;
use crate::options::Dtype;
use crate::quant::{Groups, Int4, Int8};
use crate::torch::dim;
use crate::weights::{Rows, Target, WeightSource, check_finite, fault};

/// See the module.
#[derive(Debug)]
pub(crate) struct GgufSource {
    file: Gguf,
    architecture: Architecture,
    /// Hugging Face's name to the tensor's place in the file's directory. A tensor without such a name keeps its own.
    names: BTreeMap<String, usize>,
    taken: BTreeSet<String>,
    heads: Heads,
    /// Of each tensor, in Hugging Face's form.
    shapes: Vec<Vec<usize>>,
}

#[derive(Debug, Clone, Copy)]
struct Heads {
    queries: usize,
    keys: usize,
}

impl GgufSource {
    pub(crate) fn new(file: Gguf) -> Result<Self, ModelError> {
        let path = file.path().to_path_buf();
        let architecture = file.architecture().map_err(|error| error.at(&path))?;
        let names = file.tensors().iter().enumerate().filter(|(_, tensor)| tensor.name != ROPE_FACTORS);
        let names = names
            .map(|(place, tensor)| {
                let name = architecture.name(&tensor.name);
                (name.unwrap_or_else(|| tensor.name.clone()), place)
            })
            .collect();
        let count = |name: &str| file.unsigned(&format!("{}.attention.{name}", architecture.prefix()));
        let queries = count("head_count").map_err(|error| error.at(&path))?.unwrap_or(1);
        let keys = count("head_count_kv").map_err(|error| error.at(&path))?.unwrap_or(queries);
        let whole = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        let heads = Heads { queries: whole(queries), keys: whole(keys) };
        let shapes = file.tensors().iter().map(|tensor| shape(architecture, tensor)).collect();
        Ok(Self { file, architecture, names, taken: BTreeSet::new(), heads, shapes })
    }

    fn find(&self, name: &str) -> Result<&TensorInfo, ModelError> {
        let place = self.names.get(name).ok_or_else(|| fault(self.file.path(), name, "missing"))?;
        Ok(&self.file.tensors()[*place])
    }

    pub(super) fn file(&self) -> &Gguf {
        &self.file
    }

    pub(super) const fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// Every tensor that an architecture could ask for: its name and its place.
    pub(super) fn places(&self) -> impl Iterator<Item = (&str, usize)> {
        self.names.iter().map(|(name, place)| (name.as_str(), *place))
    }

    /// Shape of a tensor in Hugging Face's form.
    pub(super) fn shape_of(&self, place: usize) -> &[usize] {
        &self.shapes[place]
    }

    /// A tensor's values in Hugging Face's order.
    pub(super) fn values_of(&self, place: usize) -> Vec<f32> {
        let tensor = &self.file.tensors()[place];
        let mut values = vec![0.0; tensor.shape.iter().product()];
        // A tensor whose rows are not whole heads has been refused before.
        tensor.kind.dequantize(&self.ordered(tensor).unwrap_or_default(), &mut values);
        if self.architecture.layout(&tensor.name) != Layout::Transposed {
            return values;
        }
        let (rows, columns) = (tensor.shape[0], tensor.shape[1]);
        (0..columns)
            .flat_map(|column| (0..rows).map(move |row| row * columns + column))
            .map(|at| values[at])
            .collect()
    }

    /// The tensor of one part of a linear layer: in a file all of them are `[outputs, inputs]`, also those that Hugging Face
    /// keeps the other way round.
    fn stored(&self, part: &Rows) -> Result<&TensorInfo, ModelError> {
        let tensor = self.find(&part.weight)?;
        let expected = [part.outputs, part.inputs];
        if tensor.shape == expected {
            return Ok(tensor);
        }
        let reason = format!("shape {:?}, expected {expected:?}", tensor.shape);
        Err(fault(self.file.path(), &tensor.name, reason))
    }

    /// Rows of one head, if the file has them in rotary pairs.
    pub(super) fn pairs(&self, tensor: &TensorInfo) -> Result<Option<usize>, ModelError> {
        let heads = match self.architecture.layout(&tensor.name) {
            Layout::Queries => self.heads.queries,
            Layout::Keys => self.heads.keys,
            Layout::Same | Layout::Transposed => return Ok(None),
        };
        let rows = tensor.shape[0];
        let width = rows.checked_div(heads).filter(|width| *width > 0 && width * heads == rows);
        match width.filter(|width| width.is_multiple_of(2)) {
            Some(width) => Ok(Some(width)),
            None => Err(fault(self.file.path(), &tensor.name, format!("{rows} rows for {heads} heads"))),
        }
    }

    /// The tensor's bytes with its rows in Hugging Face's order.
    fn ordered(&self, tensor: &TensorInfo) -> Result<std::borrow::Cow<'_, [u8]>, ModelError> {
        let stored = self.file.bytes(tensor);
        let Some(width) = self.pairs(tensor)? else { return Ok(stored.into()) };
        let row = stored.len() / tensor.shape[0];
        let mut bytes = Vec::with_capacity(stored.len());
        for place in 0..tensor.shape[0] {
            let from = paired_row(place, width) * row;
            bytes.extend_from_slice(&stored[from..from + row]);
        }
        Ok(bytes.into())
    }

    fn check(&self, tensor: &TensorInfo, expected: &[usize]) -> Result<(), ModelError> {
        let found = shape(self.architecture, tensor);
        if found == expected {
            return Ok(());
        }
        Err(fault(self.file.path(), &tensor.name, format!("shape {found:?}, expected {expected:?}")))
    }

    fn floats(&self, tensor: &TensorInfo) -> Result<Tensor, ModelError> {
        let bytes = self.ordered(tensor)?;
        let dims: Vec<i64> = tensor.shape.iter().map(|size| dim(*size)).collect();
        let kind = match tensor.kind {
            GgmlType::F32 => Kind::Float,
            GgmlType::F16 => Kind::Half,
            GgmlType::BF16 => Kind::BFloat16,
            quantised => {
                let mut values = vec![0.0; tensor.shape.iter().product()];
                quantised.dequantize(&bytes, &mut values);
                return Ok(Tensor::f_from_slice(&values)?.f_view(dims.as_slice())?);
            }
        };
        Ok(Tensor::f_from_data_size(&bytes, &dims, kind)?)
    }
}

impl WeightSource for GgufSource {
    fn tensors(&self) -> Vec<inspect::TensorInfo> {
        self.names
            .iter()
            .map(|(name, place)| {
                let tensor = &self.file.tensors()[*place];
                let dtype = tensor.kind.to_string().to_lowercase();
                inspect::TensorInfo { name: name.clone(), shape: tensor.shape.clone(), dtype }
            })
            .collect()
    }

    fn has(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    fn take(&mut self, name: &str, shape: &[usize]) -> Result<Tensor, ModelError> {
        let tensor = self.find(name)?;
        self.check(tensor, shape)?;
        let values = self.floats(tensor)?;
        let transposed = self.architecture.layout(&tensor.name) == Layout::Transposed;
        self.taken.insert(name.to_owned());
        Ok(if transposed { values.f_transpose(0, 1)?.f_contiguous()? } else { values })
    }

    fn packed(
        &mut self,
        rows: &[Rows],
        bias: Option<&Tensor>,
        to: &Target,
    ) -> Result<Option<Linear>, ModelError> {
        if to.dtype != Dtype::Int4 {
            return Ok(None);
        }
        let tensors = rows.iter().map(|part| self.stored(part)).collect::<Result<Vec<_>, _>>()?;
        let inputs = rows.first().map_or(0, |part| part.inputs);
        let outputs = rows.iter().map(|part| part.outputs).sum();
        let layer = if tensors.iter().all(|tensor| Groups::accepts(tensor.kind, inputs))
            && Int4::fits(outputs, inputs)
        {
            let mut groups = Groups::default();
            for (tensor, part) in tensors.iter().zip(rows) {
                if !groups.push(tensor.kind, &self.ordered(tensor)?) {
                    return Err(fault(self.file.path(), &part.weight, "holds NaN or infinity"));
                }
            }
            Linear::Int4(groups.pack(outputs, inputs, bias, to)?)
        } else if tensors.iter().all(|tensor| tensor.kind.is_quantised()) {
            // Whoever made the file gave these tensors more than four bits, so they keep more: eight.
            let values = |(tensor, part): (&&TensorInfo, &Rows)| {
                let values = self.floats(tensor)?;
                check_finite(self.file.path(), &part.weight, &values)?;
                Ok(values)
            };
            let parts = tensors.iter().zip(rows).map(values).collect::<Result<Vec<_>, ModelError>>()?;
            let weight = Tensor::f_cat(&parts, 0)?;
            Linear::Int8(Int8::quantise(&weight, bias.map(Tensor::shallow_clone), to)?)
        } else {
            return Ok(None);
        };
        self.taken.extend(rows.iter().map(|part| part.weight.clone()));
        Ok(Some(layer))
    }

    fn unused(&self) -> Vec<String> {
        self.names.keys().filter(|name| !self.taken.contains(*name)).cloned().collect()
    }

    fn path(&self, _name: &str) -> PathBuf {
        self.file.path().to_path_buf()
    }
}

/// A tensor's shape in Hugging Face's form.
fn shape(architecture: Architecture, tensor: &TensorInfo) -> Vec<usize> {
    let mut shape = tensor.shape.clone();
    if architecture.layout(&tensor.name) == Layout::Transposed {
        shape.reverse();
    }
    shape
}

#[cfg(test)]
mod tests;
