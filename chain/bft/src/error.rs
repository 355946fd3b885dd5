//! Why ordering ends.

use std::path::PathBuf;

use crate::config::AddressError;

/// A failure that ends ordering. `E` is the application's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error<E: std::error::Error + 'static> {
    /// The chain cannot go on.
    #[error(transparent)]
    Application(E),
    /// An address is none.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The log of votes cannot be read or written. Nothing that was not logged was signed.
    #[error(
        "the log of votes {path} failed: {reason}; nothing was signed that it does not hold. Mend the disk and start again"
    )]
    Log {
        /// The log.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// The engine does not start.
    #[error("the consensus engine does not start: {reason}")]
    Start {
        /// Why.
        reason: String,
    },
    /// The engine has ended by itself.
    #[error(
        "the consensus engine has ended: {reason}; start the node again, and report it if it happens again"
    )]
    Ended {
        /// What is known.
        reason: String,
    },
    /// A node without peers in a chain that has other validators.
    #[error(
        "this node has no consensus address, but the chain has {others} validators besides it: set `consensus.listen` and `consensus.peers`"
    )]
    Alone {
        /// How many.
        others: usize,
    },
}
