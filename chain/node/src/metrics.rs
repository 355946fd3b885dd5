//! Prometheus metrics.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use acumen_chain_bft::Observation;
use acumen_chain_ledger::Event;
use acumen_protocol::Height;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// What the node counts. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    registry: Arc<Mutex<Registry>>,
    height: Gauge<u64, AtomicU64>,
    pool: Gauge<u64, AtomicU64>,
    transactions: Counter,
    failed: Counter,
    epochs: Counter,
    refused: Counter,
    refused_connections: Counter,
    signatures: Counter,
    consensus: Consensus,
}

/// What is counted of consensus.
#[derive(Clone, Debug, Default)]
struct Consensus {
    round: Gauge<u64, AtomicU64>,
    voting: Gauge<u64, AtomicU64>,
    peers: Gauge<u64, AtomicU64>,
    lost_rounds: Counter,
    synced: Counter,
    refused_blocks: Counter,
    garbage: Counter,
    equivocations: Counter,
}

impl Consensus {
    fn register(registry: &mut Registry) -> Self {
        let new = Self::default();
        registry.register("round", "Round of the height that is being decided", new.round.clone());
        registry.register("voting", "1 if this node votes", new.voting.clone());
        registry.register("peers", "Consensus peers connected", new.peers.clone());
        registry.register("lost_rounds", "Rounds that decided nothing", new.lost_rounds.clone());
        registry.register("synced_blocks", "Blocks caught up with", new.synced.clone());
        registry.register("refused_blocks", "Proposed blocks found invalid", new.refused_blocks.clone());
        registry.register("garbage_parts", "Parts of blocks that no correct node sends", new.garbage.clone());
        registry.register("equivocations", "Proofs against validators", new.equivocations.clone());
        new
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("acumen_node");
        let (height, pool) = (Gauge::default(), Gauge::default());
        let counters: [Counter; 6] = Default::default();
        registry.register("height", "Newest finalised height", Gauge::clone(&height));
        registry.register("pool_transactions", "Transactions waiting", Gauge::clone(&pool));
        let [transactions, failed, epochs, refused, refused_connections, signatures] = counters;
        registry.register("signature_checks", "Transactions whose signature was checked", signatures.clone());
        registry.register("transactions", "Transactions in finalised blocks", transactions.clone());
        registry.register("failed_transactions", "Those of them that failed", failed.clone());
        registry.register("epochs", "Epochs ended, one for each track", epochs.clone());
        registry.register("refused_transactions", "Transactions refused by the pool", refused.clone());
        registry.register("refused_connections", "Clients that had no place", refused_connections.clone());
        let consensus = Consensus::register(&mut registry);
        Self {
            registry: Arc::new(Mutex::new(registry)),
            height,
            pool,
            transactions,
            failed,
            epochs,
            refused,
            refused_connections,
            signatures,
            consensus,
        }
    }

    pub(crate) fn height(&self, height: Height) {
        self.height.set(height.get());
    }

    pub(crate) fn pool(&self, waiting: usize) {
        self.pool.set(u64::try_from(waiting).unwrap_or(u64::MAX));
    }

    pub(crate) fn signatures(&self, checked: usize) {
        self.signatures.inc_by(u64::try_from(checked).unwrap_or(0));
    }

    pub(crate) fn refused(&self) {
        self.refused.inc();
    }

    pub(crate) fn refused_connection(&self) {
        self.refused_connections.inc();
    }

    pub(crate) fn committed(&self, height: Height, transactions: usize, events: &[Event]) {
        self.height(height);
        self.transactions.inc_by(u64::try_from(transactions).unwrap_or(0));
        for event in events {
            match event {
                Event::Failed { .. } => self.failed.inc(),
                Event::EpochEnded { .. } => self.epochs.inc(),
                _ => 0,
            };
        }
    }

    pub(crate) fn observed(&self, observation: Observation) {
        let consensus = &self.consensus;
        match observation {
            Observation::Round { round, voting, .. } => {
                consensus.round.set(round.into());
                consensus.voting.set(voting.into());
                consensus.lost_rounds.inc_by(u64::from(round > 0));
            }
            Observation::Synced => {
                consensus.synced.inc();
            }
            Observation::Refused => {
                consensus.refused_blocks.inc();
            }
            Observation::Garbage => {
                consensus.garbage.inc();
            }
            Observation::Peers(count) => {
                consensus.peers.set(u64::try_from(count).unwrap_or(u64::MAX));
            }
            _ => {}
        }
    }

    pub(crate) fn accused(&self) {
        self.consensus.equivocations.inc();
    }

    /// Adds what somebody else counts.
    pub(crate) fn add(&self, collector: Box<dyn prometheus_client::collector::Collector>) {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner).register_collector(collector);
    }

    /// OpenMetrics text.
    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry.lock().unwrap_or_else(PoisonError::into_inner))?;
        Ok(text)
    }
}
