//! Putting a node together: store, executor, engine, servers.

use std::net::SocketAddr;
use std::time::Duration;

use acumen_chain_ledger::Genesis;
use acumen_chain_store::{Options, Store};
use acumen_protocol::{ConsensusKeypair, Keypair};
use acumen_serving::connections::Incoming;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, load_key, read_genesis};
use crate::error::NodeError;
use crate::evidence;
use crate::executor::Executor;
use crate::gossip::Gossip;
use crate::mempool::{Limits, Mempool};
use crate::metrics::Metrics;
use crate::replication;
use crate::server;
use crate::service::Service;
use crate::sync::{self, Follow};

/// Memory of the store's cache, in bytes.
const STORE_CACHE_BYTES: usize = 64 << 20;

/// File with the seed of the account that reports, in the data directory.
const REPORTER_KEY: &str = "reporter.key";

/// How long open connections, and consensus, may take to end at shutdown.
const DRAIN: Duration = Duration::from_secs(5);

const _: () =
    assert!(DRAIN.as_millis() > acumen_chain_bft::MAX_END.as_millis(), "consensus must not be cut off");

/// A node that has its data and its ports, ready to run.
#[derive(Debug)]
pub struct Node {
    genesis: Genesis,
    executor: Executor,
    consensus: acumen_chain_bft::Config,
    follow: Option<Follow>,
    gossip: Option<Gossip>,
    /// Who reports what this node can prove.
    reporter: Option<Keypair>,
    metrics: Metrics,
    address: SocketAddr,
    incoming: Incoming,
    block_time: Duration,
    metrics_listener: Option<TcpListener>,
}

/// Runs a node until `shutdown`. Paths in `config` are resolved already.
pub async fn run(config: Config, shutdown: CancellationToken) -> Result<(), NodeError> {
    // Receiving a state may take minutes; whoever stops the node does not wait for it.
    let node = tokio::select! {
        node = Node::start(config) => node?,
        () = shutdown.cancelled() => return Ok(()),
    };
    node.run(shutdown).await
}

impl Node {
    /// Reads genesis and key, opens the store, takes the ports.
    pub async fn start(config: Config) -> Result<Self, NodeError> {
        let genesis = read_genesis(&config.genesis)?;
        let key = config.consensus_key.as_deref().map(load_key).transpose()?;
        Self::assemble(config, genesis, key).await
    }

    async fn assemble(
        config: Config,
        genesis: Genesis,
        key: Option<ConsensusKeypair>,
    ) -> Result<Self, NodeError> {
        config.check_values()?;
        let options = Options { keep_states: config.keep_states, cache_bytes: STORE_CACHE_BYTES };
        sync::restore(&config.data_dir, &genesis, &config.sync_from, options).await?;
        let (dir, document) = (config.data_dir.clone(), genesis.clone());
        let opened = tokio::task::spawn_blocking(move || Store::open(&dir, &document, options)).await;
        let store = opened.map_err(|error| NodeError::Task { reason: error.to_string() })??;
        let limits = Limits {
            transactions: config.pool_transactions,
            bytes: config.pool_bytes,
            per_sender: config.pool_per_sender,
        };
        let metrics = Metrics::new();
        let executor = Executor::new(store, Mempool::new(limits), metrics.clone());
        let own = key.as_ref().map(ConsensusKeypair::public);
        let others =
            executor.validators()?.validators().iter().filter(|voter| Some(voter.key) != own).count();
        let follow = match (&config.consensus, others) {
            (None, 1..) if config.sync_from.is_empty() => return Err(NodeError::Alone { others }),
            (None, 1..) => Some(Follow::new(&config.sync_from)?),
            _ => None,
        };
        let consensus = replication::settings(&config, key)?;
        let listener = bind(config.listen, "listen").await?;
        let metrics_listener = match config.metrics_listen {
            Some(address) => Some(bind(address, "metrics_listen").await?),
            None => None,
        };
        let network = config.network.as_ref();
        let gossip =
            network.map(|network| Gossip::start(network, &config.data_dir, &executor)).transpose()?;
        let reporter = reporter(&config)?;
        let address = local(&listener)?;
        let incoming = server::incoming(listener, &config, metrics.clone());
        Ok(Self {
            genesis,
            executor,
            consensus,
            follow,
            gossip,
            reporter,
            metrics,
            address,
            incoming,
            block_time: Duration::from_millis(config.block_time_ms),
            metrics_listener,
        })
    }

    /// Where the gRPC server listens: tells the port if the configuration said 0.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The chain that this node keeps: for programs that hold a node within them.
    #[must_use]
    pub const fn executor(&self) -> &Executor {
        &self.executor
    }

    /// Where the metrics are, if anywhere.
    pub fn metrics_address(&self) -> Result<Option<SocketAddr>, NodeError> {
        self.metrics_listener.as_ref().map(local).transpose()
    }

    /// The peers that gossip transactions, if there are any to be.
    #[must_use]
    pub fn network(&self) -> Option<&acumen_chain_network::NetworkHandle> {
        self.gossip.as_ref().map(Gossip::handle)
    }

    /// Serves and produces blocks until `shutdown`, or until something breaks.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), NodeError> {
        let stop = shutdown.child_token();
        let Self { genesis, executor, consensus, follow, gossip, reporter, metrics, .. } = self;
        let Self { address, incoming, block_time, metrics_listener, .. } = self;
        let mut released = executor.tip();
        let tip = executor.store().tip().height;
        tracing::info!(chain = %genesis.chain, genesis = %executor.genesis(), height = %tip, %address, "node is up");
        let service = Service::new(executor.clone(), genesis, metrics.clone(), stop.clone());
        let mut tasks = JoinSet::new();
        let at = |address| move |reason| NodeError::Server { address, reason };
        let pages_address = metrics_listener.as_ref().map_or(Ok(address), local)?;
        let grpc = server::serve(service, incoming, stop.clone());
        tasks.spawn(async move { grpc.await.map_err(at(address)) });
        let pages =
            server::serve_pages(metrics, executor.clone(), block_time, metrics_listener, stop.clone());
        tasks.spawn(async move { pages.await.map_err(at(pages_address)) });
        if let Some(gossip) = gossip {
            tasks.spawn(gossip.run(executor.clone(), stop.clone()));
        }
        if let Some(account) = reporter {
            tasks.spawn(evidence::run(executor.clone(), account, stop.clone()));
        }
        match follow {
            Some(follow) => tasks.spawn(follow.run(executor, stop.clone())),
            None => tasks.spawn(replication::run(consensus, executor, stop.clone())),
        };
        let first = tasks.join_next().await.map_or(Ok(()), flatten);
        stop.cancel();
        // The block in progress is committed and open streams end; a connection that hangs is cut.
        let drained = tokio::time::timeout(DRAIN, async { while tasks.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            tracing::warn!("connections did not end in time and were cut");
            tasks.shutdown().await;
        }
        // Connections let go of the store a moment after their server; its folder is free only then.
        let _ = tokio::time::timeout(DRAIN, async { while released.changed().await.is_ok() {} }).await;
        tracing::info!("node has stopped");
        first
    }
}

/// The account that reports, if this node is to.
fn reporter(config: &Config) -> Result<Option<Keypair>, NodeError> {
    let path = config.reporter_key.clone().unwrap_or_else(|| config.data_dir.join(REPORTER_KEY));
    config.report_equivocations.then(|| evidence::load_or_create_account(&path)).transpose()
}

fn flatten(result: Result<Result<(), NodeError>, tokio::task::JoinError>) -> Result<(), NodeError> {
    result.map_err(|error| NodeError::Task { reason: error.to_string() })?
}

fn local(listener: &TcpListener) -> Result<SocketAddr, NodeError> {
    listener.local_addr().map_err(|error| NodeError::Task { reason: error.to_string() })
}

async fn bind(address: SocketAddr, field: &'static str) -> Result<TcpListener, NodeError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| NodeError::Listen { address, field, reason: error.to_string() })
}
