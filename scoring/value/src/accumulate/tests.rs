//! Forgetting goes by samples, and only by samples.

use super::*;
use proptest::prelude::*;

#[test]
fn a_miner_that_was_not_sampled_keeps_its_score() {
    let mut score = Score::new(1_000.0);
    score.update(0.4, 500);
    let before = score;
    for _ in 0..50 {
        score.update(0.0, 0);
        score.update(f64::NAN, 10);
    }
    assert_eq!(score, before);
}

#[test]
fn half_life_is_in_samples() {
    let mut score = Score::new(100.0);
    score.update(1.0, 1_000_000);
    score.update(0.0, 100);
    assert!((score.mean - 0.5).abs() < 1e-12, "{}", score.mean);
    let limit = 2.0 * 100.0 / std::f64::consts::LN_2;
    assert!((score.n_eff - limit).abs() < 1.0, "{} against {limit}", score.n_eff);
}

#[test]
fn without_forgetting_it_is_the_plain_mean() {
    let mut score = Score::new(0.0);
    score.update(1.0, 30);
    score.update(2.0, 10);
    assert_eq!((score.mean, score.n_eff, score.weight), (1.25, 40.0, 40.0));
}

proptest! {
    #[test]
    fn cutting_samples_into_epochs_does_not_matter(half_life in 5.0f64..500.0, cuts in prop::collection::vec(1u64..50, 1..8)) {
        let mut whole = Score::new(half_life);
        whole.update(0.2, 77);
        let mut cut = whole;
        whole.update(0.9, cuts.iter().sum());
        cuts.iter().for_each(|&n| cut.update(0.9, n));
        prop_assert!((whole.mean - cut.mean).abs() < 1e-9);
        prop_assert!((whole.n_eff - cut.n_eff).abs() < 1e-6);
        prop_assert!((whole.weight - cut.weight).abs() < 1e-6);
    }

    #[test]
    fn bounds(half_life in 5.0f64..500.0, epochs in prop::collection::vec((0.0f64..1.0, 0u64..200), 1..20)) {
        let mut score = Score::new(half_life);
        let mut seen = 0;
        for (mean, n) in epochs {
            score.update(mean, n);
            seen += n;
            prop_assert!((0.0..=1.0).contains(&score.mean));
            prop_assert!(score.n_eff <= seen as f64 + 1e-6);
        }
    }
}
