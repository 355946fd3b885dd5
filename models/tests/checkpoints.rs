//! The shipped checkpoints: present, small enough, different, and in the order of quality that the subnet pays for.

#![cfg(feature = "libtorch")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use acumen_models::evaluate::{Losses, TASK_SEED, evaluate, floors};
use acumen_models::inspect::inspect;
use acumen_models::{LoadOptions, ModelError, Replica, ReplicaLimits, byte_tokens, corpus, load};
use acumen_scoring_tasks::{Family, text};

/// Best first.
const ORDER: [&str; 5] = [
    "gpt-large.safetensors",
    "gpt-traced.pt",
    "gpt-medium.safetensors",
    "gpt-small.safetensors",
    "bytes.ngram",
];

/// Bits per byte between one and the next, on the sample used here.
const SMALLEST_GAP: f64 = 0.05;
const LARGEST_FILE: u64 = 2_000_000;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn checkpoint(name: &str) -> PathBuf {
    folder("checkpoints").join(name)
}

/// A sample of the held-out documents, short enough for a debug build.
fn sample() -> Vec<Vec<u8>> {
    let all = corpus::documents(&folder("corpus/heldout")).unwrap();
    all.into_iter().step_by(8).map(|text| text[..1000].to_vec()).collect()
}

#[test]
fn losses_are_in_order_and_above_the_floor() {
    let losses: Vec<Losses> = ORDER
        .iter()
        .map(|name| {
            let model = load(&checkpoint(name), &LoadOptions::default()).unwrap();
            evaluate(model.as_ref(), &sample()).unwrap()
        })
        .collect();
    for (pair, names) in losses.windows(2).zip(ORDER.windows(2)) {
        assert!(pair[0].mix + SMALLEST_GAP < pair[1].mix, "{names:?}: {pair:?}");
    }
    let floors = floors();
    for loss in losses {
        assert!(loss.lexicon > floors["lexicon"], "{loss:?}");
        assert!(loss.grammar > floors["grammar"], "{loss:?}");
        assert!(loss.arithmetic > floors["arithmetic"], "{loss:?}");
    }
}

#[test]
fn each_is_small_and_no_two_have_the_same_weights() {
    let mut digests = BTreeSet::new();
    for name in ORDER {
        let inspection = inspect(&checkpoint(name), &LoadOptions::default()).unwrap();
        assert!(inspection.file_bytes <= LARGEST_FILE, "{name}: {}", inspection.file_bytes);
        assert!(inspection.info.parameters > 0, "{name}");
        assert_eq!(inspection.info.vocab, 256);
        digests.insert(inspection.info.digest);
    }
    assert_eq!(digests.len(), ORDER.len());
}

#[test]
fn each_card_states_the_digest_of_its_file() {
    for name in ORDER {
        let stem = name.split('.').next().unwrap_or_default();
        let card = std::fs::read_to_string(checkpoint(&format!("{stem}.md"))).unwrap();
        let model = load(&checkpoint(name), &LoadOptions::default()).unwrap();
        let digest = serde_json::to_value(model.info()).unwrap()["digest"].clone();
        assert!(card.contains(digest.as_str().unwrap()), "{stem}.md does not state {digest}");
    }
}

/// In-context learning, the reason for the task families: the second half of a lexicon document costs less.
#[test]
fn the_best_model_learns_a_document_while_it_reads() {
    let model = load(&checkpoint(ORDER[0]), &LoadOptions::default()).unwrap();
    let documents: Vec<_> =
        (0..8).map(|index| byte_tokens(&text(Family::Lexicon, &TASK_SEED, index, 250))).collect();
    let nats = model.score(&documents).unwrap();
    let cost = |from: usize, to: usize| -> f32 { nats.iter().flat_map(|n| &n[from..to]).sum() };
    assert!(2.0 * cost(150, 250) < cost(0, 100), "{} {}", cost(0, 100), cost(150, 250));
}

#[tokio::test]
async fn every_checkpoint_serves_through_a_replica() {
    for name in ORDER {
        let loader = move || load(&checkpoint(name), &LoadOptions::default());
        let replica = Replica::spawn(loader, ReplicaLimits::default()).unwrap();
        let contexts = vec![byte_tokens(b"the people of the United "), Vec::new()];
        let (mut session, first) = replica.open(contexts.clone()).await.unwrap();
        let direct = load(&checkpoint(name), &LoadOptions::default()).unwrap();
        assert_eq!(first, direct.open(&contexts).unwrap().predict(), "{name}");
        let next = session.advance(byte_tokens(b"St")).await.unwrap();
        assert_eq!((next.len(), next[0].len()), (2, 256), "{name}");
    }
}

#[test]
fn an_unknown_format_is_refused_by_name() {
    let error = load(&folder("Cargo.toml"), &LoadOptions::default()).err();
    assert_eq!(error, Some(ModelError::UnknownFormat { path: folder("Cargo.toml") }));
}
