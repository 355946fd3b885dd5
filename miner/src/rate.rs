//! How often a sender may open a stream: a token bucket per hotkey, filled at a rate that grows with stake.
//!
//! Only senders that were let in have a bucket. Steps are not counted: a stream is lock-step, so the number of streams
//! bounds them. The clock is an argument.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use acumen_protocol::{AccountId, Nacu};

use crate::config::Limits;
use crate::refusal::Refusal;

/// Most hotkeys remembered: with stake demanded, there are never as many. Full buckets are forgotten first, which
/// changes nothing for their owners.
const MAX_BUCKETS: usize = 65_536;

/// Base units in a thousand ACU.
const NACU_PER_KACU: f64 = 1e12;

/// The longest pause that is asked for.
const MAX_RETRY: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct Bucket {
    level: f64,
    capacity: f64,
    rate: f64,
    at: Instant,
}

impl Bucket {
    fn fill(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.at).as_secs_f64();
        self.level = seconds.mul_add(self.rate, self.level).min(self.capacity);
        self.at = now;
    }
}

/// The buckets.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    base: f64,
    per_kacu: f64,
    burst_seconds: f64,
    buckets: Mutex<HashMap<AccountId, Bucket>>,
}

impl RateLimiter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            base: limits.opens_per_second,
            per_kacu: limits.opens_per_second_per_kacu,
            burst_seconds: limits.burst_seconds,
            buckets: Mutex::default(),
        }
    }

    /// Counts one opening of `sender`, who has `stake`.
    pub(crate) fn count(&self, sender: AccountId, stake: Nacu, now: Instant) -> Result<(), Refusal> {
        let rate = (stake.get() as f64 / NACU_PER_KACU).mul_add(self.per_kacu, self.base);
        let capacity = (rate * self.burst_seconds).max(1.0);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_BUCKETS && !buckets.contains_key(&sender) {
            buckets.retain(|_, bucket| {
                bucket.fill(now);
                bucket.level < bucket.capacity
            });
            if buckets.len() >= MAX_BUCKETS {
                return Err(Refusal::RateLimit { retry_after: Duration::from_secs(1) });
            }
        }
        let bucket = buckets.entry(sender).or_insert(Bucket { level: capacity, capacity, rate, at: now });
        bucket.fill(now);
        (bucket.rate, bucket.capacity) = (rate, capacity);
        if bucket.level >= 1.0 {
            bucket.level -= 1.0;
            return Ok(());
        }
        let seconds = (1.0 - bucket.level) / rate;
        let retry_after = Duration::try_from_secs_f64(seconds).unwrap_or(MAX_RETRY).min(MAX_RETRY);
        Err(Refusal::RateLimit { retry_after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter() -> RateLimiter {
        RateLimiter::new(&Limits {
            opens_per_second: 1.0,
            opens_per_second_per_kacu: 1.0,
            burst_seconds: 2.0,
            ..Limits::default()
        })
    }

    fn burst(limiter: &RateLimiter, sender: AccountId, acu: u64, now: Instant) -> usize {
        let stake = Nacu::from_acu(acu).unwrap();
        (0..100).take_while(|_| limiter.count(sender, stake, now).is_ok()).count()
    }

    #[test]
    fn stake_buys_rate() {
        let (limiter, now) = (limiter(), Instant::now());
        assert_eq!(burst(&limiter, AccountId([1; 32]), 0, now), 2);
        assert_eq!(burst(&limiter, AccountId([2; 32]), 3_000, now), 8);
        let later = now + Duration::from_secs(1);
        assert_eq!(burst(&limiter, AccountId([1; 32]), 0, later), 1, "a second gives one more");
        assert_eq!(burst(&limiter, AccountId([2; 32]), 3_000, later), 4);
    }

    #[test]
    fn a_refusal_says_when_to_come_back() {
        let (limiter, now, sender) = (limiter(), Instant::now(), AccountId([1; 32]));
        burst(&limiter, sender, 0, now);
        let half = now + Duration::from_millis(500);
        let Err(Refusal::RateLimit { retry_after }) = limiter.count(sender, Nacu::ZERO, half) else {
            panic!("half a token is not enough");
        };
        assert_eq!(retry_after, Duration::from_millis(500));
        assert!(limiter.count(sender, Nacu::ZERO, half + retry_after).is_ok());
    }

    #[test]
    fn memory_is_bounded() {
        let (limiter, now) = (limiter(), Instant::now());
        let sender = |n: usize| AccountId(std::array::from_fn(|i| n.to_le_bytes()[i % 8]));
        let admitted =
            (0..MAX_BUCKETS + 10).filter(|n| limiter.count(sender(*n), Nacu::ZERO, now).is_ok()).count();
        assert_eq!(admitted, MAX_BUCKETS);
        let later = now + Duration::from_secs(10);
        assert!(limiter.count(AccountId([255; 32]), Nacu::ZERO, later).is_ok());
        assert_eq!(limiter.buckets.lock().unwrap().len(), 1, "full buckets are forgotten");
    }
}
