//! Metadata against the `config.json` they were converted from.

use serde_json::json;

use crate::gguf::testing::Writer;

fn llama() -> Writer {
    Writer::default()
        .text("general.architecture", "llama")
        .u32("llama.block_count", 2)
        .u32("llama.context_length", 8192)
        .u32("llama.embedding_length", 64)
        .u32("llama.feed_forward_length", 96)
        .u32("llama.attention.head_count", 4)
        .u32("llama.attention.head_count_kv", 2)
        .f32("llama.attention.layer_norm_rms_epsilon", 1e-5)
        .f32("llama.rope.freq_base", 500_000.0)
        .u32("tokenizer.ggml.bos_token_id", 1)
        .u32("tokenizer.ggml.eos_token_id", 2)
        .floats("token_embd.weight", &[10, 64], &[0.0; 640])
}

fn config(writer: &Writer) -> serde_json::Value {
    writer.open().unwrap().config().unwrap()
}

fn refused(writer: &Writer) -> String {
    writer.open().unwrap().config().unwrap_err().to_string()
}

#[test]
fn a_llama_is_described_as_hugging_face_does() {
    let expected = json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "hidden_size": 64,
        "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "head_dim": 16, "max_position_embeddings": 8192, "rms_norm_eps": 1e-5, "rope_theta": 500_000.0,
        "vocab_size": 10, "tie_word_embeddings": true, "attention_bias": false, "mlp_bias": false,
        "bos_token_id": 1, "eos_token_id": 2,
    });
    assert_eq!(config(&llama()), expected);
    let untied = llama().floats("output.weight", &[10, 64], &[0.0; 640]);
    assert_eq!(config(&untied)["tie_word_embeddings"], false);
    let biased = llama().floats("blk.0.attn_q.bias", &[64], &[0.0; 64]);
    assert_eq!(config(&biased)["attention_bias"], true);
    let turns = llama().u32("tokenizer.ggml.eot_token_id", 7);
    assert_eq!(config(&turns)["eos_token_id"], json!([2, 7]));
}

#[test]
fn every_scaling_of_rotations_is_kept() {
    let scaling = |writer: Writer| config(&writer)["rope_scaling"].clone();
    assert_eq!(scaling(llama()), json!(null));
    assert_eq!(scaling(llama().text("llama.rope.scaling.type", "none")), json!(null));
    let factor =
        |kind: &str| llama().text("llama.rope.scaling.type", kind).f32("llama.rope.scaling.factor", 4.0);
    assert_eq!(scaling(factor("linear")), json!({ "rope_type": "linear", "factor": 4.0 }));
    assert_eq!(scaling(llama().f32("llama.rope.scaling.factor", 4.0)), scaling(factor("linear")));
    assert_eq!(scaling(factor("none")), json!(null));
    // llama.cpp multiplies its own factor with the file's; one that was converted stands alone.
    let attention = |key: &str| scaling(factor("yarn").f32(key, 1.5))["attention_factor"].as_f64().unwrap();
    assert!((attention("llama.rope.scaling.attn_factor") - 1.5 * (1.0 + 0.1 * 4f64.ln())).abs() < 1e-9);
    assert_eq!(attention("llama.rope.scaling.yarn_attn_factor"), 1.5);
    assert!(refused(&factor("linear").f32("llama.rope.scaling.attn_factor", 1.5)).contains("attn_factor"));
    assert!(refused(&factor("linear").floats("rope_freqs.weight", &[8], &[2.0; 8])).contains("one of them"));
    let yarn = factor("yarn").u32("llama.rope.scaling.original_context_length", 2048);
    let expected = json!({ "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 2048 });
    assert_eq!(scaling(yarn), expected);
    let factors = llama().floats("rope_freqs.weight", &[8], &[1.0, 1.0, 1.5, 2.0, 4.0, 8.0, 8.0, 8.0]);
    let found = scaling(factors);
    assert_eq!(found["rope_type"], "longrope");
    assert_eq!(found["short_factor"], found["long_factor"]);
    assert_eq!((&found["short_factor"][2], &found["attention_factor"]), (&json!(1.5), &json!(1.0)));
    assert!(refused(&factor("strange")).contains("`strange`"));
    assert!(refused(&llama().text("llama.rope.scaling.type", "yarn")).contains("scaling.factor"));
    assert!(refused(&llama().floats("rope_freqs.weight", &[8], &[0.0; 8])).contains("above 0"));
}

#[test]
fn what_no_architecture_here_does_is_refused_by_key() {
    assert!(refused(&Writer::default()).contains("general.architecture"));
    assert!(refused(&Writer::default().text("general.architecture", "gemma")).contains("`gemma`"));
    assert!(refused(&llama().u32("llama.expert_count", 8)).contains("llama.expert_count"));
    assert!(refused(&llama().u32("llama.rope.dimension_count", 8)).contains("rope.dimension_count"));
    assert!(refused(&llama().u32("llama.attention.value_length", 8)).contains("value_length"));
    assert!(refused(&llama().u32("llama.attention.key_length", 0)).contains("key_length"));
    let missing = Writer::default().text("general.architecture", "qwen2").u32("qwen2.embedding_length", 4);
    assert!(refused(&missing).contains("qwen2.attention.head_count"));
}

#[test]
fn a_gpt2_is_described_as_hugging_face_does() {
    let writer = Writer::default()
        .text("general.architecture", "gpt2")
        .u32("gpt2.block_count", 2)
        .u32("gpt2.context_length", 128)
        .u32("gpt2.embedding_length", 8)
        .u32("gpt2.feed_forward_length", 32)
        .u32("gpt2.attention.head_count", 2)
        .f32("gpt2.attention.layer_norm_epsilon", 1e-5)
        .floats("token_embd.weight", &[5, 8], &[0.0; 40]);
    let expected = json!({
        "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "activation_function": "gelu_new", "n_embd": 8,
        "n_inner": 32, "n_layer": 2, "n_head": 2, "n_positions": 128, "layer_norm_epsilon": 1e-5, "vocab_size": 5,
        "tie_word_embeddings": true,
    });
    assert_eq!(config(&writer), expected);
}
