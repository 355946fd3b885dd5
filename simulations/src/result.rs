//! What a run leaves: rows for tables, a summary, and where the time went.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a neuron is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Sets weights.
    Validator,
    /// Answers.
    Miner,
}

/// One neuron in one epoch: a line of `epochs.csv`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The epoch, from 1.
    pub epoch: u64,
    /// The block that ended it.
    pub height: u64,
    /// The slot.
    pub uid: u16,
    /// The neuron's name.
    pub name: String,
    /// What it is there for.
    pub role: Role,
    /// How it behaves.
    pub behaviour: String,
    /// Base units behind it, before the payout.
    pub stake: u64,
    /// Mean of the validators' revealed weights for it, by stake; rows sum to 1.
    pub weight: f64,
    /// Largest weight that a majority of stake backs; a share of 1, as the next two.
    pub consensus: f64,
    /// Its share as a miner.
    pub incentive: f64,
    /// Its share as a validator.
    pub dividend: f64,
    /// Base units that it was paid.
    pub emission: u64,
}

/// The chain at the end of one epoch: a line of `supply.csv`. Base units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupplyRow {
    /// The epoch, from 1.
    pub epoch: u64,
    /// The block that ended it.
    pub height: u64,
    /// All there is.
    pub issuance: u64,
    /// Sum over every account and pool of stake, added up afresh.
    pub balances_total: u64,
    /// Minted since genesis.
    pub minted: u64,
    /// Burned since genesis.
    pub burned: u64,
    /// Paid to the track's owner in this epoch.
    pub owner: u64,
}

/// One neuron over the whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NeuronSummary {
    /// Its name.
    pub name: String,
    /// What it is there for.
    pub role: Role,
    /// How it behaves.
    pub behaviour: String,
    /// Mean share as a miner over the last half of the run.
    pub incentive: f64,
    /// Dividend divided by share of stake, mean over the last half of the run: 1 is what stake alone earns.
    pub dividend_per_stake: f64,
    /// Base units that it was paid in all, as a decimal string.
    pub emission: String,
}

/// The run in numbers: `summary.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The scenario's name.
    pub scenario: String,
    /// The scenario's seed.
    pub seed: u64,
    /// Epochs run.
    pub epochs: u64,
    /// Blocks run.
    pub blocks: u64,
    /// Signed transactions in those blocks.
    pub transactions: u64,
    /// Calls that failed in a block: registrations that found no slot.
    pub failed: u64,
    /// Base units at genesis, as a decimal string, as the next three.
    pub issuance_at_genesis: String,
    /// Base units at the end.
    pub issuance: String,
    /// Minted in between.
    pub minted: String,
    /// Burned in between.
    pub burned: String,
    /// Validators, then miners, in the scenario's order.
    pub neurons: Vec<NeuronSummary>,
}

/// Where the time of a run went. Not part of any file: those depend on the scenario alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// The whole run.
    pub total: Duration,
    /// Signing and verifying transactions.
    pub signing: Duration,
    /// Executing blocks and auditing.
    pub ledger: Duration,
    /// Making answers and judging them.
    pub scoring: Duration,
}

/// A finished run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunResult {
    /// One per epoch and neuron.
    pub rows: Vec<Row>,
    /// One per epoch.
    pub supply: Vec<SupplyRow>,
    /// The run in numbers.
    pub summary: Summary,
    /// Where the time went.
    pub timing: Timing,
}
