//! Texts of a model with a tokenizer of its own.

use acumen_models::LanguageModel;
use acumen_proto::inference::{Generate, Prompt};

use crate::chain::FakeChain;
use crate::model::{Adaptive, Gate};
use crate::rig::{Rig, friend};

/// As Llama's: a text begins with `<s>`.
const TOKENIZER: &str = r#"{"version": "1.0", "truncation": null, "padding": null, "normalizer": null, "decoder": null,
    "added_tokens": [{"id": 1, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false,
                      "normalized": false, "special": true}],
    "pre_tokenizer": {"type": "Whitespace"},
    "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}}], "pair": [{"Sequence": {"id": "A", "type_id": 0}},
        {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
    "model": {"type": "WordLevel", "unk_token": "[UNK]", "vocab": {"[UNK]": 0, "<s>": 1, "the": 2, "cat": 3, "sat": 4}}}"#;

fn wanted(prompt: Prompt) -> Generate {
    Generate {
        prompt,
        max_tokens: 3,
        temperature: 0.0,
        top_p: 1.0,
        seed: 0,
        stop_ids: Vec::new(),
        top_k: Some(256),
    }
}

#[tokio::test]
async fn a_text_is_read_with_the_tokens_that_the_model_begins_a_text_with() {
    let files = tempfile::tempdir().unwrap();
    std::fs::write(files.path().join("tokenizer.json"), TOKENIZER).unwrap();
    let loader = || Ok(Box::new(Adaptive::of_words(Gate::default())) as Box<dyn LanguageModel>);
    let (dir, path) = (tempfile::tempdir().unwrap(), files.path().to_owned());
    let change = |config: &mut acumen_miner::Config| config.model.path = path;
    let rig =
        Rig::start_with(dir.path().to_owned(), FakeChain::default(), change, Gate::default(), loader).await;
    rig.wait_for(tonic_health::ServingStatus::Serving).await;
    let client = rig.client(friend());
    let ids = client.tokenize("the cat".to_owned()).await.unwrap();
    assert_eq!(ids, [1, 2, 3], "as transformers and `acumen generate` have it");
    let mut answers = Vec::new();
    for prompt in [Prompt::Text("the cat".to_owned()), Prompt::Tokens(ids), Prompt::Tokens(vec![2, 3])] {
        let first = client.generate(wanted(prompt)).await.unwrap().next().await.unwrap().unwrap();
        answers.push(first.distribution.unwrap().logprobs);
    }
    assert_eq!(answers[0], answers[1], "Generate reads a text as Tokenize cuts it");
    assert_ne!(answers[0], answers[2]);
}
