//! The rule itself; what attackers make of it is in `tests/attacks.rs`.

use super::*;
use crate::game::{GameSpec, shapley_exact};
use crate::testing::{assert_close, random_game, random_spec};

#[test]
fn shares_of_positive_values() {
    assert_close(&combine(&[3.0, -1.0, 1.0], &[0.0, 2.0, 2.0], 0.5), &[0.375, 0.25, 0.375], 1e-15);
    assert_close(&combine(&[3.0, 1.0], &[0.0, 2.0], 1.0), &[0.75, 0.25], 1e-15);
    assert_close(&combine(&[3.0, 1.0], &[0.0, 2.0], 0.0), &[0.0, 1.0], 1e-15);
    assert_close(&combine(&[-3.0, -1.0], &[1.0, 1.0], 0.5), &[0.25, 0.25], 1e-15);
    assert_close(&combine(&[-3.0, 0.0], &[-1.0, 0.0], 0.5), &[0.0, 0.0], 0.0);
    assert_close(&combine(&[1.0, 1.0], &[1.0, 1.0], f64::NAN), &[0.5, 0.5], 1e-15);
    assert_close(&combine(&[f64::NAN, 1.0], &[1.0, f64::INFINITY], 0.5), &[0.5, 0.5], 1e-15);
}

#[test]
fn rounding_is_not_paid() {
    let spec = GameSpec {
        probs: vec![vec![0.5; 7], vec![0.5; 7]],
        reference: vec![0.5; 7],
        weights: Some(vec![1e-40, 1.0]),
        ..GameSpec::default()
    };
    assert_eq!(composite(&Game::new(spec).unwrap(), &RewardRule::default()), [0.0, 0.0]);
}

#[test]
fn juniors_earn_nothing_in_either_half() {
    let mut spec = random_spec(4, 4, 90);
    spec.reference = vec![1e-3; 90];
    spec.clusters = Some(vec![0, 1, 1, 2]);
    spec.seniority = Some(vec![9, 7, 3, 1]);
    let game = Game::new(spec).unwrap();
    let parts = breakdown(&game, &RewardRule::default());
    assert!(parts.own_gain[1] > 0.0, "its own gain is still shown");
    assert_eq!((parts.marginal[1], parts.reward[1]), (0.0, 0.0));
    assert!(parts.reward[2] > 0.0);
    assert!((parts.reward.iter().sum::<f64>() - 1.0).abs() < 1e-12);
}

#[test]
fn without_clusters_the_marginal_half_is_shapley() {
    let game = random_game(6, 5, 40);
    assert_close(&breakdown(&game, &RewardRule::default()).marginal, &shapley_exact(&game).unwrap(), 1e-15);
}

/// Truth (.5, .3, .15, .05), the others uniform: how far from the truth is the report that maximises
/// α · own gain + (1 − α) · Shapley value?
fn best_report_divergence(alpha: f64, others: usize) -> f64 {
    let truth = [0.5, 0.3, 0.15, 0.05];
    let tokens: Vec<usize> =
        [10, 6, 3, 1].iter().enumerate().flat_map(|(id, &count)| vec![id; count]).collect();
    let mut best = (f64::NEG_INFINITY, 0.0);
    for (a, b, c) in
        (0..=40).flat_map(|a| (0..=40 - a).flat_map(move |b| (0..=40 - a - b).map(move |c| (a, b, c))))
    {
        let share = |count: i32| (1.0 - 1e-4) * f64::from(count) / 40.0 + 1e-4 / 4.0;
        let report = [share(a), share(b), share(c), share(40 - a - b - c)];
        let mut probs = vec![vec![0.25; 20]; others + 1];
        probs[0] = tokens.iter().map(|&id| report[id]).collect();
        let game = Game::new(GameSpec { probs, reference: vec![0.25; 20], ..GameSpec::default() }).unwrap();
        let parts = breakdown(&game, &RewardRule::default());
        let pay = alpha * parts.own_gain[0] + (1.0 - alpha) * parts.marginal[0];
        if pay > best.0 {
            best = (pay, truth.iter().zip(report).map(|(p, q): (&f64, f64)| p * (p / q).ln()).sum());
        }
    }
    best.1
}

#[test]
fn half_own_gain_keeps_the_best_report_near_the_truth() {
    assert!(best_report_divergence(1.0, 3) < 1e-3, "own gain alone is strictly proper");
    assert!(best_report_divergence(0.0, 3) > 0.02, "marginal value alone is answered by exaggeration");
    for others in [1, 3] {
        let divergence = best_report_divergence(0.5, others);
        assert!(divergence < 0.004, "{others} others: {divergence}");
    }
}
