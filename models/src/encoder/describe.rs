//! What is in the folder of an encoder, for `inspect`.

use std::path::Path;

use super::modules::Modules;
use super::{Encoder, MAX_CONFIG_BYTES};
use crate::inspect::{Inspection, TensorInfo, Tokenization};
use crate::weights::WeightSource as _;
use crate::weights::safetensors::SafeTensorsSource;
use crate::{LoadOptions, ModelError, ModelInfo, files, hf};

/// Loads an encoder and describes it. Its parameters are those that a vector is computed with: heads for other tasks are
/// among the tensors of some files, and are not counted.
pub(crate) fn describe(folder: &Path, options: &LoadOptions) -> Result<Inspection, ModelError> {
    let encoder = Encoder::load(folder, options)?;
    let modules = Modules::read(folder)?;
    let config = files::read(&modules.network.join("config.json"), MAX_CONFIG_BYTES)?;
    let network = SafeTensorsSource::open(&modules.network, options.max_file_bytes)?;
    let mut tensors = network.tensors();
    let mut parameters = encoder.network.parameters();
    let mut sources = vec![network];
    for dense in modules.dense() {
        let source = SafeTensorsSource::open(dense, options.max_file_bytes)?;
        let shown = dense.file_name().unwrap_or_default().to_string_lossy();
        for tensor in source.tensors() {
            parameters += tensor.shape.iter().product::<usize>() as u64;
            tensors.push(TensorInfo { name: format!("{shown}/{}", tensor.name), ..tensor });
        }
        sources.push(source);
    }
    let weights = || sources.iter().flat_map(SafeTensorsSource::files);
    let tokenizer = encoder.tokenizer();
    let info = ModelInfo {
        name: encoder.name.clone(),
        architecture: "bert".into(),
        format: "safetensors".into(),
        parameters,
        vocab: u32::try_from(encoder.network.vocab()).unwrap_or(u32::MAX),
        context: encoder.context(),
        digest: hf::digest(std::iter::once(config.as_slice()).chain(weights())),
        tokenizer: if tokenizer.is_some() { "tokenizer.json" } else { "none" }.into(),
    };
    Ok(Inspection {
        info,
        file_bytes: weights().map(|file| file.len() as u64).sum(),
        tensors,
        memory: None,
        vector: Some(encoder.width()),
        tokenization: tokenizer.map(Tokenization::of),
        tokenizer_fault: None,
        card: serde_json::Value::Null,
    })
}
