//! Who the miners are and what their word weighs: a small trait, so that a gateway can be tested without a chain.

use acumen_protocol::call::Endpoint;
use acumen_protocol::{AccountId, Hash, Height, Uid};
use futures::future::BoxFuture;
use serde::Serialize;

/// Where the weights come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightSource {
    /// Nothing is known yet.
    #[default]
    None,
    /// The validators' reports (`pool_weight`).
    Validators,
    /// Incentive on the chain: no validator has answered.
    Incentive,
    /// All equal: nobody has earned anything yet.
    Equal,
}

/// One miner.
#[derive(Clone, Debug, PartialEq)]
pub struct Miner {
    /// Slot.
    pub uid: Uid,
    /// Who must sign the answers.
    pub hotkey: AccountId,
    /// Where it serves.
    pub endpoint: Endpoint,
    /// Name of its model, as it says; empty if unknown.
    pub model: String,
    /// Share of the pool.
    pub weight: f64,
    /// Share of the miners' emission, in 1/65535.
    pub incentive: u16,
    /// Loss on held-out documents, in bits per byte, if a validator has measured it.
    pub bits_per_byte: Option<f64>,
}

/// All miners at one block.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Roster {
    /// Height of the block.
    pub height: Height,
    /// Its id.
    pub block: Hash,
    /// Where the weights come from.
    pub source: WeightSource,
    /// Validators that answered.
    pub validators: usize,
    /// Loss of the pooled distribution on held-out documents, in bits per byte.
    pub collective_bits_per_byte: Option<f64>,
    /// Best first; only those with an endpoint and a positive weight.
    pub miners: Vec<Miner>,
}

impl Roster {
    /// Puts the miners in order (weight, then seniority) and drops those without weight.
    #[must_use]
    pub fn ordered(mut self) -> Self {
        self.miners.retain(|miner| miner.weight > 0.0 && miner.weight.is_finite());
        self.miners.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.uid.cmp(&b.uid)));
        self
    }
}

/// Why the miners could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the list of miners could not be read: {reason}")]
pub struct DirectoryError {
    /// The source's words.
    pub reason: String,
}

/// A source of rosters.
pub trait Directory: Send + 'static {
    /// The miners now.
    fn read(&mut self) -> BoxFuture<'_, Result<Roster, DirectoryError>>;
}
