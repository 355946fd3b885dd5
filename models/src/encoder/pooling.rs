//! From one vector a token to one a text, as the files of sentence-transformers say.

use std::path::Path;

use serde_json::Value;
use tch::{TchError, Tensor};

use crate::arch::config::unsupported;
use crate::{ModelError, files};

const MAX_FILE_BYTES: u64 = 1 << 20;
/// Keeps the mean and the length away from a division by zero; both are sentence-transformers' own.
const SMALLEST_COUNT: f64 = 1e-9;
const SMALLEST_LENGTH: f64 = 1e-12;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Mean,
    First,
}

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pooling {
    mode: Mode,
    normalise: bool,
    /// Most tokens of a text, where the files bound them.
    pub(super) most_tokens: Option<usize>,
}

impl Pooling {
    /// Reads what lies beside the network; without anything it is the normalised mean.
    pub(super) fn read(folder: &Path) -> Result<Self, ModelError> {
        let path = folder.join("1_Pooling/config.json");
        let mode = match read(&path)? {
            Some(config) => mode(&path, &config)?,
            None => Mode::Mean,
        };
        let modules = read(&folder.join("modules.json"))?;
        let normalise = modules.as_ref().and_then(Value::as_array).is_none_or(|modules| {
            let kind = |module: &Value| module.get("type").and_then(Value::as_str).map(str::to_owned);
            modules.iter().filter_map(kind).any(|kind| kind.ends_with("Normalize"))
        });
        let bounds = read(&folder.join("sentence_bert_config.json"))?;
        let most = bounds.as_ref().and_then(|bounds| bounds.get("max_seq_length")).and_then(Value::as_u64);
        let most_tokens = most.and_then(|most| usize::try_from(most).ok()).filter(|most| *most > 1);
        Ok(Self { mode, normalise, most_tokens })
    }

    /// `hidden` `[texts, tokens, width]` with `real` `[texts, tokens]`, 1 for a token and 0 for padding.
    pub(super) fn apply(&self, hidden: &Tensor, real: &Tensor) -> Result<Tensor, TchError> {
        let pooled = match self.mode {
            Mode::First => hidden.f_select(1, 0)?,
            Mode::Mean => {
                let weights = real.f_unsqueeze(1)?;
                let count = real.f_sum_dim_intlist([1i64].as_slice(), true, tch::Kind::Float)?;
                weights.f_matmul(hidden)?.f_squeeze_dim(1)?.f_div(&count.f_clamp_min(SMALLEST_COUNT)?)?
            }
        };
        if !self.normalise {
            return Ok(pooled);
        }
        let length = pooled.f_norm_scalaropt_dim(2.0, [1i64].as_slice(), true)?;
        pooled.f_div(&length.f_clamp_min(SMALLEST_LENGTH)?)
    }
}

fn mode(path: &Path, config: &Value) -> Result<Mode, ModelError> {
    let on = |field: &str| config.get(field).and_then(Value::as_bool).unwrap_or(false);
    // Newer files name the mode, older ones have a switch for each.
    if let Some(named) = config.get("pooling_mode").and_then(Value::as_str) {
        return match named {
            "mean" => Ok(Mode::Mean),
            "cls" => Ok(Mode::First),
            other => Err(unsupported(path, "pooling_mode", other, "mean, cls")),
        };
    }
    match (on("pooling_mode_mean_tokens"), on("pooling_mode_cls_token")) {
        (true, false) => Ok(Mode::Mean),
        (false, true) => Ok(Mode::First),
        _ => Err(unsupported(path, "pooling_mode", "another or several", "mean, cls")),
    }
}

fn read(path: &Path) -> Result<Option<Value>, ModelError> {
    if !path.exists() {
        return Ok(None);
    }
    let text = files::read(path, MAX_FILE_BYTES)?;
    serde_json::from_slice(&text).map(Some).map_err(|error| files::corrupt(path, error.to_string()))
}
