//! Counters and timings for Prometheus, with the prefix `acumen_validator_`.
//!
//! Labels come from fixed sets (kinds of faults) or from uids, so nobody can make the page grow beyond the track.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

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
#[derive(Debug, Default)]
pub(crate) struct Metrics {
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
    evaluation: Option<Histogram>,
}

impl Metrics {
    /// With a registry that shows them.
    pub(crate) fn new() -> (Self, Registry) {
        // 0.25 s to 8.5 min by factors of two.
        let evaluation = Histogram::new(exponential_buckets(0.25, 2.0, 12));
        let metrics = Self { evaluation: Some(evaluation.clone()), ..Self::default() };
        let mut registry = Registry::with_prefix("acumen_validator");
        registry.register("height", "Newest block followed", metrics.height.clone());
        registry.register("registered", "1 if the hotkey has a slot", metrics.registered.clone());
        registry.register("permit", "1 if its weights count", metrics.permit.clone());
        registry.register("epoch", "Newest epoch with a report", metrics.epoch.clone());
        let help = "Loss of the collective on held-out bytes so far";
        registry.register("collective_bits_per_byte", help, metrics.collective.clone());
        registry.register("miner_weight", "Weight set, of 65535", metrics.weights.clone());
        let help = "Loss of a miner on held-out bytes so far";
        registry.register("miner_bits_per_byte", help, metrics.losses.clone());
        registry.register("answers_refused", "Wanted answers without value, by kind", metrics.faults.clone());
        registry.register("transactions_included", "Transactions in a block", metrics.included.clone());
        registry.register(
            "transactions_failed",
            "Transactions refused or not included",
            metrics.failed.clone(),
        );
        registry.register("evaluation_seconds", "From the first question to the weights", evaluation);
        (metrics, registry)
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
        if let Some(evaluation) = &self.evaluation {
            evaluation.observe(took.as_secs_f64());
        }
    }

    pub(crate) fn transaction(&self, call: &'static str, included: bool) {
        let family = if included { &self.included } else { &self.failed };
        family.get_or_create(&Call { call }).inc();
    }
}
