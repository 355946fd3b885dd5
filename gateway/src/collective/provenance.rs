//! Whose answer it is: the `subnet` object of a response.

use serde::Serialize;

use super::contacts::EndpointSource;
use super::directory::{Roster, WeightSource};
use super::ensemble::{Ensemble, Member};
use crate::core::fingerprint::fingerprint;
use crate::core::pooling::Pool;

/// Which miners gave an answer, at which block, pooled how.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Provenance {
    /// Height of the block that the list of miners was verified against.
    pub height: u64,
    /// Its id.
    pub block: String,
    /// How the distributions were pooled.
    pub pool: Pool,
    /// Where the weights come from.
    pub weights: WeightSource,
    /// Distributions that were drawn from.
    pub steps: u64,
    /// Everybody who was asked.
    pub miners: Vec<Contribution>,
}

/// One miner's part.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contribution {
    /// Slot.
    pub uid: u16,
    /// SS58.
    pub hotkey: String,
    /// Who said where it serves: `chain`, or `record` if that had failed.
    pub endpoint: EndpointSource,
    /// Name of the model, as the miner says.
    pub model: String,
    /// Weight in the pool, relative to the others'.
    pub weight: f64,
    /// Distributions that came in time and were valid.
    pub answered: u64,
    /// Why it was dropped; `null` if it answered to the end.
    pub dropped: Option<String>,
}

impl Provenance {
    /// The record of `ensemble` after `steps` draws.
    #[must_use]
    pub fn new(roster: &Roster, pool: Pool, ensemble: &Ensemble, steps: u64) -> Self {
        Self {
            height: roster.height.get(),
            block: roster.block.to_string(),
            pool,
            weights: roster.source,
            steps,
            miners: ensemble.members().iter().map(Contribution::from).collect(),
        }
    }
}

impl From<&Member> for Contribution {
    fn from(member: &Member) -> Self {
        Self {
            uid: member.miner.uid.get(),
            hotkey: member.miner.hotkey.to_string(),
            endpoint: member.source,
            model: member.miner.model.clone(),
            weight: member.miner.weight,
            answered: member.answered,
            dropped: member.dropped.as_ref().map(|dropped| dropped.reason.clone()),
        }
    }
}

/// `system_fingerprint` of an ensemble: of everybody who was asked.
#[must_use]
pub fn fingerprint_of(pool: Pool, ensemble: &Ensemble) -> String {
    fingerprint(pool, ensemble.members().iter().map(|member| (&member.miner.hotkey, member.miner.weight)))
}
