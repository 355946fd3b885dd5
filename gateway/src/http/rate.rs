//! A token bucket: a key may burst through its minute's allowance and regains it evenly.

use std::time::Duration;

use tokio::time::Instant;

/// What is left of one key's allowance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    left: f64,
    updated: Instant,
}

/// The answer to one request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Allowance {
    /// Requests left now.
    pub(super) remaining: u32,
    /// Until the bucket is full again.
    pub(super) reset: Duration,
    /// Set if the request is refused: when one will be possible.
    pub(super) retry_after: Option<Duration>,
}

impl Bucket {
    pub(super) fn full(per_minute: u32, now: Instant) -> Self {
        Self { left: f64::from(per_minute), updated: now }
    }

    /// Takes one request at `now`.
    pub(super) fn take(&mut self, per_minute: u32, now: Instant) -> Allowance {
        let (capacity, per_second) = (f64::from(per_minute), f64::from(per_minute) / 60.0);
        let elapsed = now.saturating_duration_since(self.updated).as_secs_f64();
        self.left = (self.left + elapsed * per_second).min(capacity);
        self.updated = now;
        let refused = self.left < 1.0;
        if !refused {
            self.left -= 1.0;
        }
        Allowance {
            remaining: self.left as u32,
            reset: Duration::from_secs_f64((capacity - self.left) / per_second),
            retry_after: refused.then(|| Duration::from_secs_f64((1.0 - self.left) / per_second)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_then_one_at_a_time() {
        let start = Instant::now();
        let mut bucket = Bucket::full(2, start);
        assert_eq!(bucket.take(2, start).remaining, 1);
        assert_eq!(bucket.take(2, start).retry_after, None);
        let refused = bucket.take(2, start).retry_after.unwrap();
        assert!((refused.as_secs_f64() - 30.0).abs() < 1e-6, "{refused:?}");
        assert!(bucket.take(2, start + Duration::from_secs(29)).retry_after.is_some());
        assert!(bucket.take(2, start + Duration::from_secs(31)).retry_after.is_none());
    }
}
