//! Stacking: optimal by certificate and by brute force, and blind to copies.

use super::*;
use crate::seeded::Seeded;
use proptest::prelude::*;

fn likelihood(game: &Game, weights: &[f64]) -> f64 {
    let at = |t: usize| (0..game.miners()).map(|i| weights[i] * game.probs(i)[t]).sum::<f64>().ln();
    (0..game.tokens()).map(at).sum::<f64>() / game.tokens() as f64
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn optimality_conditions_hold(seed: u64, n in 1usize..=10) {
        let game = random_game(seed, n, 120);
        let result = stacking_exact(&game);
        prop_assert!((result.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let pooled: Vec<f64> =
            (0..120).map(|t| (0..n).map(|i| result.weights[i] * game.probs(i)[t]).sum()).collect();
        for i in 0..n {
            let gradient = game.probs(i).iter().zip(&pooled).map(|(p, q)| p / q).sum::<f64>() / 120.0;
            prop_assert!(gradient <= 1.0 + 1e-12, "miner {} could gain: {}", i, gradient);
            prop_assert!(result.weights[i] * (1.0 - gradient).abs() <= 1e-12);
        }
    }

    /// EM raises the likelihood with every step, and ends where Newton's method does.
    #[test]
    fn em_is_monotone(seed: u64) {
        let game = random_game(seed, 6, 70);
        let mut last = f64::NEG_INFINITY;
        for steps in (0..60).step_by(3) {
            let now = likelihood(&game, &stacking_with(&game, 0.0, steps).weights);
            prop_assert!(now >= last - 1e-13, "{} after {} at {} steps", now, last, steps);
            last = now;
        }
        prop_assert!(last <= likelihood(&game, &stacking(&game)) + 1e-13);
    }

    #[test]
    fn nothing_on_the_simplex_is_better(seed: u64) {
        let game = random_game(seed, 4, 60);
        let best = likelihood(&game, &stacking(&game));
        let mut rng = Seeded::new(seed, 9);
        for _ in 0..200 {
            let other = crate::testing::random_dist(&mut rng, 4, 8.0);
            prop_assert!(likelihood(&game, &other) <= best + 1e-9);
        }
    }

    #[test]
    fn clone_sum_invariance(seed: u64, copies in 1usize..5) {
        let alone = random_game(seed, 5, 80);
        let mut spec = random_spec(seed, 5, 80);
        for _ in 0..copies {
            spec.probs.push(spec.probs[2].clone());
        }
        spec.weights = None;
        let farm = stacking(&Game::new(spec).unwrap());
        let single = stacking(&alone);
        let total = farm[2] + farm[5..].iter().sum::<f64>();
        prop_assert!((total - single[2]).abs() < 1e-12, "{} against {}", total, single[2]);
        prop_assert!((0..5).all(|i| i == 2 || (farm[i] - single[i]).abs() < 1e-12));
    }
}

#[test]
fn a_dominated_miner_gets_nothing() {
    let good: Vec<f64> = (0..50).map(|t| 0.3 + 0.01 * f64::from(t)).collect();
    let bad = good.iter().map(|p| p * 0.5).collect();
    let spec = GameSpec { probs: vec![bad, good], reference: vec![0.1; 50], ..GameSpec::default() };
    assert_close(&stacking(&Game::new(spec).unwrap()), &[0.0, 1.0], 1e-9);
}
