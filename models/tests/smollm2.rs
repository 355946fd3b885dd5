//! SmolLM2-135M-Instruct against llama.cpp: token ids, chat, logits, greedy text and loss, in every number format.
//!
//! The file (98 MB) is not in the repository: `cargo xtask smollm2` fetches it into the cache. Without it these tests
//! say so and pass. References: `tests/parity/smollm2.py`.

#![cfg(feature = "libtorch")]

use std::path::PathBuf;

use acumen_models::gguf::Gguf;
use acumen_models::{Dtype, LanguageModel, LoadOptions, Tokenizer, load};
use serde_json::{Map, Value};

#[derive(serde::Deserialize)]
struct Reference {
    texts: Vec<Text>,
    prompt: Vec<u32>,
    top: Vec<(u32, f32)>,
    greedy: Vec<u32>,
    prose: Vec<u32>,
    nats_per_token: f32,
    chats: Vec<Chat>,
}

#[derive(serde::Deserialize)]
struct Text {
    text: String,
    ids: Vec<u32>,
}

#[derive(serde::Deserialize)]
struct Chat {
    messages: Vec<Value>,
    prompt: String,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("data/smollm2.json")).unwrap()
}

/// The file, where somebody has fetched it.
fn file() -> Option<PathBuf> {
    let given = std::env::var_os("ACUMEN_SMOLLM2").map(PathBuf::from);
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let base = base.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let cached = base.map(|base| base.join("acumen/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"));
    let found = given.or(cached).filter(|path| path.exists());
    if found.is_none() {
        println!("skipped: SmolLM2 is not here; `cargo xtask smollm2` fetches it");
    }
    found
}

fn model(path: &std::path::Path, dtype: Dtype) -> Box<dyn LanguageModel> {
    let options = LoadOptions { threads: Some(2), dtype, cache_tokens: Some(4096), ..LoadOptions::default() };
    load(path, &options).unwrap()
}

fn tokenizer(path: &std::path::Path) -> Tokenizer {
    Tokenizer::from_gguf(&Gguf::open(path, u64::MAX).unwrap()).unwrap()
}

#[test]
fn texts_become_the_same_tokens_and_come_back() {
    let Some(path) = file() else { return };
    let tokenizer = tokenizer(&path);
    assert_eq!((tokenizer.vocab_size(), tokenizer.kind()), (49_152, "bpe"));
    for Text { text, ids } in reference().texts {
        assert_eq!(tokenizer.encode(&text, true).unwrap(), ids, "{text:?}");
        assert_eq!(tokenizer.decode(&ids, false).unwrap(), text);
    }
}

#[test]
fn a_chat_is_written_as_the_template_says() {
    let Some(path) = file() else { return };
    let tokenizer = tokenizer(&path);
    let template = tokenizer.chat_template().unwrap();
    for Chat { messages, prompt } in reference().chats {
        assert_eq!(template.render(&messages, true, &Map::new()).unwrap(), prompt);
    }
    let end = tokenizer.id("<|im_end|>").unwrap();
    assert!(tokenizer.end_tokens().contains(&end) && tokenizer.is_special(end));
}

/// Nats by which a likely token may be off: llama.cpp rounds activations to 8 bits, and so do the packed kernels weights.
const NEAR: f32 = 0.3;

#[test]
fn every_format_gives_the_distributions_of_llama_cpp() {
    let Some(path) = file() else { return };
    let reference = reference();
    let mut losses = Vec::new();
    for dtype in [Dtype::F32, Dtype::Bf16, Dtype::Int8, Dtype::Int4] {
        let model = model(&path, dtype);
        let session = model.open(std::slice::from_ref(&reference.prompt)).unwrap();
        let row = &session.predict()[0];
        let best = (0..row.len() as u32).max_by(|a, b| row[*a as usize].total_cmp(&row[*b as usize]));
        assert_eq!(best, Some(reference.greedy[0]), "{dtype}");
        // One scale a row is coarser than the blocks that the file was rounded in.
        let near = if dtype == Dtype::Int8 { 2.0 * NEAR } else { NEAR };
        for (token, expected) in &reference.top[..3] {
            let found = row[*token as usize];
            assert!((found - expected).abs() < near, "{dtype} token {token}: {found}, expected {expected}");
        }
        losses.push((dtype, loss(model.as_ref(), &reference.prose)));
    }
    println!("nats a token: {losses:?}, llama.cpp {}", reference.nats_per_token);
    for (dtype, loss) in &losses {
        // One per cent of perplexity is 0.01 nats.
        let far = loss - reference.nats_per_token;
        assert!(far.abs() < 0.01, "{dtype}: {loss}, llama.cpp {}", reference.nats_per_token);
    }
}

/// Mean loss of every token, the first after the begin token.
fn loss(model: &dyn LanguageModel, tokens: &[u32]) -> f32 {
    let nats = model.score(&[tokens.to_vec()]).unwrap().remove(0);
    nats.iter().sum::<f32>() / nats.len() as f32
}

#[test]
fn packed_steps_lose_what_dense_prompts_do() {
    let Some(path) = file() else { return };
    let text = &reference().prose[..128];
    for dtype in [Dtype::Int8, Dtype::Int4] {
        let model = model(&path, dtype);
        // A prompt goes through the dense copy, a step through the packed kernel.
        let prompt = loss(model.as_ref(), text);
        let mut session = model.open(&[Vec::new()]).unwrap();
        let mut sum = 0.0;
        for token in text {
            sum -= session.predict()[0][*token as usize];
            session.advance(&[*token]).unwrap();
        }
        let steps = sum / text.len() as f32;
        println!("{dtype}: {prompt} nats a token as a prompt, {steps} in steps");
        assert!((steps - prompt).abs() < 0.03, "{dtype}: {steps} and {prompt}");
    }
}
