//! Why a node cannot start or go on.

use std::net::SocketAddr;
use std::path::PathBuf;

use acumen_chain_ledger::{AuditError, BlockError, GenesisError, LedgerError};
use acumen_chain_store::StoreError;

/// A failure that ends the node. What was finalised is safe on disk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// A file cannot be read.
    #[error("cannot read {what} {path}: {reason}")]
    File {
        /// What it should be.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The key file holds no key.
    #[error("{path} holds no key: write 64 hex digits, its seed")]
    Key {
        /// The file.
        path: PathBuf,
    },
    /// The address is taken.
    #[error("cannot listen on {address}: {reason}; stop whatever uses it or change `{field}`")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The configuration's field.
        field: &'static str,
        /// The system's words.
        reason: String,
    },
    /// Others decide, and this node has no way to hear of it.
    #[error(
        "the chain is decided by {others} validators besides this node, which has no [consensus] network: set \
         `consensus.listen` and `consensus.peers`, or `sync_from` to follow other nodes without a vote, or use the key \
         file of the one validator"
    )]
    Alone {
        /// Validators with another key than this node's.
        others: usize,
    },
    /// A limit that would keep everybody out.
    #[error("`{field}` must be above 0")]
    Zero {
        /// The field.
        field: &'static str,
    },
    /// An address of the consensus network is none.
    #[error("`{field}`: {reason}")]
    Address {
        /// The configuration's field.
        field: &'static str,
        /// What is wrong.
        reason: acumen_chain_bft::AddressError,
    },
    /// Consensus has ended.
    #[error("{reason}")]
    Consensus {
        /// Why.
        reason: String,
    },
    /// The peers that gossip.
    #[error(transparent)]
    Network(#[from] acumen_chain_network::NetworkError),
    /// No state could be had from other nodes.
    #[error(transparent)]
    Sync(#[from] crate::sync::SyncError),
    /// An epoch would make or lose tokens: a bug, and the reason to stop before the block is final.
    #[error("the supply is not conserved, so the node stops: {0}")]
    Conservation(#[from] AuditError),
    /// Genesis is impossible.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state is damaged.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A block cannot be applied.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// A block is not a correct next one.
    #[error("block {height} is invalid: {reason}")]
    InvalidBlock {
        /// Its height.
        height: acumen_protocol::Height,
        /// Why.
        reason: String,
    },
    /// A server ended.
    #[error("the server on {address} ended: {reason}")]
    Server {
        /// Its address.
        address: SocketAddr,
        /// Why.
        reason: String,
    },
    /// A task of the node broke.
    #[error("a task of the node broke: {reason}; please report it")]
    Task {
        /// What is known.
        reason: String,
    },
}
