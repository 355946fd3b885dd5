//! The spellings against enumeration: over a small vocabulary every way to spell a text can be written down.

use std::sync::Arc;

use proptest::prelude::*;

use super::spelling::{Pruning, Spellings};
use super::vocabulary::Vocabulary;
use crate::{LogProbs, Token};

mod sessions;

/// Every single byte, words that overlap, a word that is there twice, and a control token.
fn vocabulary() -> (Arc<Vocabulary>, Vec<Option<Vec<u8>>>) {
    let mut spellings: Vec<Option<Vec<u8>>> = (0..=u8::MAX).map(|byte| Some(vec![byte])).collect();
    let words = ["ab", "abc", "bc", "ca", "cab", "aa", "ab", "abcab"];
    spellings.extend(words.iter().map(|word| Some(word.as_bytes().to_vec())));
    spellings.push(None);
    (Arc::new(Vocabulary::new(spellings.clone()).unwrap()), spellings)
}

/// A model whose distribution depends on all of the path: weights from a hash of it and of the token.
fn model(seed: u64, path: &[Token], tokens: usize) -> LogProbs {
    let mut state = seed;
    let mut mix = |value: u64| {
        state = (state ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        state ^= state >> 29;
        state
    };
    for token in path {
        mix(u64::from(*token) + 1);
    }
    let base = mix(7);
    let weight = |token: usize| {
        let letter = token >= 256 || (b'a'..=b'c').contains(&(token as u8));
        let mixed = (base ^ (token as u64 + 3)).wrapping_mul(0xD134_2543_DE82_EF95);
        ((mixed >> 40) as f64 / 16_777_216.0 + 0.05) * if letter { 1.0 } else { 1e-4 }
    };
    let total: f64 = (0..tokens).map(weight).sum();
    (0..tokens).map(|token| (weight(token) / total).ln() as f32).collect()
}

/// Probability that the model's tokens begin with exactly these bytes, by trying every token at every step.
fn probability(seed: u64, spellings: &[Option<Vec<u8>>], path: &mut Vec<Token>, text: &[u8]) -> f64 {
    if text.is_empty() {
        return 1.0;
    }
    let next = model(seed, path, spellings.len());
    let mut sum = 0.0;
    for (token, bytes) in spellings.iter().enumerate() {
        let Some(bytes) = bytes else { continue };
        let here = f64::from(next[token]).exp();
        if bytes.starts_with(text) {
            sum += here;
        } else if text.starts_with(bytes) {
            path.push(token as Token);
            sum += here * probability(seed, spellings, path, &text[bytes.len()..]);
            path.pop();
        }
    }
    sum
}

fn answer(spellings: &mut Spellings, settled: &mut Vec<Token>, seed: u64, tokens: usize) {
    settled.extend(spellings.settle());
    let paths: Vec<Vec<Token>> =
        spellings.questions().map(|path| settled.iter().chain(path).copied().collect()).collect();
    let answers: Vec<LogProbs> = paths.iter().map(|path| model(seed, path, tokens)).collect();
    spellings.answer(answers.iter());
}

/// The predictions along a text, the first before its first byte.
fn along(seed: u64, pruning: Pruning, text: &[u8]) -> (Vec<LogProbs>, Vec<Token>) {
    let (vocabulary, all) = vocabulary();
    let mut spellings = Spellings::new(vocabulary, pruning);
    let mut settled = Vec::new();
    answer(&mut spellings, &mut settled, seed, all.len());
    let mut predictions = vec![spellings.predict()];
    for byte in text {
        spellings.advance(*byte);
        answer(&mut spellings, &mut settled, seed, all.len());
        predictions.push(spellings.predict());
    }
    (predictions, settled)
}

const EXACT: Pruning = Pruning { negligible: 0.0, ways: usize::MAX, join: false };

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn without_limits_the_result_is_the_models_own_distribution(
        seed in any::<u64>(),
        text in proptest::collection::vec(prop_oneof![Just(b'a'), Just(b'b'), Just(b'c')], 1..6),
    ) {
        let (_, all) = vocabulary();
        // A text that goes on: control tokens, which end it, have no bytes.
        let (predictions, _) = along(seed, EXACT, &text);
        for (length, predicted) in predictions.iter().enumerate().take(text.len()) {
            let mass = |next: u8| {
                let mut longer = text[..length].to_vec();
                longer.push(next);
                probability(seed, &all, &mut Vec::new(), &longer)
            };
            let total: f64 = (0..=u8::MAX).map(mass).sum();
            for next in [b'a', b'b', b'c', b'z'] {
                let (expected, found) = (mass(next) / total, f64::from(predicted[usize::from(next)]).exp());
                prop_assert!((expected - found).abs() < 3e-6, "{length} {next}: {expected} {found}");
            }
        }
    }
}

#[test]
fn limits_lose_little() {
    let text = b"abcabcaabbcabaca";
    let limits = Pruning { join: false, ..Pruning::default() };
    let mut differences = Vec::new();
    for seed in 0..8 {
        let (exact, _) = along(seed, Pruning { negligible: 1e-12, ways: 1 << 9, join: false }, text);
        let (pruned, _) = along(seed, limits, text);
        let losses = text.iter().zip(exact.iter().zip(&pruned));
        differences.extend(losses.map(|(byte, (e, p))| e[usize::from(*byte)] - p[usize::from(*byte)]));
        for prediction in &pruned {
            let sum: f64 = prediction.iter().map(|logprob| f64::from(*logprob).exp()).sum();
            assert!((sum - 1.0).abs() < 1e-4, "{sum}");
        }
    }
    let mean = differences.iter().sum::<f32>() / differences.len() as f32;
    assert!(mean < 0.06, "{mean} nats a byte over a vocabulary made to be ambiguous");
}

#[test]
fn joined_ways_settle_so_that_paths_stay_short() {
    let text: Vec<u8> = b"abcab".iter().copied().cycle().take(200).collect();
    let (vocabulary, all) = vocabulary();
    let mut spellings = Spellings::new(vocabulary, Pruning::default());
    let mut settled = Vec::new();
    answer(&mut spellings, &mut settled, 1, all.len());
    for byte in &text {
        spellings.advance(*byte);
        assert!(spellings.questions().all(|path| path.len() < 24));
        answer(&mut spellings, &mut settled, 1, all.len());
    }
    assert!(settled.len() > 40, "{}", settled.len());
    let bytes: Vec<u8> = settled.iter().flat_map(|token| all[*token as usize].clone().unwrap()).collect();
    assert!(text.starts_with(&bytes), "what settled is the text");
}

#[test]
fn a_text_that_the_model_holds_for_impossible_is_spelled_anyhow() {
    let (vocabulary, all) = vocabulary();
    let mut spellings = Spellings::new(vocabulary, Pruning::default());
    let never = |path: &[Token]| -> LogProbs {
        let only = if path.is_empty() { 256 } else { 97 };
        (0..all.len()).map(|token| if token == only { 0.0 } else { f32::NEG_INFINITY }).collect()
    };
    spellings.answer([never(&[])].iter());
    assert!(spellings.predict()[usize::from(b'a')] > -1e-3);
    spellings.advance(b'z');
    let question: Vec<Token> = spellings.questions().next().unwrap().to_vec();
    assert_eq!(question, [u32::from(b'z')]);
    spellings.answer([never(&question)].iter());
    assert!(spellings.predict()[97] > -1e-3, "it goes on from there");
}

#[test]
fn a_vocabulary_may_lack_bytes_that_no_text_needs_and_no_others() {
    let without = |missing: u8| {
        let spellings = (0..=u8::MAX).map(|byte| (byte != missing).then(|| vec![byte])).collect();
        Vocabulary::new(spellings)
    };
    assert!(without(b'e').unwrap_err().to_string().contains("0x65"));
    assert!(without(b'\n').is_err());
    let vocabulary = without(4).unwrap();
    assert_eq!(vocabulary.spell(b"a\x04b"), [97, 98], "the byte is left out");
}
