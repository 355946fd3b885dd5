//! From an epoch's answers to rewards and weights.
//!
//! One rule for what is missing: an answer that is invalid or late is scored as the reference and lowers availability.
//! A miner that gave no valid answer at all has availability 0 and weight 0 in this epoch, and keeps its record: silence
//! costs the epoch's pay, bad answers cost the score. A miner that was not asked keeps record and pay. If nobody
//! answered, the fault is taken to be the validator's: nothing is learned and no weights follow.
//!
//! Reward = α · share of own gain + (1 − α) · share of marginal value, both over clusters of copies of which only the
//! senior (first registered) member that answered is paid, and a miner that adds nothing to a senior one counts as its
//! copy. The reasons are in docs/adr/0007-evaluation.md and 0012-copies.md.

use std::collections::BTreeMap;

use acumen_protocol::weights::{Weights, WeightsError};
use acumen_protocol::{Epoch, Height, TrackId, Uid};
use acumen_scoring_value::cluster::ClusterError;
use acumen_scoring_value::encompass::EncompassRule;
use acumen_scoring_value::game::GameError;
use serde::{Deserialize, Serialize};

use super::clusters::Near;
use super::copies::{Member, rewards, seniors};
use super::history::{History, Standing, Value};
use super::hotkey::Hotkey;
use super::plan::Question;
use super::pool::Pool;
use super::reference::Reference;
use super::report::EpochReport;
use super::sheet::{self, Sheet};

mod answers;
mod present;

use answers::Answers;

/// How values become weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// Share of the own gain in the reward.
    pub alpha: f64,
    /// Distance below which two miners are one.
    pub tau: f64,
    /// Bytes after which an epoch counts half.
    pub half_life_bytes: f64,
    /// When a miner adds nothing to one that registered before it.
    pub encompass: EncompassRule,
}

/// A registered miner and, if it was asked, its answers.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Its slot.
    pub uid: Uid,
    /// Its hotkey.
    pub hotkey: Hotkey,
    /// Block of its registration: seniority among copies.
    pub registered_at: Height,
    /// Name of its model, as it says.
    pub model: String,
    /// `None` if it was not asked.
    pub sheet: Option<Sheet>,
}

/// Everything about one epoch that scoring needs.
#[derive(Debug)]
pub struct Round<'a> {
    /// The epoch.
    pub epoch: Epoch,
    /// The track.
    pub track: TrackId,
    /// The validator.
    pub validator: Hotkey,
    /// What was asked.
    pub questions: &'a [Question],
    /// Where zero is.
    pub reference: &'a Reference,
    /// Every registered miner.
    pub candidates: Vec<Candidate>,
}

/// What is remembered between epochs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    history: History,
    near: Near,
    pool: Pool,
    /// Availability in the newest epoch in which it was asked.
    availability: BTreeMap<Hotkey, f64>,
}

/// Why an epoch has no scores.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ScoreError {
    /// Not one valid answer.
    #[error(
        "not one of {asked} miners gave a valid answer ({example}): the epoch is not counted, the last weights stay \
         (check this validator's network and clock, and `acumen metagraph` for the miners' endpoints)"
    )]
    Void {
        /// Miners asked.
        asked: usize,
        /// Why one of them gave none.
        example: String,
    },
    /// The answers make no game.
    #[error("the answers cannot be scored: {0}")]
    Game(#[from] GameError),
    /// The answers cannot be compared.
    #[error("the answers cannot be compared: {0}")]
    Cluster(#[from] ClusterError),
    /// The scores make no row of weights.
    #[error("the scores make no weights: {0}")]
    Weights(#[from] WeightsError),
}

/// What an epoch's scoring gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// For people, gateways and auditors.
    pub report: EpochReport,
    /// For the chain.
    pub weights: Weights,
}

/// The parts that a report is made of, one entry per candidate.
struct Verdict {
    /// Index of the senior member of its cluster.
    senior: Vec<usize>,
    standings: Vec<Option<Standing>>,
    rewards: Vec<f64>,
    availability: Vec<f64>,
}

/// Scores an epoch and remembers it. On an error nothing is remembered.
///
/// # Errors
/// See [`ScoreError`].
pub fn score(memory: &mut Memory, mut round: Round<'_>, rules: &Rules) -> Result<Outcome, ScoreError> {
    let steps = sheet::extent(round.candidates.iter().filter_map(|candidate| candidate.sheet.as_ref()));
    round.candidates.iter_mut().filter_map(|candidate| candidate.sheet.as_mut()).for_each(|s| s.close(steps));
    let answers = Answers::of(&round, steps)?;
    let mut next = memory.clone();
    let known: Vec<Hotkey> = round.candidates.iter().map(|candidate| candidate.hotkey).collect();
    next.forget(&known);
    let links = next.near.observe(&answers.measured(&round)?, rules.tau);
    for candidate in &round.candidates {
        if let Some(sheet) = &candidate.sheet {
            next.availability.insert(candidate.hotkey, sheet.availability());
        }
    }
    let availability: Vec<f64> =
        known.iter().map(|hotkey| next.availability.get(hotkey).copied().unwrap_or(0.0)).collect();
    let members = members(&round, &availability);
    let senior = seniors(&members, &links, next.pool.window(), &rules.encompass);
    next.history.push(answers.block(&round, &senior)?);
    let standings = next.history.standings(&known, rules.half_life_bytes);
    let values: Vec<Option<Value>> = standings.iter().map(|s| s.as_ref().map(Standing::value)).collect();
    let rewards = rewards(&members, &senior, &values, rules.alpha);
    let held_out = answers.held_out(&round);
    next.pool.measure(&held_out, &answers.shapes(&round));
    let pooled = |at: &usize| !members[*at].silent && senior[*at] == *at && standings[*at].is_some();
    next.pool.learn(held_out, &(0..known.len()).filter(pooled).map(|at| known[at]).collect::<Vec<_>>());
    let scores: Vec<(Uid, f64)> = round
        .candidates
        .iter()
        .enumerate()
        .map(|(at, candidate)| (candidate.uid, rewards[at] * availability[at]))
        .collect();
    let weights = super::weights::integer(&scores)?;
    let verdict = Verdict { senior, standings, rewards, availability };
    let report = present::report(&round, &answers, &verdict, &next, &weights);
    *memory = next;
    Ok(Outcome { report, weights })
}

impl Memory {
    /// Forgets what is remembered of miners that are no longer registered.
    fn forget(&mut self, known: &[Hotkey]) {
        let known: std::collections::BTreeSet<&Hotkey> = known.iter().collect();
        self.history.retain(|hotkey| known.contains(hotkey));
        self.near.retain(|hotkey| known.contains(hotkey));
        self.pool.retain(|hotkey| known.contains(hotkey));
        self.availability.retain(|hotkey, _| known.contains(hotkey));
    }

    /// The newest epoch that was scored.
    #[must_use]
    pub fn newest(&self) -> Option<Epoch> {
        self.history.newest().map(Epoch::new)
    }
}

/// The candidates as the rule of copies sees them: one without a valid answer is silent.
fn members(round: &Round<'_>, availability: &[f64]) -> Vec<Member> {
    let member = |(candidate, availability): (&Candidate, &f64)| Member {
        uid: candidate.uid,
        hotkey: candidate.hotkey,
        registered_at: candidate.registered_at,
        silent: *availability <= 0.0,
    };
    round.candidates.iter().zip(availability).map(member).collect()
}

#[cfg(test)]
mod tests;
