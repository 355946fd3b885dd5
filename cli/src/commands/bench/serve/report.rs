//! Percentiles and rates, as a table for people and as JSON.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::call::{Outcome, Sample};
use super::drive::Run;
use super::options::Load;

/// Milliseconds at three percentiles, and the mean.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Times {
    pub(super) mean: f64,
    pub(super) p50: f64,
    pub(super) p95: f64,
    pub(super) p99: f64,
}

impl Times {
    /// `None` of no values.
    pub(super) fn of(mut values: Vec<Duration>) -> Option<Self> {
        values.sort_unstable();
        let milliseconds = |value: Duration| value.as_secs_f64() * 1e3;
        // The nearest rank: the smallest value that is at least as large as that share of all.
        let at = |percent: usize| {
            let rank = (values.len() * percent).div_ceil(100).max(1);
            values.get(rank - 1).copied().map(milliseconds)
        };
        let sum: Duration = values.iter().sum();
        Some(Self { mean: milliseconds(sum) / values.len() as f64, p50: at(50)?, p95: at(95)?, p99: at(99)? })
    }
}

/// Everything that is reported.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Report {
    load: Described,
    seconds: f64,
    good: usize,
    refused: usize,
    failed: usize,
    failure: Option<String>,
    requests_per_second: f64,
    tokens_per_second: f64,
    /// Requests per second that met the objective; without one, all good ones.
    goodput_per_second: f64,
    /// Milliseconds to the first token, or to a unary call's answer.
    first_ms: Option<Times>,
    /// Milliseconds between tokens.
    next_ms: Option<Times>,
    /// Milliseconds of a whole request.
    whole_ms: Option<Times>,
    /// Milliseconds until a refusal.
    refusal_ms: Option<Times>,
    resident_bytes_before: Option<u64>,
    resident_bytes_after: Option<u64>,
}

/// The load as it is printed: compared in tests, hence not the arguments themselves.
type Described = serde_json::Value;

impl Report {
    pub(super) fn new(load: &Load, run: &Run, before: Option<u64>, after: Option<u64>) -> Self {
        let with = |outcome: Outcome| run.samples.iter().filter(move |sample| sample.outcome == outcome);
        let seconds = run.took.as_secs_f64().max(1e-9);
        let good = with(Outcome::Good).count();
        let tokens: u64 = with(Outcome::Good).map(|sample| sample.tokens).sum();
        let met = with(Outcome::Good).filter(|sample| meets(load, sample)).count();
        let times = |outcome, of: fn(&Sample) -> Duration| Times::of(with(outcome).map(of).collect());
        Self {
            load: serde_json::to_value(load).unwrap_or_default(),
            seconds,
            good,
            refused: with(Outcome::Refused).count(),
            failed: with(Outcome::Failed).count(),
            failure: run.failure.clone(),
            requests_per_second: good as f64 / seconds,
            tokens_per_second: tokens as f64 / seconds,
            goodput_per_second: met as f64 / seconds,
            first_ms: times(Outcome::Good, |sample| sample.first),
            next_ms: Times::of(with(Outcome::Good).flat_map(|sample| sample.gaps.clone()).collect()),
            whole_ms: times(Outcome::Good, |sample| sample.whole),
            refusal_ms: times(Outcome::Refused, |sample| sample.whole),
            resident_bytes_before: before,
            resident_bytes_after: after,
        }
    }
}

fn meets(load: &Load, sample: &Sample) -> bool {
    let within =
        |limit: Option<f64>, time: Duration| limit.is_none_or(|limit| time.as_secs_f64() * 1e3 <= limit);
    let gaps: Duration = sample.gaps.iter().sum();
    let mean = gaps / u32::try_from(sample.gaps.len()).unwrap_or(u32::MAX).max(1);
    within(load.slo_first_ms, sample.first) && within(load.slo_next_ms, mean)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { good, refused, failed, seconds, .. } = self;
        writeln!(f, "{good} answered, {refused} refused, {failed} failed in {seconds:.2} s")?;
        if let Some(failure) = &self.failure {
            writeln!(f, "first failure: {failure}")?;
        }
        writeln!(f, "requests/s {:>12.1}", self.requests_per_second)?;
        writeln!(f, "goodput/s  {:>12.1}   within the objective", self.goodput_per_second)?;
        writeln!(f, "tokens/s   {:>12.1}", self.tokens_per_second)?;
        writeln!(f, "milliseconds        mean       p50       p95       p99")?;
        for (name, times) in [
            ("first token", self.first_ms),
            ("between tokens", self.next_ms),
            ("whole request", self.whole_ms),
            ("refusal", self.refusal_ms),
        ] {
            if let Some(Times { mean, p50, p95, p99 }) = times {
                writeln!(f, "{name:<14} {mean:>9.3} {p50:>9.3} {p95:>9.3} {p99:>9.3}")?;
            }
        }
        if let (Some(before), Some(after)) = (self.resident_bytes_before, self.resident_bytes_after) {
            let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
            write!(
                f,
                "resident memory {:.1} MiB after the warm-up, {:.1} MiB at the end",
                mib(before),
                mib(after)
            )?;
        }
        Ok(())
    }
}
