//! Encoders against transformers' BertModel with sentence-transformers' pooling, and the errors of wrong folders.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Reference {
    texts: Vec<Vec<Token>>,
    vectors: Vec<Vec<f32>>,
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/encoders").join(name)
}

fn reference(name: &str) -> Reference {
    serde_json::from_slice(&std::fs::read(folder(name).join("reference.json")).unwrap()).unwrap()
}

#[test]
fn vectors_are_those_of_transformers() {
    for name in ["bert-mean", "bert-cls-raw"] {
        let encoder = Encoder::load(&folder(name), &LoadOptions::default()).unwrap();
        let wanted = reference(name);
        let together = encoder.embed(&wanted.texts).unwrap();
        for (index, (vector, wanted)) in together.iter().zip(&wanted.vectors).enumerate() {
            assert_eq!(vector.len(), encoder.width());
            let far = vector.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(far < 1e-4, "{name}, text {index}: {far}");
        }
        let alone = encoder.embed(&wanted.texts[..1]).unwrap();
        let far = alone[0].iter().zip(&together[0]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far < 1e-5, "{name}: the company of others changes {far}");
    }
}

#[test]
fn what_cannot_be_encoded_is_refused() {
    assert!(Encoder::is_encoder(&folder("bert-mean")));
    let encoder = Encoder::load(&folder("bert-mean"), &LoadOptions::default()).unwrap();
    let most = encoder.context();
    let reason = |texts: &[Vec<Token>]| encoder.embed(texts).unwrap_err().to_string();
    assert!(reason(&[vec![1], Vec::new()]).contains("0 tokens"));
    assert!(reason(&[vec![1; most + 1]]).contains(&format!("between 1 and {most}")));
    assert!(reason(&[vec![1, 9999]]).contains("9999"));
    assert!(encoder.embed_texts(&["words"]).unwrap_err().to_string().contains("tokenizer.json"));
    assert_eq!(encoder.embed(&[]).unwrap(), Vec::<Vec<f32>>::new());
    let decoder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/references/gpt2");
    let error = Encoder::load(&decoder, &LoadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("`model_type` is gpt2") && !Encoder::is_encoder(&decoder), "{error}");
}
