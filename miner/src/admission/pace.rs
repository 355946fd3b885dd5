//! How long the model takes for a token, from what came back while it was busy. The clock is an argument.

use std::time::{Duration, Instant};

/// Weight of the newest answer in the mean, as a divisor.
const NEWEST: f64 = 8.0;

/// Time per token.
#[derive(Debug, Default)]
pub(super) struct Pace {
    seconds_per_token: Option<f64>,
    since: Option<Instant>,
}

impl Pace {
    /// A request is let in; `idle` if there was none.
    pub(super) const fn begin(&mut self, idle: bool, now: Instant) {
        if idle || self.since.is_none() {
            self.since = Some(now);
        }
    }

    /// So many tokens have been read.
    pub(super) fn done(&mut self, tokens: u64, now: Instant) {
        let Some(since) = self.since.replace(now) else { return };
        let newest = now.saturating_duration_since(since).as_secs_f64() / tokens.max(1) as f64;
        self.seconds_per_token =
            Some(self.seconds_per_token.map_or(newest, |mean| mean + (newest - mean) / NEWEST));
    }

    /// False until something has been read.
    pub(super) const fn is_known(&self) -> bool {
        self.seconds_per_token.is_some()
    }

    /// How long so many tokens take; nothing while the pace is not known.
    pub(super) fn time_of(&self, tokens: u64) -> Duration {
        let seconds = self.seconds_per_token.unwrap_or(0.0) * tokens as f64;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}
