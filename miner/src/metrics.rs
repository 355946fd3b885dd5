//! Counters and timings, named after vLLM's (`design/metrics.md`), with the prefix `acumen_`.
//!
//! Times are seconds of the monotonic clock. Labels come from fixed sets, so that nobody can make the page grow.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use acumen_models::Load;

use crate::admission::Waiting;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Loaded {
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Finished {
    finished_reason: &'static str,
}

/// Everything that is counted.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    running: Gauge,
    waiting: Gauge,
    waiting_tokens: Gauge,
    cache_used: Gauge<f64, AtomicU64>,
    wait: Gauge<f64, AtomicU64>,
    ready: Gauge,
    pub(crate) prompt_tokens: Counter,
    pub(crate) predictions: Counter,
    pub(crate) generation_tokens: Counter,
    pub(crate) unary: Counter,
    pub(crate) queued: Histogram,
    pub(crate) first: Histogram,
    pub(crate) next: Histogram,
    pub(crate) whole: Histogram,
    refusals: Family<Reason, Counter>,
    finished: Family<Finished, Counter>,
    loads: Family<Loaded, Counter>,
    records: Family<Loaded, Counter>,
}

impl Metrics {
    /// `model_name` is the label by which dashboards choose a model.
    pub(crate) fn new(model_name: &str) -> Self {
        let label = ("model_name".into(), model_name.to_owned().into());
        // 0.5 ms to 16 s by factors of two, for answers; 1 ms to 18 min by factors of four, for whole streams.
        let answers = || Histogram::new(exponential_buckets(0.000_5, 2.0, 16));
        let mut metrics = Self {
            registry: Registry::with_prefix_and_labels("acumen", std::iter::once(label)),
            running: Gauge::default(),
            waiting: Gauge::default(),
            waiting_tokens: Gauge::default(),
            cache_used: Gauge::default(),
            wait: Gauge::default(),
            ready: Gauge::default(),
            prompt_tokens: Counter::default(),
            predictions: Counter::default(),
            generation_tokens: Counter::default(),
            unary: Counter::default(),
            queued: answers(),
            first: answers(),
            next: answers(),
            whole: Histogram::new(exponential_buckets(0.001, 4.0, 11)),
            refusals: Family::default(),
            finished: Family::default(),
            loads: Family::default(),
            records: Family::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let r = &mut self.registry;
        r.register("num_requests_running", "Streams open", self.running.clone());
        r.register("num_requests_waiting", "Requests waiting for the model", self.waiting.clone());
        r.register("num_tokens_waiting", "Tokens in the waiting requests", self.waiting_tokens.clone());
        r.register(
            "kv_cache_usage_perc",
            "Share of session positions in use, 0 to 1",
            self.cache_used.clone(),
        );
        r.register("estimated_wait_seconds", "What a new request would wait", self.wait.clone());
        r.register("ready", "1 if the model is loaded and questions are taken", self.ready.clone());
        r.register("prompt_tokens", "Context tokens read", self.prompt_tokens.clone());
        r.register("predictions", "Distributions answered", self.predictions.clone());
        r.register("generation_tokens", "Tokens generated", self.generation_tokens.clone());
        r.register("unary_calls", "Calls with one answer", self.unary.clone());
        r.register("request_queue_time_seconds", "From question to the model", self.queued.clone());
        r.register("time_to_first_token_seconds", "From question to first answer", self.first.clone());
        r.register("inter_token_latency_seconds", "From step to answer", self.next.clone());
        r.register("e2e_request_latency_seconds", "From opening to end of a stream", self.whole.clone());
        r.register("refusals", "Questions refused, and streams ended with an error", self.refusals.clone());
        r.register("model_loads", "Models loaded after the first, by how it went", self.loads.clone());
        r.register("records_published", "The miner's record handed in at its nodes", self.records.clone());
        r.register("request_success", "Streams ended, by how", self.finished.clone());
    }

    pub(crate) fn refuse(&self, reason: &'static str) {
        self.refusals.get_or_create(&Reason { reason }).inc();
    }

    /// A model has been loaded, could not be loaded, or was lost.
    pub(crate) fn loaded(&self, result: &'static str) {
        self.loads.get_or_create(&Loaded { result }).inc();
    }

    /// The miner's record was handed in, or was not.
    pub(crate) fn record_published(&self, result: &'static str) {
        self.records.get_or_create(&Loaded { result }).inc();
    }

    pub(crate) fn finish(&self, finished_reason: &'static str) {
        self.finished.get_or_create(&Finished { finished_reason }).inc();
    }

    /// The page in OpenMetrics text, with the gauges as of now.
    pub(crate) fn page(
        &self,
        running: usize,
        load: &Load,
        queue: &Waiting,
        ready: bool,
    ) -> Result<String, std::fmt::Error> {
        let gauge = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
        self.running.set(gauge(running));
        self.waiting.set(gauge(load.waiting + queue.requests));
        self.waiting_tokens.set(gauge(load.waiting_tokens).saturating_add_unsigned(queue.tokens));
        self.wait.set(queue.estimate.as_secs_f64());
        self.cache_used.set(load.kv_used as f64 / load.kv_total.max(1) as f64);
        self.ready.set(i64::from(ready));
        let mut page = String::new();
        prometheus_client::encoding::text::encode(&mut page, &self.registry)?;
        Ok(page)
    }
}
