//! Why a node could not begin from the state of others.

use acumen_chain_ledger::GenesisError;
use acumen_chain_store::StoreError;
use acumen_protocol::Height;

/// A failure that ends the start. What has been received stays, and the next start goes on with it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// Not the address of a node.
    #[error("`sync_from`: `{url}` is no node's address: write http://HOST:PORT")]
    BadUrl {
        /// The text.
        url: String,
    },
    /// Nobody could help.
    #[error("none of the nodes in `sync_from` could be used: {}", .failures.join("; "))]
    Exhausted {
        /// One line for each.
        failures: Vec<String>,
    },
    /// The state was pruned everywhere while it was received.
    #[error(
        "the state at height {height} was pruned by every node in `sync_from` before it had arrived: name one with a \
         larger `keep_states`"
    )]
    Pruned {
        /// The height.
        height: Height,
    },
    /// The disk.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Genesis.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// A bug.
    #[error("receiving a state broke: {reason}; please report it")]
    Task {
        /// What is known.
        reason: String,
    },
}

/// What is wrong with one node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    #[error("does not answer: {0}")]
    Unreachable(String),
    #[error("is busy: {0}")]
    Busy(String),
    #[error("does not keep the state at height {0}")]
    Pruned(Height),
    #[error("does not have {0}")]
    Missing(String),
    #[error("gave an answer that does not verify, do not use it: {0}")]
    Lying(String),
    #[error("serves the chain with genesis {0}")]
    OtherChain(String),
    #[error("refused: {0}")]
    Refused(String),
}
