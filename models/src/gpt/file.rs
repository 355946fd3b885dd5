//! The byte GPT on disk: safetensors in f16, with the configuration and the model card in the file's metadata.
//!
//! The metadata has one key, `acumen`, whose value is JSON: several keys would be written in random order, and the file's
//! digest must depend on its contents alone. Reading trusts nothing: the header, the configuration, and every tensor's
//! presence, shape, type and finiteness are checked, and an error names the tensor.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::rc::Rc;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::{BEGIN, Gpt, GptConfig, VOCAB, session, shape};
use crate::files::{self, Digest};
use crate::model::check_documents;
use crate::torch::dim;
use crate::{LanguageModel, ModelError, ModelInfo, Positions, Session, Token, score};

/// The metadata key, and the version of what stands under it.
const KEY: &str = "acumen";
const VERSION: u32 = 1;

/// What the metadata says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u32,
    name: String,
    config: GptConfig,
    card: serde_json::Value,
}

/// A byte GPT read from a file.
#[derive(Debug)]
pub struct GptModel {
    info: ModelInfo,
    gpt: Rc<Gpt>,
    card: serde_json::Value,
}

impl GptModel {
    /// Reads a file of at most `limit` bytes.
    ///
    /// # Errors
    /// What is wrong with the file, by name.
    pub fn read(path: &Path, limit: u64) -> Result<Self, ModelError> {
        let bytes = files::read(path, limit)?;
        let file = SafeTensors::deserialize(&bytes)
            .map_err(|error| files::corrupt(path, format!("not a safetensors file: {error}")))?;
        let header = header(path, &bytes)?;
        let wanted = header.config.tensors();
        if let Some(name) = file.names().into_iter().find(|name| wanted.iter().all(|(w, _)| w != name)) {
            return Err(fault(path, name, "this architecture has no such tensor"));
        }
        let gpt = Gpt::new(header.config, &mut |name| {
            let expected = wanted.iter().find(|(wanted, _)| wanted == name);
            let expected = expected.map_or(&[][..], |(_, shape)| shape);
            tensor(path, &file, name, expected)
        })?;
        let info = ModelInfo {
            name: header.name,
            architecture: "gpt-bytes".into(),
            format: "safetensors".into(),
            parameters: header.config.parameters(),
            vocab: VOCAB,
            context: header.config.context,
            digest: Digest::of(&bytes),
            tokenizer: "bytes".into(),
        };
        Ok(Self { info, gpt: Rc::new(gpt), card: header.card })
    }

    /// The shape of the network.
    #[must_use]
    pub fn config(&self) -> GptConfig {
        self.gpt.config
    }

    /// The model card in the file.
    #[must_use]
    pub fn card(&self) -> &serde_json::Value {
        &self.card
    }

    pub(crate) fn gpt(&self) -> &Rc<Gpt> {
        &self.gpt
    }
}

impl LanguageModel for GptModel {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn open(&self, contexts: &[Vec<Token>]) -> Result<Box<dyn Session>, ModelError> {
        Ok(Box::new(session::open(&self.gpt, contexts)?))
    }

    fn logits(
        &self,
        tokens: &[Token],
        positions: Positions,
        each: &mut dyn FnMut(usize, &[f32]) -> ControlFlow<()>,
    ) -> Result<(), ModelError> {
        check_documents(&[tokens.to_vec()], VOCAB)?;
        score::raw(&|ids| self.gpt.logits(ids), (BEGIN, self.gpt.config.context), tokens, positions, each)
    }

    fn score(&self, documents: &[Vec<Token>]) -> Result<Vec<Vec<f32>>, ModelError> {
        check_documents(documents, VOCAB)?;
        score::documents(&|ids| self.gpt.logits(ids), BEGIN, self.gpt.config.context, documents)
    }
}

fn header(path: &Path, bytes: &[u8]) -> Result<Header, ModelError> {
    let (_, metadata) = SafeTensors::read_metadata(bytes)
        .map_err(|error| files::corrupt(path, format!("not a safetensors file: {error}")))?;
    let text = metadata
        .metadata()
        .as_ref()
        .and_then(|entries| entries.get(KEY))
        .ok_or_else(|| files::corrupt(path, format!("its metadata has no `{KEY}` entry")))?;
    let header: Header = serde_json::from_str(text)
        .map_err(|error| files::corrupt(path, format!("metadata `{KEY}`: {error}")))?;
    if header.version != VERSION {
        let reason = format!("version {} of its metadata; this build reads {VERSION}", header.version);
        return Err(files::corrupt(path, reason));
    }
    header.config.check().map_err(|error| files::corrupt(path, error.to_string()))?;
    Ok(header)
}

fn fault(path: &Path, tensor: &str, reason: impl Into<String>) -> ModelError {
    ModelError::Tensor { path: path.into(), tensor: tensor.into(), reason: reason.into() }
}

fn tensor(path: &Path, file: &SafeTensors<'_>, name: &str, expected: &[usize]) -> Result<Tensor, ModelError> {
    let view = file.tensor(name).map_err(|_| fault(path, name, "missing"))?;
    if view.shape() != expected {
        let reason = format!("shape {:?}, expected {expected:?}", view.shape());
        return Err(fault(path, name, reason));
    }
    let kind = match view.dtype() {
        Dtype::F16 => Kind::Half,
        Dtype::BF16 => Kind::BFloat16,
        Dtype::F32 => Kind::Float,
        other => return Err(fault(path, name, format!("type {other:?}; use F16, BF16 or F32"))),
    };
    let dims: Vec<i64> = expected.iter().map(|size| dim(*size)).collect();
    let tensor = Tensor::f_from_data_size(view.data(), &dims, kind)?.f_to_kind(Kind::Float)?;
    if tensor.f_isfinite()?.f_all()?.f_int64_value(&[])? == 0 {
        return Err(fault(path, name, "holds NaN or infinity"));
    }
    Ok(tensor)
}

/// Writes weights in f16 with their configuration and card. `weights` has exactly the tensors of the configuration.
///
/// # Errors
/// A weight that is missing, of another shape or beyond f16, and what the operating system refuses.
pub fn write(
    path: &Path,
    name: &str,
    config: GptConfig,
    card: serde_json::Value,
    weights: &[(String, Tensor)],
) -> Result<(), ModelError> {
    let header = Header { version: VERSION, name: name.into(), config, card };
    let header = serde_json::to_string(&header)
        .map_err(|error| files::corrupt(path, format!("cannot write its metadata: {error}")))?;
    let mut parts = Vec::new();
    for (name, expected) in config.tensors() {
        let (_, tensor) =
            weights.iter().find(|(given, _)| *given == name).ok_or_else(|| fault(path, &name, "missing"))?;
        if shape(tensor) != expected {
            return Err(fault(path, &name, format!("shape {:?}, expected {expected:?}", tensor.size())));
        }
        parts.push((name, expected, half_bytes(tensor)?));
    }
    let views = parts
        .iter()
        .map(|(name, shape, bytes)| Ok((name, TensorView::new(Dtype::F16, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
        .and_then(|views| safetensors::serialize(views, Some(HashMap::from([(KEY.to_owned(), header)]))))
        .map_err(|error| files::corrupt(path, format!("cannot be written: {error}")))?;
    files::write(path, &views)
}

fn half_bytes(tensor: &Tensor) -> Result<Vec<u8>, ModelError> {
    let half = tensor.f_detach()?.f_to_kind(Kind::Half)?.f_contiguous()?;
    let count = half.numel();
    let mut bytes = vec![0; 2 * count];
    half.f_copy_data_u8(&mut bytes, count)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
