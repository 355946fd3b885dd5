//! What a miner needs of the chain, as a trait: the server and its tests do not depend on a node.
//!
//! An implementation returns verified reads only; a view that cannot be verified is an error.

mod node;

use acumen_protocol::call::Endpoint;
use acumen_protocol::miner_record::MinerRecord;
use acumen_protocol::{AccountId, Nacu};

pub use node::NodeView;

/// One registered neuron of the miner's track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neuron {
    /// Its hotkey.
    pub hotkey: AccountId,
    /// All stake on the hotkey: own and delegated.
    pub stake: Nacu,
    /// What it has published.
    pub endpoint: Option<Endpoint>,
}

/// Why the chain could not be read or written; the text says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ChainError(pub String);

/// The chain, seen from one track.
pub trait ChainView: Send + Sync + 'static {
    /// All neurons of the track.
    fn neurons(&self) -> impl Future<Output = Result<Vec<Neuron>, ChainError>> + Send;

    /// Stake on a hotkey that need not be registered in the track.
    fn stake_of(&self, hotkey: AccountId) -> impl Future<Output = Result<Nacu, ChainError>> + Send;

    /// Publishes the miner's endpoint and waits until a block holds it.
    fn publish(&self, endpoint: Endpoint) -> impl Future<Output = Result<(), ChainError>> + Send;

    /// Signs a record for this chain and hands it in at the nodes.
    fn publish_record(&self, record: MinerRecord) -> impl Future<Output = Result<(), ChainError>> + Send;
}
