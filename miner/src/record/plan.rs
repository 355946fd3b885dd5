//! When the miner's record is published and what it says, without a clock or a random number: times are arguments.
//!
//! Invariant: while publishing works, a record that is good for [`EVERY_MS`] at least is out at every moment, and each
//! record is dated later than the one before. When something is due is counted on a clock that only goes forward; records
//! are dated by the wall's. Both in milliseconds.

use acumen_protocol::call::Endpoint;
use acumen_protocol::miner_record::{MAX_AHEAD_MS, MAX_LIFE_MS, MinerRecord};
use acumen_protocol::{AccountId, Hash};

/// Longest time between two records.
pub(super) const EVERY_MS: u64 = 600_000;

/// By so much less, at most: miners that were started together do not stay together.
const JITTER_MS: u64 = 120_000;

/// A record outlives two that did not get through. One of a miner that is gone is forgotten after this.
const LIFE_MS: u64 = 3 * EVERY_MS;
const _: () = assert!(LIFE_MS <= MAX_LIFE_MS);

/// The pause after a failure, doubled with each further one up to the longest.
const PAUSE_MS: u64 = 2_000;
const LONGEST_PAUSE_MS: u64 = 300_000;

/// See the module.
#[derive(Debug)]
pub(super) struct Plan {
    hotkey: AccountId,
    endpoint: Endpoint,
    due_ms: u64,
    /// When the last record was dated.
    issued_ms: u64,
    published: u64,
    failures: u32,
}

impl Plan {
    /// A first record, at once.
    pub(super) const fn new(hotkey: AccountId, endpoint: Endpoint) -> Self {
        Self { hotkey, endpoint, due_ms: 0, issued_ms: 0, published: 0, failures: 0 }
    }

    /// When the next record is due, since the start.
    pub(super) const fn due_ms(&self) -> u64 {
        self.due_ms
    }

    /// The miner serves something else, or elsewhere: a record at once.
    pub(super) fn change(&mut self, endpoint: Endpoint, now_ms: u64) {
        if self.endpoint != endpoint {
            self.endpoint = endpoint;
            self.due_ms = now_ms;
            self.failures = 0;
        }
    }

    /// The record to sign, dated `wall_ms` since the Unix epoch: later than any before, unless the clock was set back by
    /// more than nodes forgive.
    pub(super) fn issue(&mut self, wall_ms: u64) -> MinerRecord {
        let after = self.issued_ms.saturating_add(1);
        let forgiven = after <= wall_ms.saturating_add(MAX_AHEAD_MS / 2);
        self.issued_ms = if forgiven { wall_ms.max(after) } else { wall_ms };
        MinerRecord {
            hotkey: self.hotkey,
            endpoint: self.endpoint.clone(),
            issued_ms: self.issued_ms,
            expires_ms: self.issued_ms.saturating_add(LIFE_MS),
        }
    }

    /// A node has taken the record.
    pub(super) fn published(&mut self, now_ms: u64) {
        self.published = self.published.saturating_add(1);
        self.failures = 0;
        self.due_ms = now_ms.saturating_add(EVERY_MS).saturating_sub(self.jitter_ms());
    }

    /// No node has.
    pub(super) fn failed(&mut self, now_ms: u64) {
        let pause = PAUSE_MS.saturating_mul(1_u64.checked_shl(self.failures).unwrap_or(u64::MAX));
        self.failures = self.failures.saturating_add(1);
        self.due_ms = now_ms.saturating_add(pause.min(LONGEST_PAUSE_MS));
    }

    /// Another one for each miner and each time, and always the same for the same.
    fn jitter_ms(&self) -> u64 {
        let drawn = Hash::of_encoded(&("acumen/record-jitter/1", self.hotkey, self.published));
        let [a, b, c, d, ..] = drawn.0;
        u64::from(u32::from_le_bytes([a, b, c, d])) % JITTER_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: u64 = 1_700_000_000_000;

    fn endpoint(port: u16) -> Endpoint {
        Endpoint::new(&format!("http://192.0.2.1:{port}"), Hash([1; 32]), None).unwrap()
    }

    fn plan(tag: u8) -> Plan {
        Plan::new(AccountId([tag; 32]), endpoint(1))
    }

    #[test]
    fn a_record_is_out_long_before_the_last_one_expires() {
        let mut plan = plan(1);
        let (mut now, mut last) = (0, None::<MinerRecord>);
        assert_eq!(plan.due_ms(), 0, "the first at once");
        for _ in 0..100 {
            now = now.max(plan.due_ms());
            let record = plan.issue(WALL + now);
            assert!(record.expires_ms - record.issued_ms <= MAX_LIFE_MS);
            if let Some(last) = last {
                assert!(last.expires_ms - record.issued_ms >= EVERY_MS && record.issued_ms > last.issued_ms);
            }
            plan.published(now);
            assert!((EVERY_MS - JITTER_MS..=EVERY_MS).contains(&(plan.due_ms() - now)));
            last = Some(record);
        }
    }

    #[test]
    fn miners_do_not_publish_in_step() {
        let due = |tag| {
            let mut plan = plan(tag);
            plan.published(0);
            plan.due_ms()
        };
        let distinct: std::collections::BTreeSet<u64> = (0..20).map(due).collect();
        assert!(distinct.len() > 15, "{distinct:?}");
        assert_eq!(due(3), due(3), "nothing is drawn");
    }

    #[test]
    fn failures_are_tried_again_with_growing_pauses() {
        let mut plan = plan(1);
        let mut pauses = Vec::new();
        for _ in 0..10 {
            plan.failed(50);
            pauses.push((plan.due_ms() - 50) / 1_000);
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        plan.published(50);
        plan.failed(60);
        assert_eq!(plan.due_ms(), 60 + PAUSE_MS, "a success begins anew");
    }

    #[test]
    fn what_changes_is_published_at_once_and_what_stays_is_not() {
        let mut plan = plan(1);
        plan.published(0);
        let due = plan.due_ms();
        plan.change(endpoint(1), 5);
        assert_eq!(plan.due_ms(), due);
        plan.change(endpoint(2), 5);
        assert_eq!((plan.due_ms(), plan.issue(WALL).endpoint), (5, endpoint(2)));
    }

    #[test]
    fn a_clock_set_back_a_little_does_not_date_a_record_before_the_last_one() {
        let mut plan = plan(1);
        let first = plan.issue(WALL).issued_ms;
        assert_eq!(plan.issue(WALL - 10_000).issued_ms, first + 1);
        assert_eq!(plan.issue(WALL - 3_600_000).issued_ms, WALL - 3_600_000, "no record from the future");
    }
}
