//! Metadata as the `config.json` that Hugging Face's transformers would have for the same model, which is what the
//! architectures read.

use serde_json::{Map, Value, json};

use super::names::Architecture;
use super::rope;
use super::{Gguf, GgufError};

impl Gguf {
    pub(super) fn architecture(&self) -> Result<Architecture, GgufError> {
        const KEY: &str = "general.architecture";
        let name = self.text(KEY)?.ok_or_else(|| GgufError::key(KEY, "missing"))?;
        Architecture::parse(name).map_err(|reason| GgufError::key(KEY, reason))
    }

    /// The model's configuration in Hugging Face's form.
    ///
    /// # Errors
    /// A key that is missing, of another type, or that describes what no architecture here does.
    pub fn config(&self) -> Result<Value, GgufError> {
        let architecture = self.architecture()?;
        let mut config = match architecture {
            Architecture::Gpt2 => self.gpt2_config()?,
            Architecture::Llama | Architecture::Qwen2 => self.llama_config(architecture)?,
        };
        let id = |name: &str| self.unsigned(&format!("tokenizer.ggml.{name}_token_id"));
        for (ours, theirs) in [("bos_token_id", "bos"), ("pad_token_id", "padding")] {
            if let Some(id) = id(theirs)? {
                config.insert(ours.into(), json!(id));
            }
        }
        // The end of a text, of a turn and of a message: a model may stop at any.
        let mut ends: Vec<u64> = [id("eos")?, id("eot")?, id("eom")?].into_iter().flatten().collect();
        ends.dedup();
        match ends.as_slice() {
            [] => {}
            [one] => drop(config.insert("eos_token_id".into(), json!(one))),
            several => drop(config.insert("eos_token_id".into(), json!(several))),
        }
        Ok(Value::Object(config))
    }

    /// `ARCHITECTURE.name`, which must be there.
    fn required(&self, architecture: Architecture, name: &str) -> Result<u64, GgufError> {
        let key = format!("{}.{name}", architecture.prefix());
        self.unsigned(&key)?.ok_or_else(|| GgufError::key(&key, "missing"))
    }

    /// Rows of the embedding.
    fn vocabulary(&self) -> Result<usize, GgufError> {
        const NAME: &str = "token_embd.weight";
        let tensor = self.tensor(NAME).ok_or_else(|| GgufError::tensor(NAME, "missing"))?;
        match tensor.shape.as_slice() {
            [vocabulary, _] => Ok(*vocabulary),
            other => Err(GgufError::tensor(NAME, format!("shape {other:?}, expected two dimensions"))),
        }
    }

    fn llama_config(&self, architecture: Architecture) -> Result<Map<String, Value>, GgufError> {
        let prefix = architecture.prefix();
        let key = |name: &str| format!("{prefix}.{name}");
        if let Some(experts) = self.unsigned(&key("expert_count"))?.filter(|count| *count > 0) {
            return Err(GgufError::key(
                &key("expert_count"),
                format!("{experts} experts; none are read here"),
            ));
        }
        let width = self.required(architecture, "embedding_length")?;
        let heads = self.required(architecture, "attention.head_count")?;
        let kv_heads = self.unsigned(&key("attention.head_count_kv"))?.unwrap_or(heads);
        let head = match self.unsigned(&key("attention.key_length"))? {
            Some(length) => length,
            None => width.checked_div(heads).unwrap_or(0),
        };
        self.check_heads(&key, head)?;
        let epsilon = key("attention.layer_norm_rms_epsilon");
        let epsilon = self.number(&epsilon)?.ok_or_else(|| GgufError::key(&epsilon, "missing"))?;
        let (model_type, class) = match architecture {
            Architecture::Qwen2 => ("qwen2", "Qwen2ForCausalLM"),
            _ => ("llama", "LlamaForCausalLM"),
        };
        let mut config = object(json!({
            "architectures": [class],
            "model_type": model_type,
            "hidden_act": "silu",
            "hidden_size": width,
            "intermediate_size": self.required(architecture, "feed_forward_length")?,
            "num_hidden_layers": self.required(architecture, "block_count")?,
            "num_attention_heads": heads,
            "num_key_value_heads": kv_heads,
            "head_dim": head,
            "max_position_embeddings": self.required(architecture, "context_length")?,
            "rms_norm_eps": shortest(epsilon),
            "rope_theta": shortest(self.number(&key("rope.freq_base"))?.unwrap_or(10_000.0)),
            "vocab_size": self.vocabulary()?,
            "tie_word_embeddings": self.tensor("output.weight").is_none(),
        }));
        if architecture == Architecture::Llama {
            config.insert("attention_bias".into(), json!(self.tensor("blk.0.attn_q.bias").is_some()));
            config.insert("mlp_bias".into(), json!(self.tensor("blk.0.ffn_up.bias").is_some()));
        }
        if let Some(scaling) = rope::scaling(self, &key)? {
            config.insert("rope_scaling".into(), scaling);
        }
        Ok(config)
    }

    /// Heads whose values are as wide as their keys, rotated as a whole.
    fn check_heads(&self, key: &impl Fn(&str) -> String, head: u64) -> Result<(), GgufError> {
        for name in ["attention.value_length", "rope.dimension_count"] {
            if let Some(found) = self.unsigned(&key(name))?.filter(|found| *found != head) {
                let reason = format!("{found}, but heads are {head} wide; only equal ones are read");
                return Err(GgufError::key(&key(name), reason));
            }
        }
        if head == 0 || !head.is_multiple_of(2) {
            return Err(GgufError::key(&key("attention.key_length"), format!("heads {head} wide")));
        }
        Ok(())
    }

    fn gpt2_config(&self) -> Result<Map<String, Value>, GgufError> {
        let architecture = Architecture::Gpt2;
        let epsilon = "gpt2.attention.layer_norm_epsilon";
        let epsilon = self.number(epsilon)?.ok_or_else(|| GgufError::key(epsilon, "missing"))?;
        Ok(object(json!({
            "architectures": ["GPT2LMHeadModel"],
            "model_type": "gpt2",
            "activation_function": "gelu_new",
            "n_embd": self.required(architecture, "embedding_length")?,
            "n_inner": self.required(architecture, "feed_forward_length")?,
            "n_layer": self.required(architecture, "block_count")?,
            "n_head": self.required(architecture, "attention.head_count")?,
            "n_positions": self.required(architecture, "context_length")?,
            "layer_norm_epsilon": shortest(epsilon),
            "vocab_size": self.vocabulary()?,
            // A copy of the embedding is written to some files: then the two are the same and both are read.
            "tie_word_embeddings": self.tensor("output.weight").is_none(),
        })))
    }
}

pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// A number that went through `f32`, as the shortest decimal that gives the same `f32`: 1e-5 and not 9.999999747e-6.
pub(super) fn shortest(value: f64) -> f64 {
    let narrow = value as f32;
    if f64::from(narrow) == value { narrow.to_string().parse().unwrap_or(value) } else { value }
}

#[cfg(test)]
mod tests;
