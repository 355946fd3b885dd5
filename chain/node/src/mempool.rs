//! Transactions that wait for a block. Pure: time is a height, and whatever the state says is an argument.
//!
//! Who pays more for each byte goes first, and leaves last when the pool is full; one sender's go in order of nonce. A
//! transaction may arrive some nonces early; it waits until those before it have come. A waiting one is replaced by
//! another of the same nonce that pays at least [`REPLACEMENT_PERCENT`] more. Bounded in count, in bytes, for each sender,
//! and in what one account is to pay in all.

mod admit;
mod error;
mod queue;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::ops::Bound;

use acumen_chain_ledger::LedgerError;
use acumen_protocol::limits::{MAX_BLOCK_TRANSACTIONS, MAX_TRANSACTION_BYTES};
use acumen_protocol::transaction::VerifiedTransaction;
use acumen_protocol::{AccountId, Call, ConsensusPublic, Hash, Height, Nacu, Nonce, SignedTransaction};

pub use error::PoolError;
use queue::{Entry, Queue, Worth};

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
    ids: BTreeMap<Hash, (AccountId, Nonce)>,
    /// The senders by what evicting their last transaction would cost.
    worths: BTreeSet<Worth>,
    /// What each payer is to pay for all that wait.
    owed: BTreeMap<AccountId, u128>,
    /// What expires when, so that a block's work does not grow with the pool.
    expiries: BTreeSet<(Height, AccountId, Nonce)>,
    /// The report that waits against a key.
    reports: BTreeMap<ConsensusPublic, (AccountId, Nonce)>,
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
            owed: BTreeMap::new(),
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
        let (sender, nonce) = self.ids.get(id)?;
        Some(&self.queues.get(sender)?.entries.get(nonce)?.verified)
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
        let owed = self.owed.entry(entry.payer).or_default();
        *owed = owed.saturating_add(u128::from(entry.fee.get()));
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
        if let Some(owed) = self.owed.get_mut(&entry.payer) {
            *owed = owed.saturating_sub(u128::from(entry.fee.get()));
            if *owed == 0 {
                self.owed.remove(&entry.payer);
            }
        }
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
        let entry = |(sender, nonce): &(AccountId, Nonce)| self.queues.get(sender)?.entries.get(nonce);
        let behind = self.ids.range((from, Bound::Unbounded)).take(limit);
        behind.filter_map(|(_, place)| Some(entry(place)?.signed.clone())).collect()
    }

    /// Candidates for the next block, best first: by fee for each byte, then by arrival, each sender's in order of nonce
    /// and without a gap.
    #[must_use]
    pub fn candidates(&self) -> Vec<(SignedTransaction, VerifiedTransaction)> {
        let mut queues: Vec<_> = self.queues.values().map(|queue| queue.ready().peekable()).collect();
        let mut best = BinaryHeap::with_capacity(queues.len());
        for (index, queue) in queues.iter_mut().enumerate() {
            best.extend(queue.peek().map(|entry| (entry.rank(), Reverse(index))));
        }
        let mut chosen = Vec::with_capacity(self.len().min(MAX_BLOCK_TRANSACTIONS));
        while let Some((_, Reverse(index))) = best.pop() {
            if chosen.len() >= MAX_BLOCK_TRANSACTIONS {
                break;
            }
            let Some(queue) = queues.get_mut(index) else { continue };
            chosen.extend(queue.next().map(|entry| (entry.signed.clone(), entry.verified.clone())));
            best.extend(queue.peek().map(|entry| (entry.rank(), Reverse(index))));
        }
        chosen
    }

    /// After the block at `height`: drops what it included, what its senders' nonces have passed, what its senders can no
    /// longer pay, and what has expired. `account_of` tells a sender's next nonce and balance. The work grows with the
    /// block and with what is dropped, not with the pool.
    pub fn after_block(
        &mut self,
        height: Height,
        included: &[SignedTransaction],
        account_of: impl Fn(AccountId) -> Result<(Nonce, Nacu), LedgerError>,
    ) -> Result<(), LedgerError> {
        let senders: BTreeSet<AccountId> = included.iter().map(|signed| signed.unverified().sender).collect();
        for sender in senders {
            if self.queues.contains_key(&sender) {
                let (next, funds) = account_of(sender)?;
                self.recheck(sender, next, funds);
            }
        }
        // Whoever reported a key first: what else waits against it convicts nobody any more.
        for signed in included {
            if let Call::ReportEquivocation { evidence } = &signed.unverified().call
                && let Some((sender, nonce)) = self.reports.get(&evidence.offender()).copied()
            {
                self.remove(sender, nonce);
            }
        }
        while let Some((expires, sender, nonce)) = self.expiries.first().copied() {
            if expires > height {
                break;
            }
            self.remove(sender, nonce);
        }
        Ok(())
    }

    fn recheck(&mut self, sender: AccountId, next: Nonce, funds: Nacu) {
        let Some(queue) = self.queues.get_mut(&sender) else { return };
        queue.next = next;
        let passed: Vec<Nonce> = queue.entries.range(..next).map(|(nonce, _)| *nonce).collect();
        for nonce in passed {
            self.remove(sender, nonce);
        }
        // The dearest nonce is the one furthest away: what comes after it cannot be included without it anyway.
        while self.owed.get(&sender).copied().unwrap_or(0) > u128::from(funds.get()) {
            let last = self.queues.get(&sender).and_then(|queue| queue.entries.last_key_value());
            match last.filter(|(_, entry)| entry.payer == sender).map(|(nonce, _)| *nonce) {
                Some(nonce) => self.remove(sender, nonce),
                None => break,
            }
        }
        self.reindex(sender);
    }
}

#[cfg(test)]
mod tests;
