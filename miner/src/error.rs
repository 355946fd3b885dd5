//! Why a miner cannot start or go on, with what to change.

use std::net::SocketAddr;
use std::path::PathBuf;

use acumen_models::ModelError;

use crate::config::ConfigError;

/// A failure that ends the miner. A node that is down, or a hotkey that is not registered, does not.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A field of the configuration cannot be used.
    #[error("configuration: {0}")]
    Config(#[from] ConfigError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {reason}; end what uses the port or change `{field}`")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The field of the configuration.
        field: &'static str,
        /// The system's words.
        reason: String,
    },
    /// The store of used nonces cannot be opened.
    #[error("{path}: {reason}; `data_dir` must be a writable folder that no other miner uses")]
    Nonces {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// The model cannot be loaded.
    #[error("the model cannot be loaded: {0}")]
    Model(#[from] ModelError),
    /// The model hangs again and again; each time its memory is lost.
    #[error(
        "the model has stopped answering {times} times: restart the miner, with another model if it goes on"
    )]
    Hangs {
        /// How often.
        times: u32,
    },
    /// A server failed while it ran.
    #[error("the server on {address} failed: {reason}")]
    Serve {
        /// Its address.
        address: SocketAddr,
        /// What went wrong.
        reason: String,
    },
}
