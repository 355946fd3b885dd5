//! What architectures need to read `config.json`: bounds, and errors that name the field.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{ModelError, files};

/// Bounds on sizes from an untrusted file, far above any model that fits one machine: they keep products from
/// overflowing before the tensors' own shapes are checked.
pub(crate) const MAX_LAYERS: usize = 1 << 10;
pub(crate) const MAX_WIDTH: usize = 1 << 20;
pub(crate) const MAX_VOCAB: usize = 1 << 24;
pub(crate) const MAX_CONTEXT: usize = 1 << 24;

/// Reads the fields of `T`; what it does not name is ignored, as transformers does.
pub(crate) fn read<T: DeserializeOwned>(path: &Path, config: &Value) -> Result<T, ModelError> {
    serde_json::from_value(config.clone()).map_err(|error| files::corrupt(path, error.to_string()))
}

/// Refuses a number outside its bounds.
pub(crate) fn bounded(
    path: &Path,
    field: &str,
    value: usize,
    least: usize,
    most: usize,
) -> Result<(), ModelError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(files::corrupt(path, format!("`{field}` {value} is not between {least} and {most}")))
}

/// Refuses what this build does not implement, by name.
pub(crate) fn unsupported(path: &Path, field: &str, found: &str, known: &str) -> ModelError {
    ModelError::Unsupported {
        path: path.into(),
        field: field.into(),
        found: found.into(),
        known: known.into(),
    }
}
