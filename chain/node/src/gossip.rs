//! Between the peers and the pool: what peers send is checked and queued before it is passed on, what is submitted here is
//! published. Checks run on a bounded number of blocking threads, in batches; what does not fit waits in the network's
//! bounded queue, and beyond that is dropped.

mod again;
mod metrics;

use std::path::Path;
use std::sync::Arc;

use acumen_chain_network::{
    Incoming, Network, NetworkHandle, Registry, Setup, Verdict, load_or_create_identity,
};
use acumen_protocol::SignedTransaction;
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::error::NodeError;
use crate::executor::Executor;
use crate::mempool::PoolError;
use again::Again;

/// File with this node's key among the peers that gossip, in the data directory.
const IDENTITY: &str = "network.key";

/// File with the peers known, in the data directory.
const BOOK: &str = "peers.json";

/// Messages checked in one go: a few milliseconds of signatures.
const BATCH: usize = 64;

/// A network that has begun, and ends with this value.
#[derive(Debug)]
pub(crate) struct Gossip {
    network: Network,
    stop: DropGuard,
}

impl Gossip {
    /// Listens and dials as `config` says; what is submitted to `executor` from now on is published.
    pub(crate) fn start(
        config: &acumen_chain_network::Config,
        data_dir: &Path,
        executor: &Executor,
    ) -> Result<Self, NodeError> {
        let identity = load_or_create_identity(&data_dir.join(IDENTITY))?;
        let book = Some(data_dir.join(BOOK));
        let chain = executor.clone();
        // A state that cannot be read stops the node elsewhere; here it means that nobody's record is taken.
        let registry = Registry::new(move |hotkey| chain.is_registered(*hotkey).unwrap_or(false));
        let (config, genesis, registry) = (config.clone(), executor.genesis(), Some(registry));
        let setup = Setup { config, identity, genesis, registry, book };
        let stop = CancellationToken::new();
        let network = Network::start(setup, stop.clone())?;
        executor.publish_to(network.handle.clone());
        metrics::register(executor.metrics(), network.handle.clone());
        Ok(Self { network, stop: stop.drop_guard() })
    }

    /// The network.
    pub(crate) const fn handle(&self) -> &NetworkHandle {
        &self.network.handle
    }

    /// Takes what comes until `shutdown`.
    pub(crate) async fn run(self, executor: Executor, shutdown: CancellationToken) -> Result<(), NodeError> {
        let Self { network: Network { handle, mut incoming, task }, stop } = self;
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let permits = Arc::new(Semaphore::new(cores));
        let mut batch = Vec::with_capacity(BATCH);
        let mut again = Again::new();
        let mut clock = tokio::time::interval(again::TICK);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let received = tokio::select! {
                () = shutdown.cancelled() => break,
                _ = clock.tick() => {
                    again.publish(&executor, &handle);
                    continue;
                }
                received = incoming.recv_many(&mut batch, BATCH) => received,
            };
            // The semaphore is never closed.
            let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { break };
            if received == 0 {
                break;
            }
            let work = judge_all(executor.clone(), handle.clone(), std::mem::take(&mut batch));
            tokio::spawn(async move {
                work.await;
                drop(permit);
            });
        }
        drop(stop);
        task.await.map_err(|error| NodeError::Task { reason: error.to_string() })
    }
}

async fn judge_all(executor: Executor, handle: NetworkHandle, batch: Vec<Incoming>) {
    let judge = move || {
        let verdicts = judge(&executor, batch.iter().map(|message| message.bytes.as_slice()));
        batch.iter().map(|message| message.ticket.clone()).zip(verdicts).collect::<Vec<_>>()
    };
    // A check that breaks is a bug of this node, for which no peer is blamed: the messages expire unanswered.
    for (ticket, verdict) in tokio::task::spawn_blocking(judge).await.unwrap_or_default() {
        handle.report(ticket, verdict).await;
    }
}

/// What becomes of messages. Only what no state can make valid is held against its sender: peers may be a few blocks ahead
/// of this node, or behind it.
fn judge<'a>(executor: &Executor, messages: impl Iterator<Item = &'a [u8]>) -> Vec<Verdict> {
    let read: Vec<Option<SignedTransaction>> =
        messages.map(|bytes| SignedTransaction::from_bytes(bytes).ok()).collect();
    let mut admitted = executor.admit_all(read.iter().flatten().cloned().collect()).into_iter();
    let verdict = |read: &Option<SignedTransaction>| match read.as_ref().and_then(|_| admitted.next()) {
        Some(Ok((_, true))) => Verdict::Accept,
        None | Some(Err(PoolError::Transaction(_))) => Verdict::Reject,
        Some(Ok((_, false)) | Err(_)) => Verdict::Ignore,
    };
    read.iter().map(verdict).collect()
}
