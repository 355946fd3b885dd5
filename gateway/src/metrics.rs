//! What the gateway counts, in Prometheus' text format.
//!
//! Labels come from small fixed sets: route patterns, status codes, kinds of failure. Never a key, never a miner-chosen
//! text. Times are in seconds.

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// A finished request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    /// Route pattern.
    pub route: String,
    /// HTTP status.
    pub code: u16,
}

/// A dropped miner.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DropLabels {
    /// `late`, `refused`, `unreachable`, `receipt`, `invalid` or `closed`.
    pub reason: &'static str,
}

/// All metrics of one gateway.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    dropped: Family<DropLabels, Counter>,
    first_token: Histogram,
    inter_token: Histogram,
    /// Bytes of prompts accepted.
    pub prompt_tokens: Counter,
    /// Bytes of completions delivered.
    pub completion_tokens: Counter,
    /// Requests whose client went away.
    pub cancelled: Counter,
    /// Connections that had no place.
    pub refused_connections: Counter,
    /// Requests in flight.
    pub in_flight: Gauge,
    /// Miners known.
    pub miners: Gauge,
    /// Miners looked for at the endpoint of their record.
    pub record_endpoints: Counter,
    /// Failed readings of the list of miners.
    pub refresh_failures: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let first_token = Histogram::new(exponential_buckets(0.005, 2.0, 12));
        let inter_token = Histogram::new(exponential_buckets(0.001, 2.0, 12));
        let mut metrics = Self {
            registry: Registry::with_prefix("acumen_gateway"),
            requests: Family::default(),
            dropped: Family::default(),
            first_token,
            inter_token,
            prompt_tokens: Counter::default(),
            completion_tokens: Counter::default(),
            cancelled: Counter::default(),
            refused_connections: Counter::default(),
            in_flight: Gauge::default(),
            miners: Gauge::default(),
            record_endpoints: Counter::default(),
            refresh_failures: Counter::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("requests", "Requests by route and status", self.requests.clone());
        registry.register("dropped_miners", "Miners dropped within a request", self.dropped.clone());
        registry.register("time_to_first_token_seconds", "Until the first draw", self.first_token.clone());
        registry.register("inter_token_latency_seconds", "Between draws", self.inter_token.clone());
        registry.register("prompt_tokens", "Bytes of prompts", self.prompt_tokens.clone());
        registry.register("completion_tokens", "Bytes of completions", self.completion_tokens.clone());
        registry.register("cancelled_requests", "Clients that went away", self.cancelled.clone());
        registry.register(
            "refused_connections",
            "Clients that had no place",
            self.refused_connections.clone(),
        );
        registry.register("requests_in_flight", "Requests being answered", self.in_flight.clone());
        registry.register("miners", "Miners with an endpoint and weight", self.miners.clone());
        registry.register(
            "record_endpoints",
            "Miners looked for at the endpoint of their record, the chain's having failed",
            self.record_endpoints.clone(),
        );
        registry.register("refresh_failures", "Failed readings of the chain", self.refresh_failures.clone());
    }

    /// Counts a finished request.
    pub fn request(&self, route: &str, code: u16) {
        self.requests.get_or_create(&RequestLabels { route: route.to_owned(), code }).inc();
    }

    /// Counts a dropped miner.
    pub fn dropped(&self, reason: &'static str) {
        self.dropped.get_or_create(&DropLabels { reason }).inc();
    }

    /// Notes a draw that came `after` the last one, or after the start if it is the `first`.
    pub fn token_after(&self, first: bool, after: Duration) {
        let histogram = if first { &self.first_token } else { &self.inter_token };
        histogram.observe(after.as_secs_f64());
    }

    /// The text for Prometheus.
    ///
    /// # Errors
    /// Never in practice: writing to a string cannot fail.
    pub fn render(&self) -> Result<String, std::fmt::Error> {
        let mut out = String::new();
        text::encode(&mut out, &self.registry).map(|()| out)
    }
}
