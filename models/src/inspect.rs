//! What is in a model file.

use std::path::Path;

use serde::Serialize;

use crate::{LoadOptions, ModelError, ModelInfo, load};

/// One tensor of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TensorInfo {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its type, in the words of the format.
    pub dtype: String,
}

/// A model file, described.
#[derive(Debug, Clone, Serialize)]
pub struct Inspection {
    /// What the model is.
    #[serde(flatten)]
    pub info: ModelInfo,
    /// Size of the file in bytes.
    pub file_bytes: u64,
    /// Its tensors, where the format names them.
    pub tensors: Vec<TensorInfo>,
    /// The card in the file, where there is one.
    pub card: serde_json::Value,
}

/// Loads a model and describes it.
///
/// # Errors
/// What is wrong with the file.
pub fn inspect(path: &Path, options: &LoadOptions) -> Result<Inspection, ModelError> {
    let info = load(path, options)?.info().clone();
    let file_bytes = std::fs::metadata(path).map_err(|error| crate::files::io(path, &error))?.len();
    let (tensors, card) = contents(path, options, &info)?;
    Ok(Inspection { info, file_bytes, tensors, card })
}

#[cfg(feature = "libtorch")]
fn contents(
    path: &Path,
    options: &LoadOptions,
    info: &ModelInfo,
) -> Result<(Vec<TensorInfo>, serde_json::Value), ModelError> {
    if info.architecture != "gpt-bytes" {
        return Ok((Vec::new(), serde_json::Value::Null));
    }
    let model = crate::gpt::GptModel::read(path, options.max_file_bytes)?;
    let tensors = model.config().tensors().into_iter();
    let tensors = tensors.map(|(name, shape)| TensorInfo { name, shape, dtype: "f16".into() }).collect();
    Ok((tensors, model.card().clone()))
}

#[cfg(not(feature = "libtorch"))]
fn contents(
    _: &Path,
    _: &LoadOptions,
    _: &ModelInfo,
) -> Result<(Vec<TensorInfo>, serde_json::Value), ModelError> {
    Ok((Vec::new(), serde_json::Value::Null))
}
