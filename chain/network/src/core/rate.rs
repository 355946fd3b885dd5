//! A token bucket: so much at once, so much per second on average. Integers only.

/// Level of what may still pass. Time is in milliseconds; a clock that goes back counts as standing still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    per_second: u64,
    /// Most that may have gathered, in thousandths of a unit.
    capacity: u64,
    /// In thousandths of a unit.
    level: u64,
    at_ms: u64,
}

impl Bucket {
    /// Full at `now_ms`: `burst` units at once, then `per_second`.
    #[must_use]
    pub const fn new(per_second: u64, burst: u64, now_ms: u64) -> Self {
        let capacity = burst.saturating_mul(1_000);
        Self { per_second, capacity, level: capacity, at_ms: now_ms }
    }

    /// True if as much has gathered as may: whoever it is for has not been heard for a while.
    #[must_use]
    pub fn is_full(mut self, now_ms: u64) -> bool {
        self.take(0, now_ms) && self.level == self.capacity
    }

    /// Takes `amount` if that much is there. What does not pass costs nothing.
    pub fn take(&mut self, amount: u64, now_ms: u64) -> bool {
        let passed = now_ms.saturating_sub(self.at_ms);
        self.at_ms = self.at_ms.max(now_ms);
        // Units a second are thousandths a millisecond.
        self.level = self.level.saturating_add(passed.saturating_mul(self.per_second)).min(self.capacity);
        match self.level.checked_sub(amount.saturating_mul(1_000)) {
            Some(left) => {
                self.level = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_burst_then_the_rate() {
        let mut bucket = Bucket::new(10, 5, 0);
        assert_eq!((0..9).filter(|_| bucket.take(1, 0)).count(), 5);
        assert!(!bucket.take(1, 99));
        assert!(bucket.take(1, 100));
        assert!(!bucket.take(1, 50), "a clock that goes back gives nothing");
        assert_eq!(
            (0..9).filter(|_| bucket.take(1, 1_000_000)).count(),
            5,
            "idle time gathers no more than the burst"
        );
    }

    proptest! {
        #[test]
        fn never_more_than_burst_and_rate_together(
            rate in 1_u64..1_000, burst in 1_u64..1_000, asks in prop::collection::vec((0_u64..100, 0_u64..500), 1..50)
        ) {
            let mut bucket = Bucket::new(rate, burst, 0);
            let (mut now, mut taken) = (0, 0);
            for (amount, pause) in asks {
                now += pause;
                if bucket.take(amount, now) {
                    taken += amount;
                }
                prop_assert!(taken * 1_000 <= burst * 1_000 + rate * now);
            }
        }
    }
}
