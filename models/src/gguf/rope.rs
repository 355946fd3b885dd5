//! Rotary scaling of a GGUF file as Hugging Face's `rope_scaling`.
//!
//! Three things in a file stretch the angles: a tensor of divisors, `rope.scaling.*`, and the older `rope.scale_linear`.
//! Source of what they mean: llama.cpp. Two keys that its converter writes for YaRN (`yarn_attn_factor`, `yarn_beta_*`)
//! and that it does not read for these architectures are followed here, as in the network that was converted.

use serde_json::{Value, json};

use super::config::{object, shortest};
use super::{Gguf, GgufError};

/// Tensor of frequency factors that Llama 3.1's rope scaling is converted to.
pub(super) const ROPE_FACTORS: &str = "rope_freqs.weight";

/// The scaling, if the file has one. `key` gives the architecture's name of a metadata entry.
pub(super) fn scaling(file: &Gguf, key: &impl Fn(&str) -> String) -> Result<Option<Value>, GgufError> {
    // A type that is not there is linear, one that is called `none` switches the factor off.
    let kind = file.text(&key("rope.scaling.type"))?.unwrap_or("linear");
    let factor = match file.number(&key("rope.scaling.factor"))? {
        Some(factor) => Some(factor),
        None => file.number(&key("rope.scale_linear"))?,
    };
    let factor = factor.filter(|factor| *factor != 0.0);
    let scales = kind != "none" && factor.is_some_and(|factor| factor != 1.0);
    let attention = file.number(&key("rope.scaling.attn_factor"))?.unwrap_or(1.0);
    if attention != 1.0 && kind != "yarn" {
        let reason = format!("{attention}, but only yarn scales what it is multiplied with");
        return Err(GgufError::key(&key("rope.scaling.attn_factor"), reason));
    }
    if file.tensor(ROPE_FACTORS).is_some() {
        if scales {
            let reason = format!("`{kind}` and a {ROPE_FACTORS} tensor; one of them is read");
            return Err(GgufError::key(&key("rope.scaling.type"), reason));
        }
        return divisors(file, key).map(Some);
    }
    match (kind, factor) {
        ("none", _) | ("linear", None) => Ok(None),
        ("linear", Some(_)) if !scales => Ok(None),
        ("linear", Some(factor)) => Ok(Some(json!({ "rope_type": "linear", "factor": shortest(factor) }))),
        ("yarn", Some(factor)) => yarn(file, key, shortest(factor), attention).map(Some),
        (kind, None) => Err(GgufError::key(&key("rope.scaling.factor"), format!("missing, for `{kind}`"))),
        (kind, _) => {
            let reason = format!("`{kind}` is not read; none, linear, yarn and a {ROPE_FACTORS} tensor are");
            Err(GgufError::key(&key("rope.scaling.type"), reason))
        }
    }
}

/// The file keeps only what the scaling did to each frequency. Hugging Face's form of that is `longrope` with the same
/// factors at every length and an attention that is not scaled.
fn divisors(file: &Gguf, key: &impl Fn(&str) -> String) -> Result<Value, GgufError> {
    let Some(tensor) = file.tensor(ROPE_FACTORS) else { return Ok(Value::Null) };
    let mut factors = vec![0.0; tensor.shape.iter().product()];
    tensor.kind.dequantize(file.bytes(tensor), &mut factors);
    if !factors.iter().all(|factor| factor.is_finite() && *factor > 0.0) {
        return Err(GgufError::tensor(ROPE_FACTORS, "holds a factor that is not above 0"));
    }
    let factors: Vec<f64> = factors.into_iter().map(|factor| shortest(factor.into())).collect();
    Ok(json!({
        "rope_type": "longrope",
        "short_factor": factors,
        "long_factor": factors,
        "attention_factor": 1.0,
        "factor": 1.0,
        "original_max_position_embeddings": file.unsigned(&key("context_length"))?,
    }))
}

fn yarn(file: &Gguf, key: &impl Fn(&str) -> String, factor: f64, attention: f64) -> Result<Value, GgufError> {
    let mut scaling = object(json!({ "rope_type": "yarn", "factor": factor }));
    if let Some(original) = file.unsigned(&key("rope.scaling.original_context_length"))? {
        scaling.insert("original_max_position_embeddings".into(), json!(original));
    }
    for name in ["beta_fast", "beta_slow"] {
        if let Some(value) = file.number(&key(&format!("rope.scaling.yarn_{name}")))? {
            scaling.insert(name.into(), json!(shortest(value)));
        }
    }
    let own = file.number(&key("rope.scaling.yarn_attn_factor"))?;
    if own.is_some() || attention != 1.0 {
        let usual = if factor <= 1.0 { 1.0 } else { 0.1 * factor.ln() + 1.0 };
        scaling
            .insert("attention_factor".into(), json!(shortest(own.unwrap_or(usual)) * shortest(attention)));
    }
    Ok(Value::Object(scaling))
}
