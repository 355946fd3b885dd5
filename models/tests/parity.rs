//! Every architecture against Hugging Face transformers: logits within 1e-3 in f32, greedy tokens identical.
//!
//! The references are small random networks, made by `parity/make_references.py`; `ACUMEN_PARITY_REFERENCES` names a
//! folder of others. What is compared goes through the public interface only: raw logits of a whole text, and a session
//! that reads a prompt and steps.

#![cfg(feature = "libtorch")]

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use acumen_models::{Dtype, LanguageModel, LoadOptions, LogProbs, Positions, Token, load};
use serde::Deserialize;

/// What sums in another order explain, and the four decimals of the references.
const TOLERANCE: f32 = 1.5e-4;

#[derive(Deserialize)]
struct Reference {
    ids: Vec<Token>,
    prompt: Vec<Token>,
    logits: Vec<Vec<f32>>,
    prompt_logits: Vec<f32>,
    greedy: Vec<Token>,
}

fn folders() -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/references");
    let root = std::env::var_os("ACUMEN_PARITY_REFERENCES").map_or(own, PathBuf::from);
    let mut all: Vec<PathBuf> = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.retain(|path| path.join("reference.json").exists());
    all.sort();
    assert!(!all.is_empty());
    all
}

fn reference(folder: &Path) -> Reference {
    serde_json::from_slice(&std::fs::read(folder.join("reference.json")).unwrap()).unwrap()
}

fn model(folder: &Path) -> Box<dyn LanguageModel> {
    let options = LoadOptions { dtype: Dtype::F32, cache_tokens: Some(1024), ..LoadOptions::default() };
    load(folder, &options).unwrap()
}

fn logits(model: &dyn LanguageModel, ids: &[Token], positions: Positions) -> Vec<(usize, Vec<f32>)> {
    let mut rows = Vec::new();
    let mut keep = |position: usize, row: &[f32]| {
        rows.push((position, row.to_vec()));
        ControlFlow::Continue(())
    };
    model.logits(ids, positions, &mut keep).unwrap();
    rows
}

fn far(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn normalised(logits: &[f32]) -> LogProbs {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|logit| f64::from(logit - most).exp()).sum();
    logits.iter().map(|logit| logit - most - sum.ln() as f32).collect()
}

fn best(row: &[f32]) -> Token {
    let mut best = 0;
    for (id, value) in row.iter().enumerate() {
        if *value > row[best] {
            best = id;
        }
    }
    best as Token
}

#[test]
fn logits_are_those_of_transformers() {
    for folder in folders() {
        let (wanted, model) = (reference(&folder), model(&folder));
        let rows = logits(model.as_ref(), &wanted.ids, Positions::All);
        assert_eq!(rows.len(), wanted.ids.len(), "{}", folder.display());
        for ((position, row), wanted) in rows.iter().zip(&wanted.logits) {
            let far = far(row, wanted);
            assert!(far <= TOLERANCE, "{} at {position}: {far}", folder.display());
        }
        let last = logits(model.as_ref(), &wanted.prompt, Positions::Last);
        assert_eq!(last.len(), 1);
        assert!(far(&last[0].1, &wanted.prompt_logits) <= TOLERANCE, "{}", folder.display());
    }
}

#[test]
fn greedy_tokens_are_those_of_transformers() {
    for folder in folders() {
        let (wanted, model) = (reference(&folder), model(&folder));
        let mut session = model.open(std::slice::from_ref(&wanted.prompt)).unwrap();
        let shown = folder.display();
        assert!(far(&session.predict()[0], &normalised(&wanted.prompt_logits)) <= TOLERANCE, "{shown}");
        for (step, token) in wanted.greedy.iter().enumerate() {
            let chosen = best(&session.predict()[0]);
            assert_eq!(chosen, *token, "{shown}, step {step}");
            assert_eq!(
                model.stops().contains(&chosen),
                step + 1 == wanted.greedy.len() && wanted.greedy.len() < 24
            );
            session.advance(&[chosen]).unwrap();
        }
    }
}
