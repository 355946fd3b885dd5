//! What ends a validator. Everything that can pass is retried and logged instead.

use std::net::SocketAddr;
use std::path::PathBuf;

use acumen_protocol::Hash;

use crate::config::ConfigError;

/// Why a validator cannot run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A field of the configuration.
    #[error("configuration: {0}")]
    Config(#[from] ConfigError),
    /// An address in use, or not of this machine.
    #[error("cannot listen on {address} (`{field}`): {source}; choose another port or stop what uses it")]
    Bind {
        /// The field that names it.
        field: &'static str,
        /// The address.
        address: SocketAddr,
        /// The system's words.
        source: std::io::Error,
    },
    /// A server has stopped.
    #[error("the server on {address} has stopped: {reason}")]
    Serve {
        /// Its address.
        address: SocketAddr,
        /// Why.
        reason: String,
    },
    /// No text to ask from.
    #[error(
        "`held_out` = {} holds no *.txt file of at least {needed} bytes (context_bytes + scored_bytes): put texts there \
         that miners cannot have seen",
        .folder.display()
    )]
    NoHeldOut {
        /// The folder.
        folder: PathBuf,
        /// Bytes of one document.
        needed: usize,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}; {advice}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
        /// What to do.
        advice: &'static str,
    },
    /// A file holds something else than it should.
    #[error("{} is damaged: {reason}; {advice}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
        /// What to do.
        advice: &'static str,
    },
    /// Another process uses the folder.
    #[error("`data_dir` = {} is in use by another validator: give each its own", .folder.display())]
    Locked {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder belongs to another chain or hotkey.
    #[error(
        "`data_dir` = {} belongs to {what} {found}, this is {expected}: choose another folder",
        .folder.display()
    )]
    OtherOwner {
        /// The folder.
        folder: PathBuf,
        /// What differs.
        what: &'static str,
        /// The one in the folder.
        found: String,
        /// The one of this run.
        expected: String,
    },
    /// The chain cannot be used, and waiting would not help.
    #[error("the chain cannot be used: {0}")]
    Chain(String),
    /// The operating system gave no random bytes.
    #[error("no random bytes for the secret seed: {0}")]
    Randomness(String),
}

impl Error {
    pub(crate) fn other_chain(folder: PathBuf, found: Hash, expected: Hash) -> Self {
        let (found, expected) = (found.to_string(), expected.to_string());
        Self::OtherOwner { folder, what: "the chain with genesis", found, expected }
    }
}
