//! Nonces of signed requests: the clock in nanoseconds, made strictly increasing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The last nonce of this process. Two processes with one hotkey draw from the same clock; that they draw the same
/// nanosecond is improbable, and then one of the two requests is refused as a replay.
static LAST: AtomicU64 = AtomicU64::new(0);

/// A nonce that this process has not used before.
pub(crate) fn next() -> u64 {
    after(&LAST, now())
}

/// The clock, in nanoseconds since the Unix epoch; 0 before it, `u64::MAX` from the year 2554 on.
fn now() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
}

/// `clock`, or one more than the last nonce if the clock has not moved on.
fn after(last: &AtomicU64, clock: u64) -> u64 {
    let mut previous = last.load(Ordering::Relaxed);
    loop {
        let next = clock.max(previous.saturating_add(1));
        match last.compare_exchange_weak(previous, next, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return next,
            Err(seen) => previous = seen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_stands_or_steps_back_gives_increasing_nonces() {
        let last = AtomicU64::new(0);
        let nonces: Vec<u64> = [7, 7, 5, 9].into_iter().map(|clock| after(&last, clock)).collect();
        assert_eq!(nonces, [7, 8, 9, 10]);
    }

    #[test]
    fn threads_never_share_a_nonce() {
        let threads: Vec<_> =
            (0..4).map(|_| std::thread::spawn(|| (0..1_000).map(|_| next()).collect::<Vec<_>>())).collect();
        let mut nonces: Vec<u64> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        nonces.sort_unstable();
        nonces.dedup();
        assert_eq!(nonces.len(), 4_000);
    }
}
