//! A scenario: who takes part, how they behave and in what world. Written as TOML; unknown keys are refused.
//!
//! Epochs count from 1. Miners and validators are named by their position in the file, from 0.

mod check;

use std::path::{Path, PathBuf};

use acumen_chain_ledger::Params;
use serde::Deserialize;

/// Longest run: a bound on memory (one row per epoch and neuron).
pub const MAX_EPOCHS: u64 = 1_000_000;

/// Most miners or validators. Values are exact up to 20 clusters of miners and sampled beyond.
pub const MAX_NEURONS: usize = 256;

/// Everything that a run depends on.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it is called, in titles and in the summary.
    pub name: String,
    /// Seed of every draw.
    #[serde(default)]
    pub seed: u64,
    /// Epochs to run.
    pub epochs: u64,
    /// Blocks per epoch; emission is per block, so this scales the payout too.
    #[serde(default = "default_tempo")]
    pub tempo_blocks: u64,
    /// The chain's parameters (docs/spec/ledger.md); those left out have the chain's defaults.
    #[serde(default)]
    pub params: Params,
    /// The documents, and how validators score.
    #[serde(default)]
    pub world: World,
    /// The validators.
    pub validators: Vec<Validator>,
    /// The miners.
    pub miners: Vec<Miner>,
}

/// The documents, and how validators score. A document is a row of positions; at each one a distribution over
/// `outcomes` is drawn, softmax(sharpness · N(0, 1)), and one outcome from it.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct World {
    /// Outcomes per position.
    pub outcomes: usize,
    /// Standard deviation of the true log-odds, in nats: how much there is to know.
    pub sharpness: f64,
    /// Documents that each validator asks about per epoch; its own, different in each epoch.
    pub documents: usize,
    /// Scored tokens per document.
    pub positions: usize,
    /// Share of the own gain in the reward.
    pub alpha: f64,
    /// Distance below which two miners count as copies.
    pub tau: f64,
    /// Nats per token that a miner must add to any one registered before it to be paid beside it, once it has answered
    /// enough; 0 asks nobody.
    pub least_added: f64,
    /// Epochs after which a score counts half.
    pub half_life_epochs: f64,
    /// Copies are looked for whenever the set of miners changes, and each time so many epochs have passed.
    pub recheck_epochs: u64,
}

/// A validator.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validator {
    /// Its name in tables and plots.
    #[serde(default)]
    pub name: Option<String>,
    /// Its stake, in whole ACU.
    pub stake_acu: u64,
    /// What it does.
    #[serde(default)]
    pub behaviour: ValidatorBehaviour,
    /// The epoch in which it registers and stakes; 0 is genesis, where neither is needed.
    #[serde(default)]
    pub joins: u64,
}

/// How a validator arrives at its weights.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ValidatorBehaviour {
    /// Asks every miner about documents of its own and scores the answers.
    #[default]
    Honest,
    /// Asks nobody: takes the mean, by stake, of the rows that the others have revealed last.
    Copier,
    /// Scores once and repeats that row for ever.
    Lazy,
    /// Gives all of its weight to these miners, in equal parts.
    Colluder(Vec<usize>),
    /// Never sets weights.
    Silent,
}

/// A miner.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Miner {
    /// Its name in tables and plots.
    #[serde(default)]
    pub name: Option<String>,
    /// What it knows: its expected gain over uniform answers, in nats per token, when it says what it believes.
    #[serde(default)]
    pub quality: f64,
    /// Standard deviation of fresh noise on each reported log-probability, in nats.
    #[serde(default)]
    pub noise: f64,
    /// Alternates between `quality` and another one.
    #[serde(default)]
    pub swing: Option<Swing>,
    /// What it does with what it knows.
    #[serde(default)]
    pub behaviour: MinerBehaviour,
    /// The epoch in which it registers; 0 is genesis, where no burn is needed.
    #[serde(default)]
    pub joins: u64,
    /// The epoch from which it no longer answers.
    #[serde(default)]
    pub dies: Option<u64>,
}

/// A quality that goes back and forth, so that the true ranking keeps changing.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Swing {
    /// The other quality.
    pub quality: f64,
    /// Epochs at each.
    pub every: u64,
}

/// What a miner does with what it knows.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MinerBehaviour {
    /// Reports what it believes.
    #[default]
    Honest,
    /// Serves the same model as this miner; its own `quality` is not used.
    CloneOf(usize),
    /// Reports p^x, normalised: above 1 it is surer than it should be.
    Exaggerator(f64),
    /// Answers validators with less stake than this, in ACU, with nothing (uniformly).
    TwoFaced(u64),
}

/// Why a scenario cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source} (`acumen sim list` names the scenarios that are built in)")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Not the TOML of a scenario.
    #[error("the scenario does not parse: {reason}")]
    Toml {
        /// Where and why.
        reason: String,
    },
    /// A value is impossible.
    #[error("scenario: {field}: {reason}")]
    Invalid {
        /// Which.
        field: String,
        /// What is wrong, and what is allowed.
        reason: String,
    },
}

impl Scenario {
    /// Reads and checks the TOML text of a scenario.
    ///
    /// # Errors
    /// [`ScenarioError`] says what is wrong and where.
    pub fn from_toml(text: &str) -> Result<Self, ScenarioError> {
        let mut scenario: Self =
            toml::from_str(text).map_err(|error| ScenarioError::Toml { reason: error.to_string() })?;
        check::check(&mut scenario)?;
        Ok(scenario)
    }

    /// Reads and checks a scenario file.
    ///
    /// # Errors
    /// [`ScenarioError`] says what is wrong and where.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ScenarioError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path)
            .map_err(|source| ScenarioError::Read { path: path.to_owned(), source })?;
        Self::from_toml(&text)
    }
}

impl Default for World {
    fn default() -> Self {
        Self {
            outcomes: 16,
            sharpness: 2.0,
            documents: 4,
            positions: 16,
            alpha: acumen_scoring_value::reward::DEFAULT_ALPHA,
            tau: acumen_scoring_value::cluster::CLUSTER_TAU,
            least_added: acumen_scoring_value::encompass::LEAST_ADDED,
            half_life_epochs: 4.0,
            recheck_epochs: 10,
        }
    }
}

impl World {
    /// Scored tokens that a validator has per epoch.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.documents.saturating_mul(self.positions)
    }
}

impl Miner {
    /// What it knows in `epoch`.
    #[must_use]
    pub fn quality_in(&self, epoch: u64) -> f64 {
        match self.swing {
            Some(swing) if (epoch.saturating_sub(1) / swing.every.max(1)) % 2 == 1 => swing.quality,
            _ => self.quality,
        }
    }
}

const fn default_tempo() -> u64 {
    4
}

#[cfg(test)]
mod tests;
