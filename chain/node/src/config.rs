//! A node's configuration.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use acumen_chain_ledger::Genesis;
use acumen_protocol::ConsensusKeypair;
use serde::Deserialize;

use crate::error::NodeError;

/// What a node needs to know. Relative paths are relative to the configuration file's folder: see [`Config::resolve`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the chain is kept.
    pub data_dir: PathBuf,
    /// The genesis document (JSON).
    pub genesis: PathBuf,
    /// Address of the gRPC server; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Address of the Prometheus metrics (HTTP, `/metrics`); none if left out.
    #[serde(default)]
    pub metrics_listen: Option<SocketAddr>,
    /// File with the seed of the consensus key, 64 hex digits.
    pub consensus_key: PathBuf,
    /// Time between blocks, in milliseconds.
    #[serde(default = "default_block_time_ms")]
    pub block_time_ms: u64,
    /// Heights before the tip whose state can be proven.
    #[serde(default = "default_keep_states")]
    pub keep_states: u64,
    /// Transactions that may wait.
    #[serde(default = "default_pool_transactions")]
    pub pool_transactions: usize,
    /// Bytes of transactions that may wait.
    #[serde(default = "default_pool_bytes")]
    pub pool_bytes: usize,
    /// Transactions of one sender that may wait.
    #[serde(default = "default_pool_per_sender")]
    pub pool_per_sender: usize,
}

const fn default_block_time_ms() -> u64 {
    1_000
}

const fn default_keep_states() -> u64 {
    1_024
}

const fn default_pool_transactions() -> usize {
    8_192
}

const fn default_pool_bytes() -> usize {
    16 << 20
}

const fn default_pool_per_sender() -> usize {
    64
}

impl Config {
    /// The same with every relative path taken from `base`.
    #[must_use]
    pub fn resolve(mut self, base: &Path) -> Self {
        for path in [&mut self.data_dir, &mut self.genesis, &mut self.consensus_key] {
            *path = base.join(&*path);
        }
        self
    }
}

/// Reads and checks a genesis document.
pub fn load_genesis(path: &Path) -> Result<Genesis, NodeError> {
    Ok(Genesis::from_json(&read("genesis document", path)?)?)
}

/// Reads a consensus key: 64 hex digits, with or without `0x`.
pub fn load_key(path: &Path) -> Result<ConsensusKeypair, NodeError> {
    let text = read("consensus key", path)?;
    let digits = text.trim();
    let mut seed = [0; 32];
    hex::decode_to_slice(digits.strip_prefix("0x").unwrap_or(digits), &mut seed)
        .map_err(|_| NodeError::Key { path: path.to_owned() })?;
    Ok(ConsensusKeypair::from_seed(&seed))
}

fn read(what: &'static str, path: &Path) -> Result<String, NodeError> {
    std::fs::read_to_string(path).map_err(|error| NodeError::File {
        what,
        path: path.to_owned(),
        reason: error.to_string(),
    })
}
