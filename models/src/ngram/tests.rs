//! The probabilities are the formula's, and no file makes the reader panic.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::byte_tokens;

/// A model counted from texts, through a file.
fn counted(texts: &[&[u8]], order: usize) -> (tempfile::TempDir, NgramModel, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let corpus = texts.iter().enumerate().map(|(index, text)| {
        let path = folder.path().join(format!("{index}.txt"));
        std::fs::write(&path, text).unwrap();
        path
    });
    let output = folder.path().join("model.ngram");
    let config = NgramConfig {
        name: "counted".into(),
        output: output.clone(),
        order,
        corpus: corpus.collect(),
        task_documents: 0,
    };
    train(&config).unwrap();
    let model = NgramModel::read(&output, 1 << 20).unwrap();
    (folder, model, std::fs::read(&output).unwrap())
}

/// Witten-Bell from raw text, written down the way the formula reads.
fn formula(texts: &[&[u8]], history: &[u8], order: usize, byte: u8) -> f64 {
    if order == 0 {
        return 1.0 / 256.0;
    }
    let length = order - 1;
    let shorter = formula(texts, history, order - 1, byte);
    if history.len() < length {
        return shorter;
    }
    let ending = &history[history.len() - length..];
    let mut followers: HashMap<u8, f64> = HashMap::new();
    for text in texts {
        let whole = [b"\n", *text].concat();
        for at in 1..whole.len() {
            if at >= length && &whole[at - length..at] == ending {
                *followers.entry(whole[at]).or_default() += 1.0;
            }
        }
    }
    if followers.is_empty() {
        return shorter;
    }
    let (n, t) = (followers.values().sum::<f64>(), followers.len() as f64);
    (followers.get(&byte).copied().unwrap_or(0.0) + t * shorter) / (n + t)
}

#[test]
fn probabilities_follow_the_formula() {
    let texts: [&[u8]; 2] = [b"abracadabra", b"banana bread"];
    for order in 1..=4 {
        let (_folder, model, _) = counted(&texts, order);
        for history in ["", "a", "ra", "bana", "xyz", "\n", "zab"] {
            let session = model.open(&[byte_tokens(history.as_bytes())]).unwrap();
            let whole = [b"\n", history.as_bytes()].concat();
            for byte in 0..=255u8 {
                let given = f64::from(session.predict()[0][usize::from(byte)]).exp();
                let expected = formula(&texts, &whole, order, byte);
                assert!((given - expected).abs() < 1e-6, "{order} {history:?} {byte}: {given} {expected}");
            }
        }
    }
}

#[test]
fn steps_equal_opening_and_the_default_score() {
    let (_folder, model, _) = counted(&[b"abracadabra", b"banana"], 3);
    let text = byte_tokens(b"a band abroad");
    let mut session = model.open(&[Vec::new(), byte_tokens(b"b")]).unwrap();
    let scores = model.score(std::slice::from_ref(&text)).unwrap();
    for (at, token) in text.iter().enumerate() {
        let opened = model.open(&[text[..at].to_vec()]).unwrap();
        assert_eq!(session.predict()[0], opened.predict()[0]);
        assert_eq!(scores[0][at], -opened.predict()[0][*token as usize]);
        session.advance(&[*token, *token]).unwrap();
    }
    assert!(matches!(session.advance(&[1]), Err(ModelError::DocumentCount { .. })));
    assert!(matches!(session.advance(&[1, 300]), Err(ModelError::Token { token: 300, .. })));
}

#[test]
fn any_changed_byte_is_noticed() {
    let (_folder, _, bytes) = counted(&[b"abracadabra"], 3);
    file::decode(&bytes).unwrap();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        file::decode(&changed).unwrap_err();
        file::decode(&bytes[..at]).unwrap_err();
    }
}

/// A body with a checksum that matches it, so that the reader goes on to what is wrong.
fn sealed(body: &[u8]) -> Vec<u8> {
    [body, Digest::of(body).as_slice()].concat()
}

#[test]
fn bodies_that_break_a_rule_are_refused() {
    let head = b"ACUNGRAM\x01\x01\x01x";
    let table = |rest: &[u8]| sealed(&[head.as_slice(), rest].concat());
    let cases: [(Vec<u8>, &str); 8] = [
        (sealed(b"ACUNGRAM\x02\x01\x01x"), "version 2"),
        (sealed(b"ACUNGRAM\x01\x09\x01x"), "order 9"),
        (sealed(b"ACUNGRAM\x01\x01\x09x"), "too early"),
        (table(b"\x01\0\0\0\x00a\x00"), "not a count"),
        (table(b"\x01\0\0\0\x00a\x81\x00"), "not a count"),
        (table(b"\x01\0\0\0\x01b\x01a\x01"), "followers are out of order"),
        (table(b"\xff\xff\xff\xff\x00a\x01"), "out of order"),
        (table(b"\x01\0\0\0\x00a\x01!"), "1 bytes after"),
    ];
    for (bytes, reason) in cases {
        let error = file::decode(&bytes).unwrap_err();
        assert!(error.contains(reason), "{error}, expected {reason}");
    }
    file::decode(&table(b"\x01\0\0\0\x00a\x01")).unwrap();
}

#[test]
fn an_order_out_of_range_is_refused() {
    for order in [0, MAX_ORDER + 1] {
        let config = NgramConfig {
            name: String::new(),
            output: "never-written".into(),
            order,
            corpus: Vec::new(),
            task_documents: 0,
        };
        assert!(matches!(train(&config), Err(ModelError::Config { field: "order", .. })));
    }
}

proptest! {
    #[test]
    fn encoding_reads_back_and_is_unique(text: Vec<u8>, order in 1..5usize) {
        let (_folder, model, bytes) = counted(&[&text], order);
        prop_assert_eq!(&file::decode(&bytes).unwrap(), &*model.counts);
        prop_assert_eq!(file::encode(&model.counts), bytes);
    }

    #[test]
    fn every_history_has_a_normalised_distribution(text: Vec<u8>, history: Vec<u8>) {
        let (_folder, model, _) = counted(&[&text], 4);
        let sum: f64 = model.counts.probabilities(&history).iter().sum();
        prop_assert!((sum - 1.0).abs() < 1e-9);
    }

    #[test]
    fn no_body_makes_the_reader_panic(rest: Vec<u8>, order in 1..4u8) {
        let head = [b"ACUNGRAM\x01".as_slice(), &[order, 0]].concat();
        let _ = file::decode(&sealed(&[head, rest].concat()));
    }
}
