//! What a simulated miner answers: its belief, bent by its behaviour, floored as the chain's reports are.

use std::collections::BTreeMap;

use acumen_scoring_value::report::EPSILON;

use crate::scenario::{Miner, MinerBehaviour, Scenario};
use crate::seeded::Seeded;
use crate::world::{Calibration, Exam, softmax, trust};
use crate::{RunError, World};

/// A miner's distributions over an exam's positions.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    /// Position-major.
    pub(crate) dists: Vec<f64>,
    /// Probability of the realised outcomes.
    pub(crate) probs: Vec<f64>,
}

/// Who asks, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker {
    pub(crate) epoch: u64,
    pub(crate) validator: usize,
    pub(crate) stake_acu: u64,
}

/// A miner's error σ at its two qualities: its own and that of its swing.
#[derive(Debug, Clone, Copy)]
struct Errors {
    own: f64,
    swung: f64,
}

/// The miners of a scenario, ready to answer.
#[derive(Debug)]
pub(crate) struct Miners<'a> {
    scenario: &'a Scenario,
    errors: Vec<Errors>,
}

impl<'a> Miners<'a> {
    /// Calibrates every miner's quality.
    pub(crate) fn new(scenario: &'a Scenario) -> Result<Self, RunError> {
        let calibration = Calibration::new(&scenario.world, scenario.seed);
        // Many miners share a quality, and each costs a search.
        let mut known = BTreeMap::new();
        let mut error = |miner: usize, quality: f64| match known.get(&quality.to_bits()) {
            Some(error) => Ok(*error),
            None => {
                let refuse = |most| RunError::Quality { miner, quality, most };
                let error = calibration.error_of(quality).map_err(refuse)?;
                known.insert(quality.to_bits(), error);
                Ok(error)
            }
        };
        let mut errors = Vec::with_capacity(scenario.miners.len());
        for (index, miner) in scenario.miners.iter().enumerate() {
            let own = error(index, miner.quality)?;
            let swung = miner.swing.map_or(Ok(own), |swing| error(index, swing.quality))?;
            errors.push(Errors { own, swung });
        }
        Ok(Self { scenario, errors })
    }

    /// The answer of miner `index`, or `None` if it is dead.
    pub(crate) fn answer(&self, index: usize, exam: &Exam, asker: Asker) -> Option<Answer> {
        let miner = &self.scenario.miners[index];
        if miner.dies.is_some_and(|epoch| asker.epoch >= epoch) {
            return None;
        }
        let model = if let MinerBehaviour::CloneOf(original) = miner.behaviour { original } else { index };
        let world = &self.scenario.world;
        let scale = trust(world.sharpness, self.error(model, asker.epoch));
        let mut seen = self.seen(model, exam, asker);
        seen.iter_mut().for_each(|odds| *odds *= scale);
        self.bend(index, miner, &mut seen, asker);
        let dists = report(world, &seen);
        let probs =
            dists.chunks_exact(world.outcomes).zip(&exam.realised).map(|(dist, at)| dist[*at]).collect();
        Some(Answer { dists, probs })
    }

    fn error(&self, model: usize, epoch: u64) -> f64 {
        let miner = &self.scenario.miners[model];
        let Errors { own, swung } = self.errors[model];
        if miner.quality_in(epoch) == miner.quality { own } else { swung }
    }

    /// The log-odds as the model sees them.
    fn seen(&self, model: usize, exam: &Exam, asker: Asker) -> Vec<f64> {
        let numbers = [model as u64, asker.validator as u64, asker.epoch];
        let mut draws = Seeded::new(self.scenario.seed, "error", numbers);
        let error = self.error(model, asker.epoch);
        exam.odds.iter().map(|odds| odds + error * draws.normal()).collect()
    }

    fn bend(&self, index: usize, miner: &Miner, odds: &mut [f64], asker: Asker) {
        if miner.noise > 0.0 {
            let numbers = [index as u64, asker.validator as u64, asker.epoch];
            let mut draws = Seeded::new(self.scenario.seed, "noise", numbers);
            odds.iter_mut().for_each(|odds| *odds += miner.noise * draws.normal());
        }
        match miner.behaviour {
            MinerBehaviour::Exaggerator(power) => odds.iter_mut().for_each(|odds| *odds *= power),
            MinerBehaviour::TwoFaced(least) if asker.stake_acu < least => odds.fill(0.0),
            _ => {}
        }
    }
}

/// Distributions with the floor that every report gets.
fn report(world: &World, odds: &[f64]) -> Vec<f64> {
    let mut dists = vec![0.0; odds.len()];
    let floor = EPSILON / world.outcomes as f64;
    for (odds, dist) in odds.chunks_exact(world.outcomes).zip(dists.chunks_exact_mut(world.outcomes)) {
        softmax(odds, 1.0, dist);
        dist.iter_mut().for_each(|prob| *prob = (1.0 - EPSILON) * *prob + floor);
    }
    dists
}
