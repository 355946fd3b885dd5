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
    #[error("{path} holds no consensus key: write 64 hex digits, the ed25519 seed")]
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
    /// More than one validator.
    #[error(
        "genesis names {count} validators, but replication is not available in this version: name exactly one, with \
         this node's consensus key"
    )]
    Replication {
        /// Validators in genesis.
        count: usize,
    },
    /// Not this node's chain to decide.
    #[error(
        "this node's consensus key {found} is not the validator of genesis ({expected}): use its key file"
    )]
    NotValidator {
        /// The node's key.
        found: String,
        /// The validator's key.
        expected: String,
    },
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
