//! May a transaction enter the pool, and at whose cost? Nothing here changes the pool.

use std::cmp::Reverse;

use acumen_chain_ledger::Rejection;
use acumen_protocol::{AccountId, Nacu, Nonce};

use super::error::PoolError;
use super::queue::{Entry, FeeRate, Queue, Rank};
use super::{Mempool, Offer, REPLACEMENT_PERCENT};

impl Mempool {
    /// May `offer` take the place of `old`, which has the same nonce?
    pub(super) fn may_replace(&self, offer: &Offer, old: &Entry) -> Result<(), PoolError> {
        let (sender, nonce) = (offer.verified.get().sender, offer.verified.get().nonce);
        if offer.fee <= old.fee {
            // Not meant as a replacement: another program of the same sender took this nonce.
            let expected = self.queues.get(&sender).map_or(nonce, Queue::first_free);
            return Err(PoolError::Rejected(Rejection::Nonce { expected, found: nonce }));
        }
        let in_all = u128::from(old.fee.get());
        let size = |bytes: usize| u128::try_from(bytes).unwrap_or(u128::MAX);
        let by_bytes = in_all.saturating_mul(size(offer.verified.size())).div_ceil(size(old.size().max(1)));
        let needs = in_all.max(by_bytes).saturating_mul(u128::from(REPLACEMENT_PERCENT)).div_ceil(100);
        if u128::from(offer.fee.get()) >= needs {
            return Ok(());
        }
        let needs = Nacu::new(u64::try_from(needs).unwrap_or(u64::MAX));
        Err(PoolError::Replacement { sender, nonce, needs, offers: offer.fee })
    }

    /// Of the reports that cost nothing, one for each key waits: everybody who heard the proof may send one.
    pub(super) fn first_report(&self, offer: &Offer) -> Result<(), PoolError> {
        match offer.convicts {
            Some(key) if self.is_reported(&key) => Err(PoolError::Reported { key }),
            _ => Ok(()),
        }
    }

    pub(super) fn within_sender(&self, offer: &Offer, replaced: Option<&Entry>) -> Result<(), PoolError> {
        let sender = offer.verified.get().sender;
        let Some(queue) = self.queues.get(&sender) else { return Ok(()) };
        let (count, bytes) = (queue.entries.len(), queue.bytes);
        let freed = replaced.map_or(0, Entry::size);
        let after = bytes.saturating_sub(freed).saturating_add(offer.verified.size());
        let many = replaced.is_none() && count >= self.limits.per_sender;
        if many || after > self.limits.bytes_per_sender() {
            return Err(PoolError::Sender { sender, count, bytes });
        }
        Ok(())
    }

    /// Whoever pays must be able to pay for all that wait, or one balance could fill the pool.
    pub(super) fn within_funds(&self, offer: &Offer, replaced: Option<&Entry>) -> Result<(), PoolError> {
        let freed =
            replaced.filter(|old| old.payer == offer.payer).map_or(0, |old| u128::from(old.fee.get()));
        let owed = self.bills.owed(&offer.payer).saturating_sub(freed);
        let needs = owed.saturating_add(u128::from(offer.fee.get()));
        if needs <= u128::from(offer.funds.get()) {
            return Ok(());
        }
        let needs = Nacu::new(u64::try_from(needs).unwrap_or(u64::MAX));
        Err(PoolError::Rejected(Rejection::Balance { account: offer.payer, has: offer.funds, needs }))
    }

    /// Which transactions must go to make room for `offer`. Each is the last one of its sender, and is worth less than the
    /// newcomer: what has a gap before it goes before what has none, then what pays less for each byte.
    pub(super) fn victims(
        &self,
        offer: &Offer,
        replaced: Option<&Entry>,
    ) -> Result<Vec<(AccountId, Nonce)>, PoolError> {
        let mut count = self.len().saturating_add(1).saturating_sub(usize::from(replaced.is_some()));
        let freed = replaced.map_or(0, Entry::size);
        let mut bytes = self.bytes.saturating_sub(freed).saturating_add(offer.verified.size());
        let sender = offer.verified.get().sender;
        let newcomer = self.standing(offer);
        let mut victims = Vec::new();
        let mut cheapest = self.worths.iter();
        while count > self.limits.transactions || bytes > self.limits.bytes {
            let full = PoolError::Full { count: self.len(), bytes: self.bytes };
            let Some((ready, rank, owner)) = cheapest.next() else { return Err(full) };
            if (*ready, *rank) >= newcomer {
                return Err(full);
            }
            // Evicting the sender's own predecessor would make the newcomer impossible.
            let last = self.queues.get(owner).and_then(|queue| queue.entries.last_key_value());
            let Some((nonce, entry)) = last.filter(|_| *owner != sender) else { continue };
            victims.push((*owner, *nonce));
            count = count.saturating_sub(1);
            bytes = bytes.saturating_sub(entry.size());
        }
        Ok(victims)
    }

    /// Where `offer` would stand in the order of eviction.
    pub(super) fn standing(&self, offer: &Offer) -> (bool, Rank) {
        let (sender, nonce) = (offer.verified.get().sender, offer.verified.get().nonce);
        let free = self.queues.get(&sender).map_or(offer.next, Queue::first_free);
        let rate = FeeRate::of(offer.fee, offer.verified.size(), offer.convicts.is_some());
        (nonce <= free, (rate, Reverse(self.arrivals)))
    }
}
