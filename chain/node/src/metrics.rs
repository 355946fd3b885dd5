//! Prometheus metrics.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

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
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("acumen_node");
        let (height, pool) = (Gauge::default(), Gauge::default());
        let counters: [Counter; 4] = Default::default();
        registry.register("height", "Newest finalised height", Gauge::clone(&height));
        registry.register("pool_transactions", "Transactions waiting", Gauge::clone(&pool));
        let [transactions, failed, epochs, refused] = counters;
        registry.register("transactions", "Transactions in finalised blocks", transactions.clone());
        registry.register("failed_transactions", "Those of them that failed", failed.clone());
        registry.register("epochs", "Epochs ended, one for each track", epochs.clone());
        registry.register("refused_transactions", "Transactions refused by the pool", refused.clone());
        Self { registry: Arc::new(Mutex::new(registry)), height, pool, transactions, failed, epochs, refused }
    }

    pub(crate) fn height(&self, height: Height) {
        self.height.set(height.get());
    }

    pub(crate) fn pool(&self, waiting: usize) {
        self.pool.set(u64::try_from(waiting).unwrap_or(u64::MAX));
    }

    pub(crate) fn refused(&self) {
        self.refused.inc();
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

    /// The text of `/metrics`.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        // Writing into a String cannot fail.
        let _ = encode(&mut text, &registry);
        text
    }
}
