//! Pauses after failures, so that a dead miner does not cost each request its deadline.
//!
//! The first failure pauses a miner for [`FIRST`], each further one twice as long up to [`LONGEST`]; a success forgets
//! them. A pause that the miner asks for itself is kept if it is longer, up to the same bound.

use std::collections::BTreeMap;
use std::time::Duration;

use acumen_protocol::AccountId;
use tokio::time::Instant;

/// Pause after one failure: about one question, so that a hiccup costs little.
pub const FIRST: Duration = Duration::from_secs(1);

/// Longest pause: a miner that comes back is asked again within this time.
pub const LONGEST: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug)]
struct Pause {
    failures: u32,
    until: Instant,
}

/// Who pauses until when.
#[derive(Debug, Default)]
pub struct Backoff {
    pauses: BTreeMap<AccountId, Pause>,
}

impl Backoff {
    /// True if `miner` does not pause at `now`.
    #[must_use]
    pub fn may_ask(&self, miner: &AccountId, now: Instant) -> bool {
        self.pauses.get(miner).is_none_or(|pause| pause.until <= now)
    }

    /// Notes a failure at `now`; the miner may have asked for a pause.
    pub fn failed(&mut self, miner: AccountId, now: Instant, asked: Option<Duration>) {
        let failures = self.pauses.get(&miner).map_or(0, |pause| pause.failures);
        let ours = FIRST.saturating_mul(1_u32.checked_shl(failures).unwrap_or(u32::MAX));
        let pause = ours.max(asked.unwrap_or_default()).min(LONGEST);
        self.pauses.insert(miner, Pause { failures: failures.saturating_add(1), until: now + pause });
    }

    /// `miner` may be asked from `now` on; its failures still count.
    pub fn lift(&mut self, miner: &AccountId, now: Instant) {
        if let Some(pause) = self.pauses.get_mut(miner) {
            pause.until = pause.until.min(now);
        }
    }

    /// Forgets the failures of `miner`.
    pub fn succeeded(&mut self, miner: &AccountId) {
        self.pauses.remove(miner);
    }

    /// Forgets everybody for whom `keep` is false.
    pub fn retain(&mut self, keep: impl Fn(&AccountId) -> bool) {
        self.pauses.retain(|miner, _| keep(miner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_bound_and_a_success_ends_them() {
        let (miner, start) = (AccountId([1; 32]), Instant::now());
        let mut backoff = Backoff::default();
        assert!(backoff.may_ask(&miner, start));
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            backoff.failed(miner, start, None);
            let pause = Duration::from_secs(seconds);
            assert!(!backoff.may_ask(&miner, start + pause - Duration::from_millis(1)));
            assert!(backoff.may_ask(&miner, start + pause));
        }
        backoff.lift(&miner, start);
        assert!(backoff.may_ask(&miner, start));
        backoff.failed(miner, start, None);
        assert!(!backoff.may_ask(&miner, start + Duration::from_secs(29)), "failures still count");
        backoff.succeeded(&miner);
        assert!(backoff.may_ask(&miner, start));
        backoff.failed(miner, start, Some(Duration::from_secs(7)));
        assert!(!backoff.may_ask(&miner, start + Duration::from_secs(6)));
    }
}
