//! Real networks over loopback.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::path::PathBuf;
use std::time::Duration;

use acumen_chain_network::{
    Config, Connectivity, Incoming, Keypair, Multiaddr, Network, NetworkHandle, PeerId, Registry, Setup,
    Verdict,
};
use acumen_protocol::Hash;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub const GENESIS: Hash = Hash([7; 32]);

/// Far longer than anything here takes: a test that hangs fails instead of blocking the suite.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("never happened: {what}"))
}

pub fn identity(tag: u8) -> Keypair {
    Keypair::ed25519_from_bytes([tag; 32]).unwrap()
}

/// The key of a miner, if the tag is at most 9.
pub fn hotkey(tag: u8) -> acumen_protocol::Keypair {
    acumen_protocol::Keypair::from_seed(&[tag; 32])
}

pub fn config(bootstrap: &[Multiaddr]) -> Config {
    Config {
        listen: vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()],
        bootstrap: bootstrap.to_vec(),
        private_addresses: true,
        ..Config::default()
    }
}

pub struct Running {
    pub handle: NetworkHandle,
    pub incoming: mpsc::Receiver<Incoming>,
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Running {
    pub fn start(tag: u8, config: Config, genesis: Hash, book: Option<PathBuf>) -> Self {
        let miners: Vec<_> = (1..=9).map(|tag| hotkey(tag).account()).collect();
        let registry = Some(Registry::new(move |hotkey| miners.contains(hotkey)));
        Self::of(Setup { config, identity: identity(tag), genesis, registry, book })
    }

    pub fn with_registry(tag: u8, config: Config, registry: Registry) -> Self {
        Self::of(Setup {
            config,
            identity: identity(tag),
            genesis: GENESIS,
            registry: Some(registry),
            book: None,
        })
    }

    fn of(setup: Setup) -> Self {
        let stop = CancellationToken::new();
        let Network { handle, incoming, task } = Network::start(setup, stop.clone()).unwrap();
        Self { handle, incoming, task, stop }
    }

    pub fn plain(tag: u8, bootstrap: &[Multiaddr]) -> Self {
        Self::start(tag, config(bootstrap), GENESIS, None)
    }

    pub fn peer(&self) -> PeerId {
        self.handle.peer()
    }

    pub async fn until(&self, what: &str, condition: impl FnMut(&Connectivity) -> bool) -> Connectivity {
        let mut state = self.handle.connectivity();
        patiently(what, state.wait_for(condition)).await.unwrap().clone()
    }

    /// Where others reach it.
    pub async fn address(&self) -> Multiaddr {
        let state = self.until("listening", |state| !state.listening.is_empty()).await;
        format!("{}/p2p/{}", state.listening[0], self.peer()).parse().unwrap()
    }

    /// The next message, answered with `verdict`.
    pub async fn take(&mut self, verdict: Verdict) -> Vec<u8> {
        let Incoming { bytes, ticket, .. } = patiently("a message", self.incoming.recv()).await.unwrap();
        self.handle.report(ticket, verdict).await;
        bytes
    }

    pub async fn stop(self) {
        self.stop.cancel();
        patiently("the end", self.task).await.unwrap();
    }
}
