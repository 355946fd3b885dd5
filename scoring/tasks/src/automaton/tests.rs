//! The entropy of an automaton against a sum over all its paths.

use proptest::prelude::*;
use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::{Family, generate};

/// Probability that the walk, now entering `state`, writes a text that begins with `rest`: summed over all walks, from
/// the back. It shares nothing with the forward filter but the automaton.
fn begins(automaton: &Automaton, state: usize, rest: &[u8]) -> f64 {
    if rest.is_empty() {
        return 1.0;
    }
    let State { words, next } = &automaton.states[state];
    let all_words: f64 = words.iter().map(|(_, weight)| f64::from(*weight)).sum();
    let all_next: f64 = next.iter().map(|(_, weight)| f64::from(*weight)).sum();
    let follow = |rest: &[u8]| -> f64 {
        next.iter().map(|&(to, weight)| f64::from(weight) / all_next * begins(automaton, to, rest)).sum()
    };
    words
        .iter()
        .map(|(word, weight)| {
            let share = f64::from(*weight) / all_words;
            match rest.strip_prefix(word.as_slice()) {
                Some(left) => share * follow(left),
                None if word.starts_with(rest) => share,
                None => 0.0,
            }
        })
        .sum()
}

fn check(automaton: &Automaton, text: &[u8]) {
    let nats = automaton.nats(text);
    let mut sum = 0.0;
    for (at, nat) in nats.iter().enumerate() {
        sum += nat;
        let whole = -begins(automaton, 0, &text[..=at]).ln();
        assert!((sum - whole).abs() < 1e-9, "after {at} bytes: {sum} by filter, {whole} by paths");
    }
}

/// Words that begin alike, in states that begin alike: the filter must keep several places at once.
fn ambiguous() -> Automaton {
    let words = |list: &[(&str, u32)]| {
        list.iter().map(|(word, weight)| (word.as_bytes().to_vec(), *weight)).collect()
    };
    Automaton {
        states: vec![
            State { words: words(&[("a", 3), ("ab", 2), ("abc", 1)]), next: vec![(0, 1), (1, 2)] },
            State { words: words(&[("b", 1), ("c", 5), ("bca", 2)]), next: vec![(0, 3), (1, 1)] },
        ],
    }
}

proptest! {
    #[test]
    fn the_filter_agrees_with_the_sum_over_all_paths(seed: u64) {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let automaton = ambiguous();
        let text = automaton.sample(&mut rng, 12);
        check(&automaton, &text);
    }
}

#[test]
fn every_family_agrees_with_the_sum_over_all_paths() {
    for family in Family::ALL {
        for index in 0..4 {
            let mut rng = ChaCha20Rng::seed_from_u64(index);
            let automaton = family.automaton(&mut rng);
            let text = automaton.sample(&mut rng, 48);
            check(&automaton, &text);
        }
    }
}

#[test]
fn a_text_of_another_generator_is_impossible() {
    assert!(ambiguous().nats(b"ax")[1].is_infinite());
}

#[test]
fn arithmetic_costs_two_digits_a_line() {
    let document = generate(Family::Arithmetic, &[7; 32], 3, 36);
    let nats = document.nats.unwrap();
    let line: f64 = nats[..18].iter().sum();
    assert!((line - 100f64.ln()).abs() < 1e-9, "{line}");
    assert!(nats[2..18].iter().all(|nat| nat.abs() < 1e-12), "only the first number is free");
}

#[test]
fn a_sample_costs_its_entropy_on_average() {
    // The mean cost of a word from the uniform choice of 4 is ln 4, whatever the bytes.
    let words = ["wo ", "wa ", "xe ", "xi "].map(|word| (word.as_bytes().to_vec(), 1)).to_vec();
    let automaton = Automaton { states: vec![State { words, next: vec![(0, 1)] }] };
    let text = automaton.sample(&mut ChaCha20Rng::seed_from_u64(1), 300);
    let sum: f64 = automaton.nats(&text).iter().sum();
    assert!((sum - 100.0 * 4f64.ln()).abs() < 1e-9, "{sum}");
}
