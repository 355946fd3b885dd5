//! Blocks and state on disk (`redb`), and the authenticated tree over the state (`jmt`).
//!
//! Invariant: a block, its certificate, its events, the state after it and the tree's nodes become visible in one
//! durable transaction, or not at all. Whoever ends the process, and whenever, [`Store::open`] finds the last committed
//! block whole. What was proposed is on disk before it is signed ([`Store::record_proposal`]), so that no round of a height
//! is ever signed twice with different content. Sizes in bytes, versions of the tree are heights.
#![forbid(unsafe_code)]

mod blocks;
mod commit;
mod error;
mod headers;
mod proposal;
mod prune;
mod snapshot;
mod store;
mod sum;
mod tables;
mod tree;
mod upgrade;

pub use blocks::StoredBlock;
pub use commit::Prepared;
pub use error::StoreError;
pub use proposal::{MAX_UNDECIDED, Undecided};
pub use snapshot::Snapshot;
pub use snapshot::piece::{Branch, Piece, PieceError, Prefix, PrefixError};
pub use snapshot::restore::{Restore, RestoreError};
pub use store::{Options, Store};
pub use tree::Proven;
