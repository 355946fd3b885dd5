//! A simulated validator's judgement, by the rules of the real one: clusters of copies, own gain and marginal value of
//! this epoch's answers, scores that forget by half-life, the composite reward, one integer row.
//!
//! A miner that does not answer earns nothing in that epoch and keeps its scores.

use acumen_protocol::Uid;
use acumen_protocol::weights::{Weights, WeightsError};
use acumen_scoring_value::accumulate::Score;
use acumen_scoring_value::cluster::{Affinity, ClusterError};
use acumen_scoring_value::game::{Game, GameError, GameSpec};
use acumen_scoring_value::reward::{Breakdown, RewardRule, breakdown, combine};

use crate::World;
use crate::answer::Answer;

/// A registered miner's answer.
#[derive(Debug)]
pub(crate) struct Candidate {
    /// Its place in the scenario.
    pub(crate) miner: usize,
    /// Its slot.
    pub(crate) uid: Uid,
    /// Block of its registration.
    pub(crate) registered_at: u64,
    /// What it answered.
    pub(crate) answer: Answer,
}

/// Why answers cannot be judged: a fault of the simulation.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum JudgeError {
    /// The answers make no game.
    #[error(transparent)]
    Game(#[from] GameError),
    /// The answers cannot be compared.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The scores make no row.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

/// What one validator remembers.
#[derive(Debug)]
pub(crate) struct Judge {
    world: World,
    gains: Vec<Score>,
    marginals: Vec<Score>,
    /// The miners whose clusters are known, and the label of each.
    clusters: Option<(Vec<usize>, Vec<usize>)>,
    checked: u64,
}

impl Judge {
    /// Nothing known of `miners` miners.
    pub(crate) fn new(world: &World, miners: usize) -> Self {
        let fresh = Score::new(world.half_life_epochs * world.tokens() as f64);
        Self {
            world: *world,
            gains: vec![fresh; miners],
            marginals: vec![fresh; miners],
            clusters: None,
            checked: 0,
        }
    }

    /// Judges an epoch's answers, in order of uid; the row to commit to.
    pub(crate) fn judge(&mut self, epoch: u64, candidates: &[Candidate]) -> Result<Weights, JudgeError> {
        if candidates.is_empty() {
            return Ok(Weights::default());
        }
        // Uids have 16 bits, heights far fewer than 48.
        let seniority: Vec<u64> =
            candidates.iter().map(|c| (c.registered_at << 16) | u64::from(c.uid.get())).collect();
        let labels = self.labels(epoch, candidates, &seniority)?;
        let senior: Vec<bool> = labels.iter().enumerate().map(|(at, label)| at == *label).collect();
        let parts = self.values(candidates, &labels, seniority)?;
        let tokens = self.world.tokens() as u64;
        for (at, candidate) in candidates.iter().enumerate() {
            self.gains[candidate.miner].update(parts.own_gain[at], tokens);
            self.marginals[candidate.miner].update(parts.marginal[at], tokens);
        }
        let paid = |scores: &[Score]| -> Vec<f64> {
            let score = |(c, senior): (&Candidate, &bool)| if *senior { scores[c.miner].mean } else { 0.0 };
            candidates.iter().zip(&senior).map(score).collect()
        };
        let rewards = combine(&paid(&self.gains), &paid(&self.marginals), self.world.alpha);
        let uids = candidates.iter().map(|candidate| candidate.uid);
        Ok(row(&uids.zip(rewards).collect::<Vec<_>>())?)
    }

    /// Index of the senior member of each candidate's cluster.
    fn labels(
        &mut self,
        epoch: u64,
        candidates: &[Candidate],
        seniority: &[u64],
    ) -> Result<Vec<usize>, ClusterError> {
        let members: Vec<usize> = candidates.iter().map(|candidate| candidate.miner).collect();
        let fresh = epoch < self.checked.saturating_add(self.world.recheck_epochs);
        if let Some((_, labels)) = self.clusters.as_ref().filter(|(known, _)| fresh && *known == members) {
            return Ok(labels.clone());
        }
        let mut affinity = Affinity::new(candidates.len())?;
        for position in 0..self.world.tokens() {
            let range = position * self.world.outcomes..(position + 1) * self.world.outcomes;
            let reports: Vec<Option<&[f64]>> =
                candidates.iter().map(|candidate| Some(&candidate.answer.dists[range.clone()])).collect();
            affinity.observe(&reports)?;
        }
        let labels = affinity.clusters(self.world.tau, seniority);
        self.clusters = Some((members, labels.clone()));
        self.checked = epoch;
        Ok(labels)
    }

    fn values(
        &self,
        candidates: &[Candidate],
        labels: &[usize],
        seniority: Vec<u64>,
    ) -> Result<Breakdown, GameError> {
        let game = Game::new(GameSpec {
            probs: candidates.iter().map(|candidate| candidate.answer.probs.clone()).collect(),
            reference: vec![1.0 / self.world.outcomes as f64; self.world.tokens()],
            clusters: Some(labels.iter().map(|label| *label as u64).collect()),
            seniority: Some(seniority),
            ..GameSpec::default()
        })?;
        Ok(breakdown(&game, &RewardRule { alpha: self.world.alpha, ..RewardRule::default() }))
    }
}

/// Scores as the chain stores them: of 65,535, the largest being that. Empty if no score is above 0.
pub(crate) fn row(scores: &[(Uid, f64)]) -> Result<Weights, WeightsError> {
    let top = scores.iter().map(|(_, score)| *score).fold(0.0, f64::max);
    let scale = if top > 0.0 { f64::from(u16::MAX) / top } else { 0.0 };
    let weight = |score: f64| (score.max(0.0) * scale).round() as u16;
    let mut entries: Vec<(Uid, u16)> = scores.iter().map(|(uid, score)| (*uid, weight(*score))).collect();
    entries.sort_unstable_by_key(|(uid, _)| *uid);
    Weights::new(entries)
}
