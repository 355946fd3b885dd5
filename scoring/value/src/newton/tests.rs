//! The optimum, by certificate, against EM, and where it is degenerate.

use super::*;
use crate::em;
use crate::seeded::Seeded;
use crate::testing::{assert_close, random_game};

fn likelihood(probs: &[f64], tokens: usize, weights: &[f64]) -> f64 {
    let at = |t: usize| weights.iter().enumerate().map(|(i, w)| w * probs[i * tokens + t]).sum::<f64>().ln();
    (0..tokens).map(at).sum::<f64>() / tokens as f64
}

fn cells(seed: u64, n: usize, tokens: usize) -> Vec<f64> {
    let game = random_game(seed, n, tokens);
    (0..n).flat_map(|i| game.probs(i).to_vec()).collect()
}

fn by_em(probs: &[f64], n: usize, tokens: usize) -> Stacking {
    em::maximise(probs, tokens, vec![1.0 / n as f64; n], 1e-12, 200_000)
}

#[test]
fn em_converges_to_the_same_weights() {
    for seed in 0..40 {
        let (n, tokens) = (1 + seed as usize % 9, 60 + 40 * (seed as usize % 5));
        let probs = cells(seed, n, tokens);
        let found = maximise(&probs, tokens);
        assert!(found.gap < 1e-13, "seed {seed}: {}", found.gap);
        assert!((found.weights.iter().sum::<f64>() - 1.0).abs() < 1e-14);
        assert_close(&found.weights, &by_em(&probs, n, tokens).weights, 1e-7);
    }
}

/// More miners than tokens: most get nothing, and the likelihood is still the best there is.
#[test]
fn few_tokens() {
    for (seed, n, tokens) in [(1, 3, 1), (2, 8, 1), (3, 30, 2), (4, 40, 7), (5, 1, 1)] {
        let probs = cells(seed, n, tokens);
        let found = maximise(&probs, tokens);
        assert!(found.gap < 1e-12, "{n} × {tokens}: {}", found.gap);
        let em = by_em(&probs, n, tokens);
        assert!(
            likelihood(&probs, tokens, &found.weights) >= likelihood(&probs, tokens, &em.weights) - 1e-14
        );
        assert!(found.weights.iter().filter(|weight| **weight > 1e-9).count() <= tokens);
    }
}

#[test]
fn ties_are_shared_equally() {
    let probs = [0.5, 0.5, 0.2];
    assert_close(&maximise(&probs, 1).weights, &[0.5, 0.5, 0.0], 1e-15);
    let copy = [0.7, 0.1, 0.1, 0.6, 0.7, 0.1];
    let found = maximise(&copy, 2).weights;
    assert_eq!(found[0], found[2]);
    let alone = maximise(&copy[..4], 2).weights;
    assert_eq!(found[0] + found[2], alone[0], "to the bit");
}

/// A row that is the mean of two others leaves the weights open; the likelihood is not.
#[test]
fn a_redundant_row_costs_nothing() {
    let mut probs = cells(7, 3, 50);
    let mean: Vec<f64> = (0..50).map(|t| 0.5 * (probs[t] + probs[50 + t])).collect();
    let alone = maximise(&probs, 50);
    probs.extend(mean);
    let found = maximise(&probs, 50);
    assert!(found.gap < 1e-11, "{}", found.gap);
    let before = likelihood(&probs, 50, &[alone.weights, vec![0.0]].concat());
    assert!((likelihood(&probs, 50, &found.weights) - before).abs() < 1e-13);
}

/// Fifteen orders of magnitude, a row that is right nowhere but once.
#[test]
fn extreme_probabilities() {
    let mut rng = Seeded::new(5, 0);
    for _ in 0..20 {
        let probs: Vec<f64> = (0..6 * 40).map(|_| 10f64.powf(-15.0 * rng.unit())).collect();
        let found = maximise(&probs, 40);
        assert!(found.gap < 1e-10, "{}", found.gap);
        assert!(found.weights.iter().all(|weight| (0.0..=1.0).contains(weight)));
    }
}

/// Beyond the size that is solved at once, only rows that matter are taken in; the certificate is over all.
#[test]
fn many_rows() {
    let (n, tokens) = (400, 60);
    let probs = cells(11, n, tokens);
    let found = maximise(&probs, tokens);
    assert!(found.gap < 1e-11, "{}", found.gap);
    let support = found.weights.iter().filter(|weight| **weight > 0.0).count();
    assert!(support <= tokens, "{support}");
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let probs = cells(13, 20, 300);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| maximise(&probs, 300))
    };
    assert_eq!(run(1), run(3));
}
