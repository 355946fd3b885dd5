//! A node's configuration.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use acumen_chain_bft::check_address;
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
    /// Connections of clients at once; more are closed.
    #[serde(default = "default_max_connections")]
    pub max_connections: usize,
    /// Those of them from one address, or /64 of IPv6; behind a proxy all come from one.
    #[serde(default = "default_max_connections_per_address")]
    pub max_connections_per_address: usize,
    /// Address of `/metrics` (Prometheus), `/livez` and `/readyz` (HTTP); none if left out.
    #[serde(default)]
    pub metrics_listen: Option<SocketAddr>,
    /// File with the seed of the consensus key, 64 hex digits. Left out, this node follows without a vote.
    #[serde(default)]
    pub consensus_key: Option<PathBuf>,
    /// The network of the nodes that decide, and of those that follow them. Left out, this node is the only validator.
    #[serde(default)]
    pub consensus: Option<Consensus>,
    /// The peers among whom transactions are passed on. Left out, this node has none.
    #[serde(default)]
    pub network: Option<acumen_chain_network::Config>,
    /// Addresses of nodes (`http://HOST:PORT`, their `listen`) from which a node without data receives a recent state,
    /// verified from genesis, instead of executing every block; without `consensus` it follows them afterwards.
    #[serde(default)]
    pub sync_from: Vec<String>,
    /// Report validators that this node can prove to have signed two things at once. A report that convicts costs nothing.
    #[serde(default = "yes")]
    pub report_equivocations: bool,
    /// File with the seed of the account that reports, and gets its part of what the offender loses: 64 hex digits
    /// (sr25519). Left out, `reporter.key` in `data_dir`, made at the first start.
    #[serde(default)]
    pub reporter_key: Option<PathBuf>,
    /// Time between blocks, in milliseconds.
    #[serde(default = "default_block_time_ms")]
    pub block_time_ms: u64,
    /// Heights before the tip whose state can be proven, and given to new nodes. 9223372036854775807 keeps all: an archive.
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

/// Where this node meets those that decide with it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consensus {
    /// Multiaddress to listen on, over TCP: `/ip4/0.0.0.0/tcp/26656`.
    pub listen: String,
    /// Multiaddresses of other nodes, to stay connected to: `/dns4/node.example.org/tcp/26656`.
    #[serde(default)]
    pub peers: Vec<String>,
    /// How long a round waits for its proposal, in milliseconds. All nodes should have the same.
    #[serde(default = "default_propose_timeout_ms")]
    pub propose_timeout_ms: u64,
    /// How long a round waits for late votes, in milliseconds. All nodes should have the same.
    #[serde(default = "default_vote_timeout_ms")]
    pub vote_timeout_ms: u64,
}

const fn default_propose_timeout_ms() -> u64 {
    600
}

const fn default_vote_timeout_ms() -> u64 {
    200
}

impl Consensus {
    /// Checks the addresses.
    pub fn check(&self) -> Result<(), NodeError> {
        let wrong = |field| move |reason| NodeError::Address { field, reason };
        check_address(&self.listen).map_err(wrong("consensus.listen"))?;
        self.peers.iter().try_for_each(|peer| check_address(peer).map_err(wrong("consensus.peers")))
    }
}

const fn yes() -> bool {
    true
}

const fn default_max_connections() -> usize {
    512
}

const fn default_max_connections_per_address() -> usize {
    128
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
    /// What a file with no more than these would say: a node alone that follows without a vote.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>, genesis: impl Into<PathBuf>, listen: SocketAddr) -> Self {
        Self {
            data_dir: data_dir.into(),
            genesis: genesis.into(),
            listen,
            max_connections: default_max_connections(),
            max_connections_per_address: default_max_connections_per_address(),
            metrics_listen: None,
            consensus_key: None,
            consensus: None,
            network: None,
            sync_from: Vec::new(),
            report_equivocations: yes(),
            reporter_key: None,
            block_time_ms: default_block_time_ms(),
            keep_states: default_keep_states(),
            pool_transactions: default_pool_transactions(),
            pool_bytes: default_pool_bytes(),
            pool_per_sender: default_pool_per_sender(),
        }
    }

    /// The same with every relative path taken from `base`.
    #[must_use]
    pub fn resolve(mut self, base: &Path) -> Self {
        let paths = [&mut self.data_dir, &mut self.genesis].into_iter();
        for path in paths.chain(&mut self.consensus_key).chain(&mut self.reporter_key) {
            *path = base.join(&*path);
        }
        self
    }

    /// Checks what needs no file: addresses and limits.
    pub fn check_values(&self) -> Result<(), NodeError> {
        let limits = [
            ("max_connections", self.max_connections),
            ("max_connections_per_address", self.max_connections_per_address),
        ];
        if let Some((field, _)) = limits.iter().find(|(_, limit)| *limit == 0) {
            return Err(NodeError::Zero { field });
        }
        if let Some(network) = &self.network {
            network.check()?;
        }
        self.consensus.as_ref().map_or(Ok(()), Consensus::check)
    }

    /// Checks what can be checked without starting: genesis, key, addresses, limits.
    pub fn check(&self) -> Result<(), NodeError> {
        self.check_values()?;
        let genesis = load_genesis(&self.genesis)?;
        let key = self.consensus_key.as_deref().map(load_key).transpose()?;
        match &self.consensus {
            Some(_) => Ok(()),
            None if !self.sync_from.is_empty() => Ok(()),
            None => {
                let own = key.map(|key| key.public());
                match genesis.validators.iter().filter(|validator| Some(validator.key) != own).count() {
                    0 => Ok(()),
                    others => Err(NodeError::Alone { others }),
                }
            }
        }
    }
}

/// Reads and checks a genesis document.
pub fn load_genesis(path: &Path) -> Result<Genesis, NodeError> {
    Ok(Genesis::from_json(&read("genesis document", path)?)?)
}

/// Reads a genesis document that the store is going to check, unless its chain has begun with it.
pub(crate) fn read_genesis(path: &Path) -> Result<Genesis, NodeError> {
    Ok(Genesis::parse(&read("genesis document", path)?)?)
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
