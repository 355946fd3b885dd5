//! Why a gateway does not start, or stops.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::ConfigError;

/// A failure of the whole gateway; one request's failures are answers.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration cannot work.
    #[error("configuration: {0}")]
    Config(#[from] ConfigError),
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: {source}; set `listen` to a free address")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's words.
        source: std::io::Error,
    },
    /// The file of API keys cannot be used.
    #[error("`api_keys` {path}: {reason}", path = path.display())]
    ApiKeys {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line.
        reason: String,
    },
    /// The operating system gave no random bytes.
    #[error("no random bytes for request ids and seeds: {reason}")]
    Randomness {
        /// The system's words.
        reason: String,
    },
    /// The HTTP server stopped.
    #[error("the HTTP server stopped: {0}")]
    Serve(std::io::Error),
}
