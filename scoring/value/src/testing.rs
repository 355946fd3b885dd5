//! Seeded games for tests.

use crate::seeded::Seeded;
use crate::{Game, GameSpec};

/// Probabilities over three orders of magnitude, unequal weights.
pub(crate) fn random_spec(seed: u64, miners: usize, tokens: usize) -> GameSpec {
    let mut rng = Seeded::new(seed, 0);
    let mut row = |_| (0..tokens).map(|_| 10f64.powf(-3.0 * rng.unit())).collect();
    let probs = (0..miners).map(&mut row).collect();
    let reference = row(0);
    let weights = Some((0..miners).map(|_| 0.2 + rng.unit()).collect());
    GameSpec { probs, reference, weights, ..GameSpec::default() }
}

pub(crate) fn random_game(seed: u64, miners: usize, tokens: usize) -> Game {
    Game::new(random_spec(seed, miners, tokens)).unwrap()
}

/// A random distribution over `size` outcomes: a softmax of uniform logits in [0, spread).
pub(crate) fn random_dist(rng: &mut Seeded, size: usize, spread: f64) -> Vec<f64> {
    let raw: Vec<f64> = (0..size).map(|_| (spread * rng.unit()).exp()).collect();
    let total: f64 = raw.iter().sum();
    raw.into_iter().map(|x| x / total).collect()
}

#[track_caller]
pub(crate) fn assert_close(a: &[f64], b: &[f64], tolerance: f64) {
    assert_eq!(a.len(), b.len());
    for (i, (x, y)) in a.iter().zip(b).enumerate() {
        assert!((x - y).abs() <= tolerance, "entry {i}: {x} against {y}");
    }
}
