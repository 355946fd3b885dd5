//! Sampled values: exact where they must be, and intervals that cover.

use super::*;

#[test]
fn every_round_is_efficient() {
    let game = random_game(1, 15, 50);
    let everyone: Vec<usize> = (0..15).collect();
    let estimate = shapley_sampled(&game, 3, 1);
    assert_eq!((estimate.rounds, estimate.evaluations), (8, 8 * 15 * 15));
    assert!((estimate.mean.iter().sum::<f64>() - game.value(&everyone)).abs() < 1e-12);
}

/// With two players there are only ends, and both are exact.
#[test]
fn the_ends_are_exact() {
    let game = random_game(2, 2, 50);
    let estimate = shapley_sampled(&game, 3, 4);
    assert_close(&estimate.mean, &shapley_exact(&game).unwrap(), 1e-12);
    assert!(estimate.high[0] - estimate.low[0] < 1e-9);
    let alone = random_game(2, 1, 50);
    assert_close(&shapley_sampled(&alone, 3, 4).mean, &own_gain(&alone), 1e-12);
}

#[test]
fn seeds_matter_and_repeat() {
    let game = random_game(3, 8, 20);
    assert_eq!(shapley_sampled(&game, 1, 64), shapley_sampled(&game, 1, 64));
    assert_ne!(shapley_sampled(&game, 1, 64).mean, shapley_sampled(&game, 2, 64).mean);
}

/// Share of (game, miner) whose exact value lies inside the interval, over 1,000 games.
fn coverage(estimate: impl Fn(&Game, u64) -> Estimate, exact: impl Fn(&Game) -> Vec<f64>) -> f64 {
    let (mut inside, mut all) = (0u32, 0u32);
    for seed in 0..1_000 {
        let game = random_game(seed, 4 + seed as usize % 5, 16);
        let guess = estimate(&game, seed);
        for (i, value) in exact(&game).into_iter().enumerate() {
            inside += u32::from((guess.low[i]..=guess.high[i]).contains(&value));
            all += 1;
        }
    }
    f64::from(inside) / f64::from(all)
}

#[test]
fn shapley_intervals_cover() {
    for permutations in [24, 64, 200] {
        let share =
            coverage(|game, seed| shapley_sampled(game, seed, permutations), |g| shapley_exact(g).unwrap());
        println!("{permutations} permutations: {share:.4}");
        assert!(share >= 0.95, "{permutations} permutations cover {share}");
    }
}

#[test]
fn banzhaf_intervals_cover() {
    for pairs in [10, 100] {
        let share = coverage(|game, seed| banzhaf_sampled(game, seed, pairs), |g| banzhaf_exact(g).unwrap());
        println!("{pairs} pairs: {share:.4}");
        assert!(share >= 0.95, "{pairs} pairs cover {share}");
    }
}

/// Hoeffding: the mean of R independent rounds within r √(ln(2/δ) / 2R) of the value, for 1 − δ of the draws at least,
/// r the range of a player's marginal values. Rounds vary far less than that range, so nothing at all may lie outside.
#[test]
fn errors_stay_within_hoeffdings_bound() {
    for seed in 0..300 {
        let game = random_game(seed, 4 + seed as usize % 5, 16);
        let table = Coalitions::of(&game).unwrap();
        let guess = shapley_sampled(&game, seed, 64);
        for (i, exact) in shapley_exact(&game).unwrap().into_iter().enumerate() {
            let without = (0..table.values().len()).filter(|s| s >> i & 1 == 0);
            let marginals: Vec<f64> =
                without.map(|s| table.values()[s | 1 << i] - table.values()[s]).collect();
            let range = marginals.iter().copied().fold(f64::MIN, f64::max)
                - marginals.iter().copied().fold(f64::MAX, f64::min);
            let bound = range * ((2.0 / 0.05f64).ln() / (2.0 * guess.rounds as f64)).sqrt();
            assert!((guess.mean[i] - exact).abs() <= bound, "seed {seed}, miner {i}");
        }
    }
}
