//! A GGUF file as a model.

use std::path::Path;

use serde_json::Value;

use super::Gguf;
use super::weights::GgufSource;
use crate::engine::DecoderModel;
use crate::files::Digest;
use crate::hf::Parts;
use crate::{LoadOptions, ModelError};

/// Loads a file.
pub(crate) fn load(path: &Path, options: &LoadOptions) -> Result<DecoderModel, ModelError> {
    let file = Gguf::open(path, options.max_file_bytes)?;
    let config = file.config().map_err(|error| error.at(path))?;
    let name = file.text("general.name").map_err(|error| error.at(path))?;
    let stem = || path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut parts = Parts {
        path,
        name: name.map_or_else(stem, str::to_owned),
        format: "gguf",
        tokenizer: if file.has_tokenizer().is_ok_and(|has| has) { "gguf" } else { "none" },
        config: &config,
        generation: Value::Null,
        digest: Digest::of(file.whole()),
        source: &mut GgufSource::new(file.clone())?,
    };
    parts.load(options)
}
