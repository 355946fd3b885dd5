//! How the reward moves with quality, with redundancy, and with lies, in the world of the attack tests.

use crate::chart::{Curve, Figure};
use crate::world::{Answers, Guard, HONEST, Outcome, World, base, temper};
use acumen_scoring_value::game::own_gain;
use acumen_scoring_value::{RewardRule, composite};
use std::error::Error;

/// The miner that varies.
const STAR: usize = 0;

/// Draws of the noise per point of the picture of copies.
const DRAWS: usize = 8;

fn ranks(count: usize) -> Vec<u64> {
    (0..count as u64).collect()
}

fn curve(label: &str, points: impl Iterator<Item = (f64, f64)>) -> Curve {
    Curve { label: label.to_owned(), points: points.collect() }
}

fn share(paid: &Outcome, alpha: f64) -> f64 {
    100.0 * composite(&paid.game, &RewardRule { alpha, ..RewardRule::default() })[STAR]
}

/// The star instead of its honest self, among the others.
fn with_star(world: &World, answers: Answers) -> Outcome {
    let mut miners = world.honest.clone();
    miners[STAR] = answers;
    world.pay(&miners, &ranks(HONEST), Guard::Whole)
}

/// The star sees the truth through more or less noise.
pub fn quality() -> Result<Figure, Box<dyn Error>> {
    let mut world = base().0.clone();
    let paid: Vec<(f64, Outcome)> = [0.3, 0.45, 0.6, 0.9, 1.1, 1.4, 1.8, 2.4, 3.2, 5.0]
        .into_iter()
        .map(|noise| {
            let answers = world.forecaster(noise);
            let outcome = with_star(&world, answers);
            (own_gain(&outcome.game)[STAR], outcome)
        })
        .collect();
    let others = &own_gain(&base().1.game)[1..];
    let least = others.iter().copied().fold(f64::INFINITY, f64::min);
    let most = others.iter().copied().fold(0.0, f64::max);
    let line =
        |label: &str, alpha: f64| curve(label, paid.iter().map(|(gain, out)| (*gain, share(out, alpha))));
    Ok(Figure {
        title: format!("Reward and quality: one miner varies, four have {least:.2} to {most:.2} nats"),
        x: "own gain of the miner, nats per token",
        y: "its share of what is paid, %",
        x_range: 0.0..1.4,
        y_range: 0.0..30.0,
        logarithmic: false,
        curves: vec![
            line("reward, α = ½", 0.5),
            line("own gain alone, α = 1", 1.0),
            line("marginal value alone, α = 0", 0.0),
        ],
    })
}

/// A copy of the star under noise, in a second slot.
pub fn redundancy() -> Result<Figure, Box<dyn Error>> {
    let (mut world, honest) = (base().0.clone(), &base().1);
    let star = world.honest[STAR].clone();
    let seniority = ranks(HONEST + 1);
    let mut rows = Vec::new();
    for sigma in [0.0, 0.15, 0.3, 0.34, 0.4, 0.5, 0.7, 1.0, 1.4, 2.0] {
        let mut sums = [(0.0, 0.0); 3];
        for _ in 0..DRAWS {
            let copy = world.noisy(&star, sigma);
            let miners = [world.honest.clone(), vec![copy]].concat();
            for (sum, guard) in sums.iter_mut().zip([Guard::Nothing, Guard::Distance, Guard::Whole]) {
                let paid = world.pay(&miners, &seniority, guard);
                let total = paid.reward[STAR] + paid.reward[HONEST];
                sum.0 += paid.distances[STAR] / DRAWS as f64;
                sum.1 += 100.0 * total / honest.reward[STAR] / DRAWS as f64;
            }
        }
        rows.push(sums);
    }
    let line = |label: &str, at: usize| curve(label, rows.iter().map(|row| row[at]));
    Ok(Figure {
        title: "Reward and redundancy: a miner and its copy under noise".to_owned(),
        x: "distance of the copy, Hellinger, after fitting a temperature",
        y: "reward of both, % of honest",
        x_range: 0.0..0.55,
        y_range: 80.0..170.0,
        logarithmic: false,
        curves: vec![
            line("no clusters", 0),
            line("clusters by distance, τ = 0.1", 1),
            line("and what adds nothing (default)", 2),
        ],
    })
}

/// The star reports p^β instead of p.
pub fn lies() -> Result<Figure, Box<dyn Error>> {
    let (world, honest) = base();
    let paid: Vec<(f64, Outcome)> =
        [0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0, 2.5, 3.0]
            .into_iter()
            .map(|beta| (beta, with_star(world, temper(&world.honest[STAR], beta))))
            .collect();
    let line = |label: &str, alpha: f64| {
        let fair = share(honest, alpha);
        curve(label, paid.iter().map(|(beta, out)| (*beta, 100.0 * share(out, alpha) / fair)))
    };
    Ok(Figure {
        title: "Reward and lies: a miner that reports p to the power β".to_owned(),
        x: "β (1 is the truth, above it exaggerates, below it hedges)",
        y: "its reward, % of honest",
        x_range: 0.4..3.0,
        y_range: 0.0..115.0,
        logarithmic: false,
        curves: vec![
            line("reward, α = ½", 0.5),
            line("own gain alone, α = 1", 1.0),
            line("marginal value alone, α = 0", 0.0),
        ],
    })
}
