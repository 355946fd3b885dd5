//! A byte GPT as a TorchScript file, by tracing.
//!
//! The weights stay in f16 inside the file and become f32 in each call, so that the file is as small as the original
//! and the arithmetic the same. The trace accepts any batch and any length up to the window.

use std::path::Path;

use tch::{CModule, Kind, Tensor};

use super::{ScriptConfig, config_path};
use crate::gpt::{BEGIN, GptModel};
use crate::torch::ids;
use crate::{LanguageModel, ModelError, Token, files};

/// Traces a model and writes `path` (a `.pt`) and its description beside it (a `.json`).
///
/// # Errors
/// A failure of the engine, or what the operating system refuses.
pub fn export(model: &GptModel, name: &str, path: &Path) -> Result<(), ModelError> {
    let _guard = tch::no_grad_guard();
    let half = model.gpt().map(&|weight| weight.f_to_kind(Kind::Half))?;
    // Any shape would do: no size of the input is written into the trace.
    let sample: Vec<Token> = vec![BEGIN; 8];
    let input = ids(&[&sample, &sample], sample.len())?;
    let mut failure = None;
    let mut forward = |inputs: &[Tensor]| {
        let logits =
            half.map(&|weight| weight.f_to_kind(Kind::Float)).and_then(|network| network.logits(&inputs[0]));
        // The tracer has no way to fail: it gets an empty tensor, and the error is reported below.
        vec![logits.unwrap_or_else(|error| {
            failure = Some(error);
            Tensor::new()
        })]
    };
    let module = CModule::create_by_tracing("Gpt", "forward", &[input], &mut forward)?;
    if let Some(error) = failure {
        return Err(error.into());
    }
    module.save(path)?;
    let config = ScriptConfig {
        name: name.into(),
        context: model.info().context,
        begin: BEGIN,
        parameters: model.info().parameters,
    };
    let text = serde_json::to_string_pretty(&config)
        .map_err(|error| files::corrupt(path, format!("cannot write its description: {error}")))?;
    files::write(&config_path(path), format!("{text}\n").as_bytes())
}
