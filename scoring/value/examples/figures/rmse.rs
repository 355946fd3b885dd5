//! Error of sampled Shapley values against the number of coalitions evaluated: rounds on a circle (this crate), plain
//! permutations, and antithetic ones (an order and its reverse).

use crate::chart::{Curve, Figure};
use crate::world::{Guard, World};
use acumen_scoring_value::Game;
use acumen_scoring_value::game::{shapley_exact, shapley_sampled};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::error::Error;

const PLAYERS: usize = 16;
const TOKENS: usize = 512;

/// Repetitions per point, over games and seeds.
const GAMES: u64 = 6;
const SEEDS: u64 = 16;

/// Sixteen forecasters of different skill.
fn game(seed: u64) -> Result<Game, Box<dyn Error>> {
    let mut world = World::new(seed);
    let miners: Vec<_> = (0..PLAYERS).map(|i| world.forecaster(0.4 + 0.1 * i as f64)).collect();
    let ranks: Vec<u64> = (0..PLAYERS as u64).collect();
    let tokens: Vec<usize> = (0..TOKENS).collect();
    Ok(world.pay(&miners, &ranks, Guard::Nothing).game.at(&tokens))
}

/// Mean marginal value over `orders`.
fn by_orders(game: &Game, orders: &[Vec<usize>]) -> Vec<f64> {
    let mut values = vec![0.0; PLAYERS];
    let base = game.reference().iter().map(|q| q.ln()).sum::<f64>() / TOKENS as f64;
    for order in orders {
        let (mut sums, mut weight, mut previous) = (vec![0.0; TOKENS], 0.0, 0.0);
        for &miner in order {
            weight += game.weights()[miner];
            sums.iter_mut().zip(game.probs(miner)).for_each(|(sum, p)| *sum += game.weights()[miner] * p);
            let value =
                sums.iter().map(|x: &f64| x.ln()).sum::<f64>() / TOKENS as f64 - f64::ln(weight) - base;
            values[miner] += (value - previous) / orders.len() as f64;
            previous = value;
        }
    }
    values
}

fn random_orders(seed: u64, count: usize, antithetic: bool) -> Vec<Vec<usize>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut orders = Vec::new();
    while orders.len() < count {
        let mut order: Vec<usize> = (0..PLAYERS).collect();
        for last in (1..PLAYERS).rev() {
            order.swap(last, (rng.next_u64() % (last as u64 + 1)) as usize);
        }
        let reverse = order.iter().rev().copied().collect();
        orders.push(order);
        if antithetic {
            orders.push(reverse);
        }
    }
    orders
}

/// Root mean square error over miners, games and seeds.
fn rmse(games: &[(Game, Vec<f64>)], estimate: impl Fn(&Game, u64) -> Vec<f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for (game, exact) in games {
        for seed in 0..SEEDS {
            for (value, exact) in estimate(game, seed).iter().zip(exact) {
                sum += (value - exact) * (value - exact);
                count += 1.0;
            }
        }
    }
    f64::sqrt(sum / count)
}

pub fn figure() -> Result<Figure, Box<dyn Error>> {
    let games = (0..GAMES)
        .map(|seed| {
            let game = game(seed)?;
            let exact = shapley_exact(&game)?;
            Ok((game, exact))
        })
        .collect::<Result<Vec<_>, Box<dyn Error>>>()?;
    let mut curves: Vec<Curve> =
        ["rounds on a circle (this crate)", "antithetic permutations", "plain permutations"]
            .iter()
            .map(|label| Curve { label: (*label).to_owned(), points: Vec::new() })
            .collect();
    for permutations in [16, 32, 64, 128, 256, 512, 1_024] {
        let evaluations = (permutations * PLAYERS) as f64;
        // Its least is eight rounds of n orders.
        if permutations >= 8 * PLAYERS {
            let ours = rmse(&games, |game, seed| shapley_sampled(game, seed, permutations).mean);
            curves[0].points.push((evaluations, ours));
        }
        for (curve, antithetic) in [(1, true), (2, false)] {
            let error =
                rmse(&games, |game, seed| by_orders(game, &random_orders(seed, permutations, antithetic)));
            curves[curve].points.push((evaluations, error));
        }
    }
    Ok(Figure {
        title: "Error of sampled Shapley values, 16 miners, 512 tokens".to_owned(),
        x: "coalitions evaluated",
        y: "RMSE, nats per token",
        x_range: 200.0..20_000.0,
        y_range: 0.0005..0.1,
        logarithmic: true,
        curves,
    })
}
