//! Texts that share steps, memory and beginnings answer as if each were alone.

use std::path::{Path, PathBuf};

use super::*;
use crate::testing::assert_close;
use crate::{Dtype, LanguageModel, LoadOptions, ModelError, Session, Token};

const VOCAB: usize = 47;

fn reference(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/references").join(name)
}

fn model(name: &str, cache_tokens: usize) -> DecoderModel {
    let options =
        LoadOptions { dtype: Dtype::F32, cache_tokens: Some(cache_tokens), ..LoadOptions::default() };
    crate::torch::prepare(Some(1));
    crate::hf::load(&reference(name), &options).unwrap()
}

fn text(seed: usize, length: usize) -> Vec<Token> {
    (0..length).map(|index| ((seed * 31 + index * index + 7 * index + 3) % VOCAB) as Token).collect()
}

/// What a model that has seen nothing else says after these tokens.
fn alone(name: &str, tokens: &[Token]) -> Vec<f32> {
    model(name, 1024).open(&[tokens.to_vec()]).unwrap().predict()[0].clone()
}

fn settle(model: &DecoderModel, sessions: &mut [Box<dyn Session>]) {
    while !sessions.iter_mut().all(|session| session.poll().unwrap()) {
        model.step().unwrap();
    }
}

#[test]
fn sessions_that_share_steps_answer_as_if_alone() {
    for name in ["llama-gqa-biases", "mistral-window", "qwen2-window", "gpt2", "llama-dynamic"] {
        let model = model(name, 4096);
        let mut texts: Vec<Vec<Token>> = (0..6).map(|seed| text(seed, 3 + 5 * seed)).collect();
        let mut sessions: Vec<Box<dyn Session>> =
            texts.iter().map(|text| model.begin(std::slice::from_ref(text)).unwrap()).collect();
        for step in 0..4 {
            settle(&model, &mut sessions);
            for (session, text) in sessions.iter().zip(&texts) {
                // Keys of a dynamic network keep the angles with which they entered: only its prompts are comparable.
                if step == 0 || name != "llama-dynamic" {
                    assert_close(&session.predict()[0], &alone(name, text), name);
                }
            }
            // Some step, some wait: lengths drift apart.
            for (index, (session, text)) in sessions.iter_mut().zip(&mut texts).enumerate() {
                if (index + step) % 3 != 0 {
                    let next = ((step * 11 + index) % VOCAB) as Token;
                    text.push(next);
                    session.begin(&[next]).unwrap();
                }
            }
        }
    }
}

#[test]
fn steps_are_shared() {
    let model = model("llama-theta", 4096);
    let contexts: Vec<Vec<Token>> = (0..8).map(|seed| text(seed, 10)).collect();
    let mut sessions: Vec<Box<dyn Session>> =
        contexts.iter().map(|context| model.begin(std::slice::from_ref(context)).unwrap()).collect();
    settle(&model, &mut sessions);
    assert_eq!(model.engine().borrow().counts().steps, 1, "eight prompts in one step");
    sessions.iter_mut().for_each(|session| session.begin(&[1]).unwrap());
    settle(&model, &mut sessions);
    assert_eq!(model.engine().borrow().counts(), step::Counts { steps: 2, computed: 88, copied: 0 });
}

#[test]
fn a_text_that_begins_like_another_is_copied() {
    let model = model("llama-gqa-biases", 4096);
    let shared = text(1, 40);
    let mut longer = shared.clone();
    longer.extend(text(2, 5));
    // The same context eight times at once: one is computed, the others copy all but its last token.
    let session = model.open(&vec![shared.clone(); 8]).unwrap();
    session
        .predict()
        .iter()
        .for_each(|row| assert_close(row, &alone("llama-gqa-biases", &shared), "at once"));
    assert_eq!(model.engine().borrow().counts().copied, 7 * 39);
    // Closed texts are kept.
    drop(session);
    let before = model.engine().borrow().counts();
    let session = model.open(std::slice::from_ref(&longer)).unwrap();
    assert_close(&session.predict()[0], &alone("llama-gqa-biases", &longer), "later");
    let after = model.engine().borrow().counts();
    assert_eq!((after.copied - before.copied, after.computed - before.computed), (40, 5));
}

/// How many tokens of a text were copied, after checking what is said of it.
fn copied(model: &DecoderModel, name: &str, text: &[Token]) -> u64 {
    let before = model.engine().borrow().counts().copied;
    let session = model.open(&[text.to_vec()]).unwrap();
    assert_close(&session.predict()[0], &alone(name, text), name);
    model.engine().borrow().counts().copied - before
}

#[test]
fn texts_of_lengths_whose_angles_are_alike_share_their_beginnings() {
    // Both are made for 16 positions; each further length has its own angles, or all further lengths have the same.
    for (name, beyond) in [("llama-dynamic", 0), ("llama-longrope", 30)] {
        let model = model(name, 4096);
        let whole = text(1, 40);
        assert_eq!(copied(&model, name, &whole[..10]), 0);
        assert_eq!(copied(&model, name, &whole[..15]), 10, "{name}");
        assert_eq!(copied(&model, name, &whole[..30]), 0, "{name}: other angles");
        assert_eq!(copied(&model, name, &whole), beyond, "{name}");
    }
}

#[test]
fn divisors_that_are_the_same_at_every_length_hinder_no_sharing() {
    let folder = tempfile::tempdir().unwrap();
    let from = reference("llama-longrope");
    std::fs::copy(from.join("model.safetensors"), folder.path().join("model.safetensors")).unwrap();
    let config = std::fs::read_to_string(from.join("config.json")).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&config).unwrap();
    config["rope_parameters"]["short_factor"] = config["rope_parameters"]["long_factor"].clone();
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let name = folder.path().to_str().unwrap();
    let model = model(name, 4096);
    let whole = text(1, 40);
    assert_eq!(copied(&model, name, &whole[..10]), 0);
    assert_eq!(copied(&model, name, &whole), 10);
}

#[test]
fn long_prompts_are_read_in_chunks_between_the_steps_of_others() {
    let model = model("llama-llama3", 4096);
    let mut running = model.open(&[text(3, 5)]).unwrap();
    let mut long = model.begin(&[text(4, 64), text(5, 64)]).unwrap();
    let many: Vec<Vec<Token>> = (6..20).map(|seed| text(seed, 60)).collect();
    let mut more = model.begin(&many).unwrap();
    running.begin(&[1]).unwrap();
    model.step().unwrap();
    assert!(running.poll().unwrap(), "a running text does not wait for {} tokens", 64 * 2 + 14 * 60);
    assert!(!more.poll().unwrap());
    while !(long.poll().unwrap() && more.poll().unwrap()) {
        model.step().unwrap();
    }
    assert_close(&more.predict()[13], &alone("llama-llama3", &many[13]), "last of many");
}

#[test]
fn a_small_cache_computes_again_what_it_had_to_drop() {
    // Room for two texts of the longest kind: four sessions take turns.
    let model = model("llama-gqa-biases", 128);
    let mut texts: Vec<Vec<Token>> = (0..4).map(|seed| text(seed, 20)).collect();
    let mut sessions: Vec<Box<dyn Session>> =
        texts.iter().map(|text| model.begin(std::slice::from_ref(text)).unwrap()).collect();
    for step in 0..30 {
        settle(&model, &mut sessions);
        for (session, text) in sessions.iter_mut().zip(&mut texts) {
            text.push(step % 40);
            session.begin(&[step % 40]).unwrap();
        }
    }
    settle(&model, &mut sessions);
    for (session, text) in sessions.iter().zip(&texts) {
        assert_close(&session.predict()[0], &alone("llama-gqa-biases", text), "after many evictions");
    }
    let (used, capacity) = model.engine().borrow().usage();
    assert!(used <= capacity && capacity == 128);
    drop(sessions);
}

#[test]
fn a_window_that_is_full_keeps_its_last_half() {
    let model = model("gpt2", 4096);
    let whole = text(9, 100);
    let mut session = model.open(&[whole[..1].to_vec()]).unwrap();
    for token in &whole[1..] {
        session.advance(&[*token]).unwrap();
    }
    let opened = model.open(std::slice::from_ref(&whole)).unwrap();
    assert_close(&session.predict()[0], &opened.predict()[0], "stepped and opened");
    let nats = model.score(std::slice::from_ref(&whole)).unwrap();
    let mut stepped = model.open(&[Vec::new()]).unwrap();
    for (token, nat) in whole.iter().zip(&nats[0]) {
        assert!((stepped.predict()[0][*token as usize] + nat).abs() < 1e-3);
        stepped.advance(&[*token]).unwrap();
    }
}

#[test]
fn what_cannot_be_read_is_refused() {
    let gpt2 = model("gpt2", 4096);
    let refused = |result: Result<(), ModelError>| result.unwrap_err().to_string();
    let mut ignore = |_: usize, _: &[f32]| std::ops::ControlFlow::Continue(());
    let long = refused(gpt2.logits(&text(1, 65), crate::Positions::Last, &mut ignore));
    assert!(long.contains("65 tokens; between 1 and 64"), "{long}");
    assert!(refused(gpt2.logits(&[], crate::Positions::Last, &mut ignore)).contains("0 tokens"));
    assert!(matches!(gpt2.open(&[vec![47]]), Err(ModelError::Token { token: 47, vocab: 47 })));
    let mut session = gpt2.open(&[vec![1]]).unwrap();
    assert!(matches!(session.advance(&[1, 2]), Err(ModelError::DocumentCount { .. })));
    assert_eq!(gpt2.engine().borrow().usage().0, 64, "nothing is left of what was refused");
}
