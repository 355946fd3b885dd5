//! The tensors of a GGUF file under Hugging Face's names, for the architectures.
//!
//! Stored blocks are handed to packed kernels as they are where those can hold them exactly ([`crate::quant`]);
//! everything else goes through floating point.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use tch::{Kind, Tensor};

use super::config::ROPE_FACTORS;
use super::names::{Architecture, Layout, paired_row};
use super::quant::GgmlType;
use super::{Gguf, TensorInfo};
use crate::inspect;
use crate::options::Dtype;
use crate::nn::Linear;
use crate::torch::dim;
use crate::weights::{Rows, Target, WeightSource, fault};
use crate::ModelError;
use crate::quant::{Groups, Int4};

/// See the module.
#[derive(Debug)]
pub(crate) struct GgufSource {
    file: Gguf,
    architecture: Architecture,
    /// Hugging Face's name to the tensor's place in the file's directory. A tensor without such a name keeps its own.
    names: BTreeMap<String, usize>,
    taken: BTreeSet<String>,
    heads: Heads,
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
        Ok(Self { file, architecture, names, taken: BTreeSet::new(), heads })
    }

    fn find(&self, name: &str) -> Result<&TensorInfo, ModelError> {
        let place = self.names.get(name).ok_or_else(|| fault(self.file.path(), name, "missing"))?;
        Ok(&self.file.tensors()[*place])
    }

    /// Rows of one head, if the file has them in rotary pairs.
    fn pairs(&self, tensor: &TensorInfo) -> Result<Option<usize>, ModelError> {
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

    /// Shape in Hugging Face's form.
    fn shape(&self, tensor: &TensorInfo) -> Vec<usize> {
        let mut shape = tensor.shape.clone();
        if self.architecture.layout(&tensor.name) == Layout::Transposed {
            shape.reverse();
        }
        shape
    }

    fn check(&self, tensor: &TensorInfo, expected: &[usize]) -> Result<(), ModelError> {
        let found = self.shape(tensor);
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
                inspect::TensorInfo { name: name.clone(), shape: self.shape(tensor), dtype }
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

    fn packed(&mut self, rows: &[Rows], bias: Option<&Tensor>, to: &Target) -> Result<Option<Linear>, ModelError> {
        let inputs = rows.first().map_or(0, |part| part.inputs);
        let outputs = rows.iter().map(|part| part.outputs).sum();
        if to.dtype != Dtype::Int4 || !Int4::fits(outputs, inputs) {
            return Ok(None);
        }
        for part in rows {
            let tensor = self.find(&part.weight)?;
            if tensor.shape != [part.outputs, inputs] || !Groups::accepts(tensor.kind, inputs) {
                return Ok(None);
            }
        }
        let mut groups = Groups::default();
        for part in rows {
            let tensor = self.find(&part.weight)?;
            groups.push(tensor.kind, &self.ordered(tensor)?);
        }
        self.taken.extend(rows.iter().map(|part| part.weight.clone()));
        Ok(Some(Linear::Int4(groups.pack(outputs, inputs, bias, to)?)))
    }

    fn unused(&self) -> Vec<String> {
        self.names.keys().filter(|name| !self.taken.contains(*name)).cloned().collect()
    }

    fn path(&self, _name: &str) -> PathBuf {
        self.file.path().to_path_buf()
    }
}
