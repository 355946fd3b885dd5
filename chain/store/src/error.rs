//! Why the store failed. Every message names the file.

use std::path::{Path, PathBuf};

use acumen_chain_ledger::{GenesisError, StateError};
use acumen_protocol::codec::DecodeError;
use acumen_protocol::{Hash, Height, Nacu};

/// A failure of the store. All but [`StoreError::NotKept`] are fatal: nothing that was not acknowledged can be relied
/// upon, everything that was is safe.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process has the file.
    #[error("{path} is in use by another process: stop that node, or give this one another data directory")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// No space.
    #[error("no space left on the disk of {path}: make room and start again; nothing finalised is lost")]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("{path}: {reason}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// The file is damaged.
    #[error(
        "{path} is damaged: {reason}; move it away and let the node start afresh from its peers or a copy"
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// The data belong to another chain.
    #[error(
        "{path} holds the chain with genesis {found}, the genesis file says {expected}: use its own directory"
    )]
    OtherChain {
        /// The file.
        path: PathBuf,
        /// Genesis on disk.
        found: Hash,
        /// Genesis given.
        expected: Hash,
    },
    /// A block that does not follow the tip.
    #[error("block {height} does not follow the tip at height {tip}")]
    NotNext {
        /// The block.
        height: Height,
        /// The tip.
        tip: Height,
    },
    /// Another block was proposed in this round.
    #[error(
        "height {height}, round {round}: block {recorded} was proposed before, refusing to sign {offered}"
    )]
    SecondProposal {
        /// The height.
        height: Height,
        /// The round.
        round: u32,
        /// The block on disk.
        recorded: Hash,
        /// The other.
        offered: Hash,
    },
    /// State of a height that is not kept.
    #[error("state of height {height} is not kept: heights {first} to {tip} are")]
    NotKept {
        /// The height asked for.
        height: Height,
        /// The first one kept.
        first: Height,
        /// The newest.
        tip: Height,
    },
    /// A block that makes or loses tokens.
    #[error(
        "block {height} would leave {} nacu with their owners and an issuance of {} nacu: it is not committed, and this node \
         does not go on; report it with a copy of the data directory",
        .owned.get(), .issuance.get()
    )]
    Breach {
        /// The block.
        height: Height,
        /// The sum of balances and stakes.
        owned: Nacu,
        /// What was issued.
        issuance: Nacu,
    },
    /// The genesis document is impossible.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
}

impl StoreError {
    /// What a failure of the database means for the file at `path`.
    pub(crate) fn database(path: &Path, error: impl Into<redb::Error>) -> Self {
        let path = path.to_owned();
        match error.into() {
            redb::Error::DatabaseAlreadyOpen => Self::InUse { path },
            redb::Error::Io(error) if error.kind() == std::io::ErrorKind::StorageFull => {
                Self::DiskFull { path }
            }
            redb::Error::Io(error) => Self::Io { path, reason: error.to_string() },
            redb::Error::PreviousIo => {
                Self::Io { path, reason: "an earlier write failed: start the node again".to_owned() }
            }
            error => Self::Corrupt { path, reason: error.to_string() },
        }
    }

    pub(crate) fn corrupt(path: &Path, reason: impl ToString) -> Self {
        Self::Corrupt { path: path.to_owned(), reason: reason.to_string() }
    }

    pub(crate) fn decode(path: &Path) -> impl Fn(DecodeError) -> Self + '_ {
        move |error| Self::corrupt(path, error)
    }
}

impl From<StoreError> for StateError {
    fn from(error: StoreError) -> Self {
        Self { reason: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_other_failures() {
        let path = Path::new("/data/chain.redb");
        let fail = |kind: std::io::ErrorKind| {
            StoreError::database(path, redb::StorageError::Io(std::io::Error::from(kind)))
        };
        let full = fail(std::io::ErrorKind::StorageFull);
        assert!(matches!(full, StoreError::DiskFull { .. }));
        assert!(full.to_string().contains("/data/chain.redb"), "{full}");
        assert!(matches!(fail(std::io::ErrorKind::PermissionDenied), StoreError::Io { .. }));
    }
}
