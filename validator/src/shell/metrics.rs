//! Counters and timings for Prometheus, with the prefix `acumen_validator_`.
//!
//! Labels come from fixed sets (kinds of faults) or from uids, so nobody can make the page grow beyond the track.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use acumen_serving::Pages;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::core::report::EpochReport;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Kind {
    kind: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Uid {
    uid: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Call {
    call: &'static str,
}

/// Everything that is counted.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) height: Gauge,
    pub(crate) registered: Gauge,
    pub(crate) permit: Gauge,
    epoch: Gauge,
    collective: Gauge<f64, AtomicU64>,
    weights: Family<Uid, Gauge>,
    losses: Family<Uid, Gauge<f64, AtomicU64>>,
    faults: Family<Kind, Counter>,
    included: Family<Call, Counter>,
    failed: Family<Call, Counter>,
    evaluation: Histogram,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("acumen_validator"),
            height: Gauge::default(),
            registered: Gauge::default(),
            permit: Gauge::default(),
            epoch: Gauge::default(),
            collective: Gauge::default(),
            weights: Family::default(),
            losses: Family::default(),
            faults: Family::default(),
            included: Family::default(),
            failed: Family::default(),
            // 0.25 s to 8.5 min by factors of two.
            evaluation: Histogram::new(exponential_buckets(0.25, 2.0, 12)),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("height", "Newest block followed", self.height.clone());
        registry.register("registered", "1 if the hotkey has a slot", self.registered.clone());
        registry.register("permit", "1 if its weights count", self.permit.clone());
        registry.register("epoch", "Newest epoch with a report", self.epoch.clone());
        let help = "Loss of the collective on held-out bytes so far";
        registry.register("collective_bits_per_byte", help, self.collective.clone());
        registry.register("miner_weight", "Weight set, of 65535", self.weights.clone());
        let help = "Loss of a miner on held-out bytes so far";
        registry.register("miner_bits_per_byte", help, self.losses.clone());
        registry.register("answers_refused", "Wanted answers without value, by kind", self.faults.clone());
        registry.register("transactions_included", "Transactions in a block", self.included.clone());
        registry.register("transactions_failed", "Transactions refused or not included", self.failed.clone());
        registry.register(
            "evaluation_seconds",
            "From the first question to the weights",
            self.evaluation.clone(),
        );
    }

    pub(crate) fn scored(&self, report: &EpochReport, took: Duration) {
        self.epoch.set(i64::try_from(report.epoch).unwrap_or(i64::MAX));
        self.collective.set(report.collective_bits_per_byte);
        self.weights.clear();
        self.losses.clear();
        for miner in &report.miners {
            let uid = Uid { uid: miner.uid };
            self.weights.get_or_create(&uid).set(i64::from(miner.weight));
            self.losses.get_or_create(&uid).set(miner.held_out_bits_per_byte);
            for (kind, count) in &miner.faults {
                self.faults.get_or_create(&Kind { kind: kind.clone() }).inc_by(*count);
            }
        }
        self.evaluation.observe(took.as_secs_f64());
    }

    pub(crate) fn transaction(&self, call: &'static str, included: bool) {
        let family = if included { &self.included } else { &self.failed };
        family.get_or_create(&Call { call }).inc();
    }
}

impl Pages for Metrics {
    fn metrics(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).map(|()| text)
    }

    /// Ready means: the hotkey is registered, so weights can be set.
    fn ready(&self) -> Result<(), &'static str> {
        if self.registered.get() == 1 { Ok(()) } else { Err("the hotkey is not registered") }
    }
}
