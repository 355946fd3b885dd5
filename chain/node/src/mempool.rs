//! Transactions that wait for a block. Pure: time is a height, and whatever the state says is an argument.
//!
//! Who pays more for each byte goes first, and leaves last when the pool is full; one sender's go in order of nonce. A
//! transaction may arrive some nonces early; it waits until those before it have come. A waiting one is replaced by
//! another of the same nonce that pays at least [`REPLACEMENT_PERCENT`] more. Bounded in count, in bytes, for each sender,
//! and in what one account is to pay in all.

mod admit;
mod bills;
mod draw;
mod error;
mod forget;
mod queue;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use acumen_protocol::limits::MAX_TRANSACTION_BYTES;
use acumen_protocol::transaction::VerifiedTransaction;
use acumen_protocol::{AccountId, ConsensusPublic, Hash, Height, Nacu, Nonce, SignedTransaction};

use bills::Bills;
pub use error::PoolError;
use queue::{Entry, Queue, Worth};

/// Sender and nonce: where a transaction waits.
type Place = (AccountId, Nonce);

/// How much may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Transactions.
    pub transactions: usize,
    /// Bytes of them.
    pub bytes: usize,
    /// Transactions of one sender; also how far ahead a nonce may be.
    pub per_sender: usize,
}

/// One sender's part of the pool's bytes: 1 in 16, so that it takes many accounts to fill the pool.
const SENDER_SHARE_OF_BYTES: usize = 16;

impl Limits {
    /// Bytes of one sender's transactions; one of the largest size always fits.
    #[must_use]
    pub fn bytes_per_sender(&self) -> usize {
        (self.bytes / SENDER_SHARE_OF_BYTES).max(MAX_TRANSACTION_BYTES)
    }
}

/// Blocks that a transaction may wait, however long it is valid: one whose predecessors never come must not take a place
/// for ever.
pub(crate) const MAX_WAIT_BLOCKS: u64 = 256;

/// A replacement pays at least so many per cent of what it replaces, in all and for each byte: replacing costs the network
/// as much as a new transaction does, so it must not be free.
pub(crate) const REPLACEMENT_PERCENT: u64 = 110;

/// A checked transaction, with what the state at the tip says about it.
#[derive(Clone, Debug)]
pub struct Offer {
    /// As it came.
    pub signed: SignedTransaction,
    /// The same, checked: it is never verified again while it waits.
    pub verified: VerifiedTransaction,
    /// What it pays, tip included.
    pub fee: Nacu,
    /// Who pays.
    pub payer: AccountId,
    /// What the payer has.
    pub funds: Nacu,
    /// The sender's next nonce.
    pub next: Nonce,
    /// The tip's height.
    pub tip: Height,
    /// Whom it convicts of signing two things at once, for nothing: it goes before everything else, and of each key one
    /// such report waits.
    pub convicts: Option<ConsensusPublic>,
}

/// The pool.
#[derive(Debug)]
pub struct Mempool {
    limits: Limits,
    queues: BTreeMap<AccountId, Queue>,
    /// Every waiting transaction, by its hash.
    ids: BTreeMap<Hash, Place>,
    /// The senders by what evicting their last transaction would cost.
    worths: BTreeSet<Worth>,
    /// What each payer is to pay for all that wait.
    bills: Bills,
    /// What expires when, so that a block's work does not grow with the pool.
    expiries: BTreeSet<(Height, AccountId, Nonce)>,
    /// The report that waits against a key.
    reports: BTreeMap<ConsensusPublic, Place>,
    bytes: usize,
    arrivals: u64,
}

impl Mempool {
    /// An empty pool.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self {
            limits,
            queues: BTreeMap::new(),
            ids: BTreeMap::new(),
            worths: BTreeSet::new(),
            bills: Bills::new(),
            expiries: BTreeSet::new(),
            reports: BTreeMap::new(),
            bytes: 0,
            arrivals: 0,
        }
    }

    /// The limits.
    #[must_use]
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// Transactions waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// True if nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Bytes waiting.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// True if the transaction waits.
    #[must_use]
    pub fn contains(&self, id: &Hash) -> bool {
        self.ids.contains_key(id)
    }

    /// The waiting transaction with this hash, whose signature needs no second check.
    #[must_use]
    pub fn verified(&self, id: &Hash) -> Option<&VerifiedTransaction> {
        Some(&self.entry(self.ids.get(id)?)?.verified)
    }

    /// True if a report of `key` waits that goes before everything else, for nothing.
    #[must_use]
    pub fn is_reported(&self, key: &ConsensusPublic) -> bool {
        self.reports.contains_key(key)
    }

    /// Queues a checked transaction, at the cost of cheaper ones if the pool is full. On an error nothing has changed.
    pub fn add(&mut self, offer: Offer) -> Result<Hash, PoolError> {
        let id = offer.verified.id();
        let (sender, nonce) = (offer.verified.get().sender, offer.verified.get().nonce);
        if self.contains(&id) {
            return Ok(id);
        }
        let replaced = self.queues.get(&sender).and_then(|queue| queue.entries.get(&nonce)).cloned();
        if let Some(old) = &replaced {
            self.may_replace(&offer, old)?;
        }
        self.first_report(&offer)?;
        self.within_sender(&offer, replaced.as_ref())?;
        self.within_funds(&offer, replaced.as_ref())?;
        let victims = self.victims(&offer, replaced.as_ref())?;
        if replaced.is_some() {
            self.remove(sender, nonce);
        }
        for (sender, nonce) in victims {
            self.remove(sender, nonce);
        }
        self.insert(offer);
        Ok(id)
    }

    fn insert(&mut self, offer: Offer) {
        let (sender, nonce) = (offer.verified.get().sender, offer.verified.get().nonce);
        let last = Height::new(offer.tip.get().saturating_add(MAX_WAIT_BLOCKS));
        let entry = Entry {
            expires: offer.verified.get().valid_until.min(last),
            arrival: self.arrivals,
            signed: offer.signed,
            verified: offer.verified,
            payer: offer.payer,
            fee: offer.fee,
            convicts: offer.convicts,
        };
        self.arrivals = self.arrivals.saturating_add(1);
        self.bytes = self.bytes.saturating_add(entry.size());
        self.ids.insert(entry.verified.id(), (sender, nonce));
        self.expiries.insert((entry.expires, sender, nonce));
        if let Some(key) = entry.convicts {
            self.reports.insert(key, (sender, nonce));
        }
        self.bills.add(&entry);
        let queue = self.queues.entry(sender).or_default();
        queue.next = queue.next.max(offer.next);
        queue.bytes = queue.bytes.saturating_add(entry.size());
        queue.entries.insert(nonce, entry);
        self.reindex(sender);
    }

    fn remove(&mut self, sender: AccountId, nonce: Nonce) {
        let Some(queue) = self.queues.get_mut(&sender) else { return };
        let Some(entry) = queue.entries.remove(&nonce) else { return };
        queue.bytes = queue.bytes.saturating_sub(entry.size());
        self.bytes = self.bytes.saturating_sub(entry.size());
        self.ids.remove(&entry.verified.id());
        self.expiries.remove(&(entry.expires, sender, nonce));
        if let Some(key) = entry.convicts {
            self.reports.remove(&key);
        }
        self.bills.remove(&entry);
        self.reindex(sender);
    }

    /// Brings a sender's place in the order of eviction up to date, and forgets a sender with nothing left.
    fn reindex(&mut self, sender: AccountId) {
        let Some(queue) = self.queues.get_mut(&sender) else { return };
        let worth = queue.worth_of_last(sender);
        if let Some(old) = std::mem::replace(&mut queue.worth, worth) {
            self.worths.remove(&old);
        }
        match worth {
            Some(worth) => {
                self.worths.insert(worth);
            }
            None => {
                self.queues.remove(&sender);
            }
        }
    }

    /// Up to `limit` of those that wait, in the order of their hashes, behind `after`.
    #[must_use]
    pub fn waiting(&self, after: Option<Hash>, limit: usize) -> Vec<SignedTransaction> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let behind = self.ids.range((from, Bound::Unbounded)).take(limit);
        behind.filter_map(|(_, place)| Some(self.entry(place)?.signed.clone())).collect()
    }
}

#[cfg(test)]
mod tests;
