//! How many streams run at once: of all senders, and of each.
//!
//! Invariant: `total` is the number of [`Slot`]s alive and the sum of `by_sender`, whose entries are above zero.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use acumen_protocol::AccountId;

use crate::config::Limits;
use crate::refusal::Refusal;

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    by_sender: HashMap<AccountId, usize>,
}

/// The slots.
#[derive(Clone, Debug)]
pub(crate) struct Slots {
    counts: Arc<Mutex<Counts>>,
    total: usize,
    per_sender: usize,
    retry_after: Duration,
}

/// One running stream; given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    counts: Arc<Mutex<Counts>>,
    sender: AccountId,
}

impl Slots {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            counts: Arc::default(),
            total: limits.max_streams,
            per_sender: limits.max_streams_per_hotkey,
            retry_after: Duration::from_millis(limits.retry_after_ms),
        }
    }

    /// Takes a slot for `sender`.
    pub(crate) fn take(&self, sender: AccountId) -> Result<Slot, Refusal> {
        let mut counts = lock(&self.counts);
        let refuse = |limit, allowed| Refusal::Slots { limit, allowed, retry_after: self.retry_after };
        if counts.total >= self.total {
            return Err(refuse("max_streams", self.total));
        }
        let mine = counts.by_sender.get(&sender).copied().unwrap_or(0);
        if mine >= self.per_sender {
            return Err(refuse("max_streams_per_hotkey", self.per_sender));
        }
        counts.by_sender.insert(sender, mine + 1);
        counts.total += 1;
        Ok(Slot { counts: Arc::clone(&self.counts), sender })
    }

    /// Streams that run.
    pub(crate) fn running(&self) -> usize {
        lock(&self.counts).total
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = lock(&self.counts);
        counts.total = counts.total.saturating_sub(1);
        if let Some(mine) = counts.by_sender.get_mut(&self.sender) {
            *mine = mine.saturating_sub(1);
            if *mine == 0 {
                counts.by_sender.remove(&self.sender);
            }
        }
    }
}

/// Counts stay whole when a holder panics: every change is a single statement.
fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sender_cannot_take_all_and_slots_come_back() {
        let slots = Slots::new(&Limits { max_streams: 3, max_streams_per_hotkey: 2, ..Limits::default() });
        let (a, b) = (AccountId([1; 32]), AccountId([2; 32]));
        let held = [slots.take(a).unwrap(), slots.take(a).unwrap()];
        assert!(matches!(slots.take(a), Err(Refusal::Slots { limit: "max_streams_per_hotkey", .. })));
        let other = slots.take(b).unwrap();
        assert!(matches!(slots.take(b), Err(Refusal::Slots { limit: "max_streams", .. })));
        drop(held);
        assert_eq!(slots.running(), 1);
        assert!(slots.take(a).is_ok());
        drop(other);
        assert!(lock(&slots.counts).by_sender.is_empty(), "no entry is left behind");
    }
}
