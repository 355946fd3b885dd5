//! Copies are absorbed at any distance, information is not, and doubt is in favour of the junior.

use super::*;
use crate::GameSpec;
use crate::seeded::Seeded;
use crate::testing::random_dist;

const VOCAB: usize = 16;
const TOKENS: usize = 5_000;

/// Logits seen through noise.
fn blur(rng: &mut Seeded, dist: &[f64], noise: f64) -> Vec<f64> {
    let raw: Vec<f64> = dist.iter().map(|prob| prob * (noise * (2.0 * rng.unit() - 1.0)).exp()).collect();
    let total: f64 = raw.iter().sum();
    raw.into_iter().map(|prob| prob / total).collect()
}

/// Tokens drawn from a truth that `makers` see; rows in their order.
fn game(tokens: usize, seniority: &[u64], makers: impl Fn(&mut Seeded, &[f64]) -> Vec<Vec<f64>>) -> Game {
    let mut rng = Seeded::new(3, 0);
    let mut probs = vec![Vec::new(); seniority.len()];
    for _ in 0..tokens {
        let truth = random_dist(&mut rng, VOCAB, 6.0);
        let mut left = rng.unit();
        let drawn = truth.iter().position(|prob| {
            left -= prob;
            left < 0.0
        });
        let token = drawn.unwrap_or(VOCAB - 1);
        let seen = makers(&mut rng, &truth);
        probs.iter_mut().zip(seen).for_each(|(row, dist)| row.push(dist[token]));
    }
    let reference = vec![1.0 / VOCAB as f64; tokens];
    let seniority = Some(seniority.to_vec());
    Game::new(GameSpec { probs, reference, seniority, ..GameSpec::default() }).unwrap()
}

/// What a miner adds to the first one.
fn of(game: &Game, junior: usize) -> Added {
    added(game.probs(0), game.probs(junior), game.documents())
}

/// An original, copies of it under weak and strong noise, and an honest model of the same quality.
fn field(tokens: usize, seniority: [u64; 4]) -> Game {
    game(tokens, &seniority, |rng, truth| {
        let original = blur(rng, truth, 1.0);
        let copies = [blur(rng, &original, 0.5), blur(rng, &original, 1.5)];
        vec![original, copies[0].clone(), copies[1].clone(), blur(rng, truth, 1.0)]
    })
}

#[test]
fn noise_adds_nothing_and_another_model_does() {
    let game = field(TOKENS, [0, 1, 2, 3]);
    assert!(of(&game, 1).high < LEAST_ADDED && of(&game, 2).high < LEAST_ADDED);
    assert!(of(&game, 3).mean > 5.0 * LEAST_ADDED, "{:?}", of(&game, 3));
    assert_eq!(absorb(&game, &EncompassRule::default()), [0, 0, 0, 3]);
}

/// The copy came first: the original improves on it and keeps its own pay.
#[test]
fn a_better_junior_is_a_player() {
    let game = field(TOKENS, [5, 9, 1, 3]);
    assert_eq!(absorb(&game, &EncompassRule::default()), [0, 0, 2, 3]);
}

#[test]
fn few_tokens_or_no_threshold_absorb_nobody() {
    let few = field(MIN_TOKENS - 1, [0, 1, 2, 3]);
    assert_eq!(absorb(&few, &EncompassRule::default()), [0, 1, 2, 3]);
    let rule = EncompassRule { min_tokens: 1_000, ..EncompassRule::default() };
    assert_eq!(absorb(&few, &rule), [0, 0, 0, 3], "with the same evidence and another minimum");
    let off = EncompassRule { least_added: 0.0, min_tokens: 0 };
    assert_eq!(absorb(&few, &off), [0, 1, 2, 3]);
}

/// A junior that two seniors encompass must not make one player of those.
#[test]
fn seniors_are_not_merged_through_a_junior() {
    assert_eq!(settle(&[0, 1, 2], &[0, 1, 2], |_, junior| junior == 2), [0, 1, 0]);
}

#[test]
fn clusters_go_along_with_their_senior() {
    let plain = field(TOKENS, [0, 8, 2, 3]);
    let spec = GameSpec { clusters: Some(vec![0, 7, 7, 1]), ..GameSpec::from(plain) };
    assert_eq!(absorb(&Game::new(spec).unwrap(), &EncompassRule::default()), [0, 0, 0, 3]);
}

/// Tokens of one document that move together are less evidence.
#[test]
fn doubt_counts_documents() {
    let mut spec = GameSpec::from(field(TOKENS, [0, 1, 2, 3]));
    let alone = of(&Game::new(spec.clone()).unwrap(), 3);
    for row in &mut spec.probs {
        *row = row.iter().step_by(50).flat_map(|prob| [*prob; 50]).collect();
    }
    spec.documents = Some((0..TOKENS as u64).map(|t| t / 50).collect());
    let together = of(&Game::new(spec).unwrap(), 3);
    assert!(together.high - together.mean > 4.0 * (alone.high - alone.mean));
}

/// The quick decision is the same as the whole one.
#[test]
fn encompassing_is_an_upper_end_below_the_threshold() {
    let game = field(TOKENS, [0, 1, 2, 3]);
    let rule = EncompassRule::default();
    for (senior, junior) in (0..4).flat_map(|a| (0..4).map(move |b| (a, b))) {
        let (a, b) = (game.probs(senior), game.probs(junior));
        assert_eq!(rule.encompasses(a, b, None), added(a, b, None).high < LEAST_ADDED);
    }
}

#[test]
fn an_absorbed_miner_absorbs_nobody() {
    let chain = |senior: usize, junior: usize| junior == senior + 1;
    assert_eq!(settle(&[0, 1, 2, 3], &[0, 1, 2, 3], chain), [0, 0, 2, 2]);
    assert_eq!(settle(&[0, 1, 1, 0], &[9, 3, 1, 9], |_, _| true), [1, 1, 1, 1]);
}
