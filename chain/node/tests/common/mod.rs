//! A real node over loopback, on a free port.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::net::SocketAddr;
use std::path::Path;

use acumen_chain_client::ChainClient;
use acumen_chain_ledger::genesis::{GenesisBalance, GenesisTrack, GenesisValidator};
use acumen_chain_ledger::{Genesis, Params};
use acumen_chain_node::{Config, Node, NodeError};
use acumen_protocol::{AccountId, ConsensusKeypair, Keypair, Nacu};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub fn key(tag: u8) -> Keypair {
    Keypair::from_seed(&[tag; 32])
}

pub fn account(tag: u8) -> AccountId {
    key(tag).account()
}

pub fn acu(amount: u64) -> Nacu {
    Nacu::from_acu(amount).unwrap()
}

pub fn genesis() -> Genesis {
    let balance = |tag| GenesisBalance { account: account(tag), amount: acu(10_000) };
    Genesis {
        chain: "loopback".to_owned(),
        time_ms: 1,
        params: Params { tempo_blocks: 10, ..Params::default() },
        treasury: account(90),
        balances: (1..=4).map(balance).collect(),
        tracks: vec![GenesisTrack { name: "bytes".to_owned(), owner: account(91), emission_share: 1 }],
        neurons: Vec::new(),
        validators: vec![GenesisValidator { key: consensus_key().public(), power: 1 }],
    }
}

pub fn consensus_key() -> ConsensusKeypair {
    ConsensusKeypair::from_seed(&[7; 32])
}

/// Writes genesis and key into `dir`, as an operator would.
pub fn config(dir: &Path, genesis: &Genesis) -> Config {
    std::fs::write(dir.join("genesis.json"), genesis.to_json().unwrap()).unwrap();
    std::fs::write(dir.join("key"), hex::encode(consensus_key().to_seed())).unwrap();
    let config = Config {
        consensus_key: Some("key".into()),
        block_time_ms: 20,
        pool_transactions: 100,
        pool_bytes: 1 << 20,
        pool_per_sender: 16,
        ..Config::new("data", "genesis.json", ([127, 0, 0, 1], 0).into())
    };
    config.resolve(dir)
}

pub struct Running {
    pub url: String,
    /// Where metrics and probes are.
    pub pages: Option<SocketAddr>,
    stop: CancellationToken,
    task: JoinHandle<Result<(), NodeError>>,
}

impl Running {
    pub async fn start(config: Config) -> Self {
        Self::of(Node::start(config).await.unwrap())
    }

    pub fn of(node: Node) -> Self {
        let url = format!("http://{}", node.address());
        let pages = node.metrics_address().unwrap();
        let stop = CancellationToken::new();
        let task = tokio::spawn(node.run(stop.clone()));
        Self { url, pages, stop, task }
    }

    pub async fn client(&self) -> ChainClient {
        ChainClient::connect(std::slice::from_ref(&self.url), None).await.unwrap()
    }

    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}
