//! A small world of forecasters, for experiments with the reward.
//!
//! K outcomes, T positions in documents of 25. Position t has a topic and a true distribution π_t; a miner sees its
//! logits through noise, little on its own topic and much on others, so miners differ in what they know. The realised
//! token is drawn from π_t. Everything follows from a seed.

use acumen_scoring_value::cluster::{Affinity, CLUSTER_TAU};
use acumen_scoring_value::encompass::{EncompassRule, absorb};
use acumen_scoring_value::{Game, GameSpec, Report, RewardRule, composite};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::sync::OnceLock;

pub const OUTCOMES: usize = 32;
pub const TOKENS: usize = 4_500;
/// Positions over which distances are measured.
const COMPARED: usize = 1_000;
pub const HONEST: usize = 5;

/// One distribution per position; None where the answer was refused.
pub type Answers = Vec<Option<Vec<f64>>>;

#[derive(Clone)]
pub struct World {
    rng: ChaCha8Rng,
    pub realised: Vec<usize>,
    /// Logits of the true distributions.
    truth: Vec<Vec<f64>>,
    /// Answers of the honest miners.
    pub honest: Vec<Answers>,
}

/// What one evaluation pays.
#[derive(Clone)]
pub struct Outcome {
    pub clusters: Vec<usize>,
    /// The game that was paid.
    pub game: Game,
    pub reward: Vec<f64>,
    /// Distance of the last miner to each.
    pub distances: Vec<f64>,
}

/// Which copies a validator looks for.
#[derive(Clone, Copy, PartialEq)]
pub enum Guard {
    /// None.
    Nothing,
    /// Those within τ.
    Distance,
    /// Those, and what adds nothing to a senior miner.
    Whole,
}

/// Seed of the world that every attack is tried in.
const SEED: u64 = 20;

/// That world, and what it pays if all are honest.
pub fn base() -> &'static (World, Outcome) {
    static BASE: OnceLock<(World, Outcome)> = OnceLock::new();
    BASE.get_or_init(|| {
        let world = World::new(SEED);
        let paid = world.pay(&world.honest, &(0..HONEST as u64).collect::<Vec<_>>(), Guard::Whole);
        (world, paid)
    })
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut world = Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            realised: Vec::new(),
            truth: Vec::new(),
            honest: Vec::new(),
        };
        world.honest = vec![Vec::new(); HONEST];
        for t in 0..TOKENS {
            let logits: Vec<f64> = (0..OUTCOMES).map(|_| 2.0 * world.normal()).collect();
            for miner in 0..HONEST {
                let noise = if t % HONEST == miner { 0.3 } else { 1.2 };
                let seen = world.see(&logits, noise);
                world.honest[miner].push(Some(seen));
            }
            let truth = softmax(&logits);
            let mut left = world.unit();
            let drawn = truth.iter().position(|prob| {
                left -= prob;
                left < 0.0
            });
            world.realised.push(drawn.unwrap_or(OUTCOMES - 1));
            world.truth.push(logits);
        }
        world
    }

    /// The best report of somebody who sees `logits` through noise.
    fn see(&mut self, logits: &[f64], noise: f64) -> Vec<f64> {
        // It shrinks what was seen by signal / (signal + noise) variance.
        let shrink = 4.0 / (4.0 + noise * noise);
        let seen: Vec<f64> = logits.iter().map(|logit| shrink * (logit + noise * self.normal())).collect();
        softmax(&seen)
    }

    /// A miner that sees every position through the same noise.
    pub fn forecaster(&mut self, noise: f64) -> Answers {
        let truth = self.truth.clone();
        truth.iter().map(|logits| Some(self.see(logits, noise))).collect()
    }

    pub fn unit(&mut self) -> f64 {
        (self.rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Box–Muller.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// The same answers with Gaussian noise on the logits.
    pub fn noisy(&mut self, answers: &Answers, sigma: f64) -> Answers {
        answers
            .iter()
            .map(|answer| {
                answer.as_ref().map(|dist| {
                    let logits: Vec<f64> =
                        dist.iter().map(|prob| prob.ln() + sigma * self.normal()).collect();
                    softmax(&logits)
                })
            })
            .collect()
    }

    /// Reports are checked, distances measured, clusters formed, and the reward paid, as a validator does.
    pub fn pay(&self, miners: &[Answers], seniority: &[u64], guard: Guard) -> Outcome {
        let uniform = Report::uniform(OUTCOMES as u32).expect("a small vocabulary");
        let mut affinity = Affinity::new(miners.len()).expect("few miners");
        let mut probs = vec![Vec::with_capacity(TOKENS); miners.len()];
        for t in 0..TOKENS {
            let checked: Vec<Option<Report>> = miners
                .iter()
                .map(|answers| answers[t].as_ref().and_then(|dist| Report::from_dense(dist).ok()))
                .collect();
            if t < COMPARED {
                let dense: Vec<Option<Vec<f64>>> =
                    checked.iter().map(|report| report.as_ref().map(Report::dense)).collect();
                let views: Vec<Option<&[f64]>> = dense.iter().map(|dist| dist.as_deref()).collect();
                affinity.observe(&views).expect("one vocabulary");
            }
            for (row, report) in probs.iter_mut().zip(&checked) {
                row.push(report.as_ref().unwrap_or(&uniform).prob(self.realised[t] as u32));
            }
        }
        let near = affinity.clusters(CLUSTER_TAU, seniority);
        let spec = GameSpec {
            probs,
            reference: vec![1.0 / OUTCOMES as f64; TOKENS],
            documents: Some((0..TOKENS as u64).map(|t| t / 25).collect()),
            weights: None,
            clusters: Some(near.iter().map(|&label| label as u64).collect()),
            seniority: Some(seniority.to_vec()),
        };
        let game = Game::new(spec).expect("reports are floored");
        let clusters = match guard {
            Guard::Nothing => (0..miners.len()).collect(),
            Guard::Distance => near,
            Guard::Whole => absorb(&game, &EncompassRule::default()),
        };
        let last = miners.len() - 1;
        let distances = (0..miners.len()).map(|at| affinity.distance(at, last).unwrap_or(1.0)).collect();
        let game = game.regrouped(&clusters);
        let reward = composite(&game, &RewardRule::default());
        Outcome { clusters, game, reward, distances }
    }
}

pub fn softmax(logits: &[f64]) -> Vec<f64> {
    let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let raw: Vec<f64> = logits.iter().map(|logit| (logit - top).exp()).collect();
    let total: f64 = raw.iter().sum();
    raw.into_iter().map(|x| x / total).collect()
}

/// p^β / Z.
pub fn temper(answers: &Answers, beta: f64) -> Answers {
    answers
        .iter()
        .map(|answer| {
            answer.as_ref().map(|dist| softmax(&dist.iter().map(|prob| beta * prob.ln()).collect::<Vec<_>>()))
        })
        .collect()
}
