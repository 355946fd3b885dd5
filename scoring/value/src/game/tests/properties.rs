//! Axioms of Shapley and Banzhaf, on value games and on arbitrary tables.

use super::*;
use crate::seeded::Seeded;
use proptest::prelude::*;

fn random_table(seed: u64, n: usize) -> Vec<f64> {
    let mut rng = Seeded::new(seed, 1);
    let mut values: Vec<f64> = (0..1 << n).map(|_| 2.0 * rng.unit() - 1.0).collect();
    values[0] = 0.0;
    values
}

fn table(n: usize, values: Vec<f64>) -> Coalitions {
    Coalitions::from_values(n, values).unwrap()
}

/// Shapley's own definition: the mean marginal value over every order of joining.
fn over_all_orders(n: usize, values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..n).collect();
    let mut totals = vec![0.0; n];
    let mut orders = 0.0;
    permute(&mut order, 0, &mut |order| {
        let mut coalition = 0;
        for &player in order {
            totals[player] += values[coalition | 1 << player] - values[coalition];
            coalition |= 1 << player;
        }
        orders += 1.0;
    });
    totals.into_iter().map(|total| total / orders).collect()
}

fn permute(order: &mut [usize], from: usize, visit: &mut impl FnMut(&[usize])) {
    if from == order.len() {
        return visit(order);
    }
    for at in from..order.len() {
        order.swap(from, at);
        permute(order, from + 1, visit);
        order.swap(from, at);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn shapley_is_the_mean_over_all_orders(seed: u64, n in 1usize..=7) {
        let values = random_table(seed, n);
        assert_close(&table(n, values.clone()).shapley(), &over_all_orders(n, &values), 1e-12);
        let game = random_game(seed, n, 20);
        let values = Coalitions::of(&game).unwrap();
        assert_close(&shapley_exact(&game).unwrap(), &over_all_orders(n, values.values()), 1e-12);
    }

    #[test]
    fn banzhaf_is_the_mean_over_all_coalitions(seed: u64, n in 1usize..=9) {
        let values = random_table(seed, n);
        let direct: Vec<f64> = (0..n).map(|i| {
            let without = (0..1usize << n).filter(|s| s >> i & 1 == 0);
            without.map(|s| values[s | 1 << i] - values[s]).sum::<f64>() / (1u64 << (n - 1)) as f64
        }).collect();
        assert_close(&table(n, values).banzhaf(), &direct, 1e-12);
    }

    #[test]
    fn efficiency(seed: u64, n in 1usize..=12) {
        let game = random_game(seed, n, 33);
        let everyone: Vec<usize> = (0..n).collect();
        let total: f64 = shapley_exact(&game).unwrap().iter().sum();
        prop_assert!((total - game.value(&everyone)).abs() < 1e-12);
    }

    #[test]
    fn symmetry(seed: u64, n in 2usize..=8) {
        let mut spec = random_spec(seed, n, 33);
        spec.probs[n - 1] = spec.probs[0].clone();
        let weights = spec.weights.as_mut().unwrap();
        weights[n - 1] = weights[0];
        let game = Game::new(spec).unwrap();
        for values in [shapley_exact(&game).unwrap(), banzhaf_exact(&game).unwrap(), loo(&game), own_gain(&game)] {
            prop_assert!((values[0] - values[n - 1]).abs() < 1e-12);
        }
    }

    #[test]
    fn dummy(seed: u64, n in 2usize..=8) {
        let small = random_table(seed, n - 1);
        let half = small.len();
        let values: Vec<f64> = (0..2 * half).map(|s| small[s % half]).collect();
        let (with, without) = (table(n, values), table(n - 1, small));
        prop_assert_eq!(with.shapley()[n - 1], 0.0);
        prop_assert_eq!(with.banzhaf()[n - 1], 0.0);
        assert_close(&with.shapley()[..n - 1], &without.shapley(), 1e-12);
    }

    #[test]
    fn additivity(seed: u64, n in 1usize..=8) {
        let (a, b) = (random_table(seed, n), random_table(seed ^ 1, n));
        let sum: Vec<f64> = a.iter().zip(&b).map(|(x, y)| 3.0 * x + y).collect();
        let parts = table(n, a).shapley().into_iter().zip(table(n, b).shapley());
        let expected: Vec<f64> = parts.map(|(x, y)| 3.0 * x + y).collect();
        assert_close(&table(n, sum).shapley(), &expected, 1e-12);
    }

    /// Values of the whole are the token-weighted means of the values of its parts.
    #[test]
    fn additivity_over_tokens(seed: u64, cut in 1usize..39) {
        let game = random_game(seed, 6, 40);
        let head: Vec<usize> = (0..cut).collect();
        let tail: Vec<usize> = (cut..40).collect();
        let (a, b) = (shapley_exact(&game.at(&head)).unwrap(), shapley_exact(&game.at(&tail)).unwrap());
        let share = cut as f64 / 40.0;
        let expected: Vec<f64> = a.iter().zip(&b).map(|(x, y)| share * x + (1.0 - share) * y).collect();
        assert_close(&shapley_exact(&game).unwrap(), &expected, 1e-12);
    }

    #[test]
    fn order_of_miners_does_not_matter(seed: u64, n in 2usize..=9) {
        let game = random_game(seed, n, 25);
        let reversed: Vec<usize> = (0..n).rev().collect();
        let mirror = game.restrict(&reversed);
        let mut values = shapley_exact(&mirror).unwrap();
        values.reverse();
        assert_close(&values, &shapley_exact(&game).unwrap(), 1e-12);
        let mut values = loo(&mirror);
        values.reverse();
        assert_close(&values, &loo(&game), 1e-12);
    }
}
