//! What waits is published again and again, a little at a time: peers that have come since, or were cut off, learn of it
//! within a pool's round. Whoever knows a transaction already passes it no further, so this costs each node a bounded
//! number of messages from each of its neighbours.

use std::time::{Duration, Instant};

use acumen_chain_network::NetworkHandle;
use acumen_protocol::Hash;

use crate::executor::Executor;
use crate::mempool::Mempool;

/// Between two portions.
pub(super) const TICK: Duration = Duration::from_secs(1);

/// Transactions in a portion. A pool of 8,192 is gone through in four minutes.
const PORTION: usize = 32;

/// Shortest time between the beginnings of two rounds: a network that was cut in two is one again by then, and most
/// transactions have long been in a block.
const ROUND: Duration = Duration::from_secs(15);

/// Where in the pool this node is.
#[derive(Debug)]
pub(super) struct Again {
    /// When the round began; `None` before the first one.
    begun: Option<Instant>,
    /// The transaction published last in this round; `None` between rounds.
    last: Option<Hash>,
}

impl Again {
    pub(super) const fn new() -> Self {
        Self { begun: None, last: None }
    }

    pub(super) fn publish(&mut self, executor: &Executor, handle: &NetworkHandle) {
        let portion = self.portion(&executor.pool(), Instant::now());
        for bytes in portion {
            // The next round comes.
            if handle.remind(bytes).is_err() {
                break;
            }
        }
    }

    fn portion(&mut self, pool: &Mempool, now: Instant) -> Vec<Vec<u8>> {
        if self.last.is_none() {
            if self.begun.is_some_and(|begun| now.saturating_duration_since(begun) < ROUND) {
                return Vec::new();
            }
            self.begun = Some(now);
        }
        let portion = pool.waiting(self.last, PORTION);
        let more = portion.len() == PORTION;
        self.last = portion.last().filter(|_| more).map(acumen_protocol::SignedTransaction::id);
        portion.iter().map(acumen_protocol::SignedTransaction::to_bytes).collect()
    }
}

#[cfg(test)]
mod tests;
