//! Folders that lie or that this build cannot run are refused, with the field or the tensor; settings that may be left
//! out may be left out.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::*;
use crate::LanguageModel as _;

fn reference(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/references").join(name)
}

/// A copy of a reference whose `config.json` has other fields; null takes one out.
fn changed(name: &str, change: &Value) -> Result<DecoderModel, ModelError> {
    crate::torch::prepare(Some(1));
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(reference(name)).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    let path = folder.path().join("config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for (field, value) in change.as_object().unwrap() {
        config[field] = value.clone();
        if value.is_null() {
            config.as_object_mut().unwrap().remove(field);
        }
    }
    std::fs::write(&path, config.to_string()).unwrap();
    let options = LoadOptions { dtype: Dtype::F32, cache_tokens: Some(256), ..LoadOptions::default() };
    load(folder.path(), &options)
}

#[test]
fn what_is_wrong_is_named() {
    for (name, change, reason) in [
        (
            "gpt2",
            json!({"model_type": "rwkv"}),
            "architecture `rwkv` does not generate text here; these do: llama",
        ),
        ("gpt2", json!({"model_type": "bert"}), "`bert`"),
        ("gpt2", json!({"n_head": 3}), "`n_head` 3 does not divide `n_embd` 16"),
        ("gpt2", json!({"n_layer": 3}), "tensor `transformer.h.2.ln_1.weight`: missing"),
        ("gpt2", json!({"n_layer": 1}), "this architecture has no such tensor"),
        ("gpt2", json!({"n_layer": 0}), "`n_layer` 0 is not between"),
        (
            "gpt2",
            json!({"n_positions": 32}),
            "tensor `transformer.wpe.weight`: shape [64, 16], expected [32, 16]",
        ),
        ("gpt2", json!({"activation_function": "xielu"}), "`activation_function` is xielu"),
        ("gpt2", json!({"quantization_config": {"quant_method": "awq"}}), "`quantization_config` is awq"),
        ("qwen2", json!({"vocab_size": null}), "vocab_size"),
        ("qwen2", json!({"vocab_size": 1u64 << 40}), "`vocab_size` 1099511627776 is not between"),
        ("qwen2", json!({"vocab_size": -1}), "config.json"),
        ("qwen2", json!({"hidden_size": 17}), "expected"),
        ("qwen2", json!({"num_key_value_heads": 3}), "`num_key_value_heads` 3 does not divide"),
        ("qwen2", json!({"num_attention_heads": 0}), "`num_attention_heads` 0"),
        ("llama-theta", json!({"head_dim": 7}), "`head_dim` 7 is odd"),
        ("llama-theta", json!({"rope_parameters": {"rope_type": "spiral"}}), "`rope_type` is spiral"),
        ("llama-theta", json!({"rope_scaling": {"type": "linear"}}), "`factor`"),
        (
            "llama-theta",
            json!({"rope_scaling": {"type": "longrope", "short_factor": [1.0]}}),
            "`short_factor`",
        ),
        ("llama-yarn", json!({"partial_rotary_factor": 0.5}), "`partial_rotary_factor` is 0.5"),
        (
            "llama-theta",
            json!({"rope_parameters": {"full_attention": {"rope_type": "default"}}}),
            "split by `full_attention`",
        ),
        ("llama-mha-tied", json!({"tie_word_embeddings": false}), "tensor `lm_head.weight`: missing"),
        (
            "llama-theta",
            json!({"attention_bias": true}),
            "tensor `model.layers.0.self_attn.q_proj.bias`: missing",
        ),
        ("mistral-window", json!({"sliding_window": 0}), "`sliding_window` 0"),
        (
            "qwen2-window",
            json!({"layer_types": ["full_attention"]}),
            "`layer_types` has 1 entries for 2 layers",
        ),
        (
            "qwen2-window",
            json!({"layer_types": ["full_attention", "chunked_attention"]}),
            "`layer_types` is chunked_attention",
        ),
    ] {
        let error = changed(name, &change).err().map(|error| error.to_string());
        let error = error.unwrap_or_else(|| panic!("{name} with {change} was loaded"));
        assert!(error.contains(reason), "{change}: {error}");
    }
}

#[test]
fn what_may_be_left_out_may_be_left_out() {
    for (name, change) in [
        ("llama-theta", json!({"tie_word_embeddings": null, "rms_norm_eps": null, "hidden_act": null})),
        ("llama-theta", json!({"model_type": null})),
        ("gpt2", json!({"model_type": null, "n_inner": null, "layer_norm_epsilon": null})),
        ("llama-theta", json!({"partial_rotary_factor": 0.5})),
        ("gpt2", json!({"hidden_size": 16, "num_hidden_layers": 2, "max_position_embeddings": 64})),
        ("llama-mha-tied", json!({"num_key_value_heads": null})),
        ("mistral-window", json!({"sliding_window": null})),
    ] {
        let model = changed(name, &change).unwrap_or_else(|error| panic!("{name} with {change}: {error}"));
        assert_eq!(model.info().tokenizer, "none");
        assert!(model.open(&[vec![1, 2, 3]]).is_ok());
    }
}

#[test]
fn begin_and_stop_tokens_are_those_of_the_files() {
    let model = changed("llama-mqa-eos", &json!({})).unwrap();
    assert_eq!(model.stops(), [5, 9]);
    let memory = model.memory().unwrap();
    assert_eq!((memory.cache_tokens, memory.cache_bytes_per_token), (256, 2 * 2 * 12 * 4));
    assert_eq!(model.info().context, 64);
    assert_eq!(changed("gpt2", &json!({"eos_token_id": 3000})).unwrap().stops(), [] as [Token; 0]);
}

#[test]
fn a_device_that_is_not_there_is_refused() {
    let options = LoadOptions { device: Device::Cuda(99), ..LoadOptions::default() };
    let error = load(&reference("gpt2"), &options).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("cuda:99 is not there"), "{error}");
}
