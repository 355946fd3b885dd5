//! Transactions that wait for a block: bounded in count, in bytes and for each sender, and ordered by nonce within one.
//!
//! A transaction may arrive some nonces early; it waits until those before it have come. One nonce of a sender is taken
//! by the first transaction that has it.

use std::collections::{BTreeMap, BTreeSet};

use acumen_chain_ledger::{LedgerError, Rejection};
use acumen_protocol::limits::MAX_BLOCK_TRANSACTIONS;
use acumen_protocol::transaction::{TransactionError, VerifiedTransaction};
use acumen_protocol::{AccountId, Hash, Height, Nonce, SignedTransaction};

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

/// Why a transaction is not queued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// Not a transaction of this chain.
    #[error(transparent)]
    Transaction(TransactionError),
    /// The ledger would refuse it.
    #[error(transparent)]
    Rejected(Rejection),
    /// The pool is full.
    #[error("the pool holds {count} transactions ({bytes} bytes), its limit: try again after the next block")]
    Full {
        /// Transactions waiting.
        count: usize,
        /// Their bytes.
        bytes: usize,
    },
    /// The sender has too many.
    #[error("{sender} has {count} transactions waiting, the limit: wait for the next block")]
    Sender {
        /// The sender.
        sender: AccountId,
        /// Its transactions waiting.
        count: usize,
    },
    /// The node failed.
    #[error("the node failed: {reason}")]
    Internal {
        /// Why.
        reason: String,
    },
}

#[derive(Debug)]
struct Entry {
    signed: SignedTransaction,
    verified: VerifiedTransaction,
    size: usize,
    /// Count of transactions taken before this one.
    arrival: u64,
    /// Last height after which it still waits.
    expires: Height,
}

/// Blocks that a transaction may wait, however long it is valid: one whose predecessors never come must not take a place
/// for ever.
const MAX_WAIT_BLOCKS: u64 = 256;

/// The pool.
#[derive(Debug)]
pub struct Mempool {
    limits: Limits,
    queues: BTreeMap<AccountId, BTreeMap<Nonce, Entry>>,
    ids: BTreeSet<Hash>,
    bytes: usize,
    arrivals: u64,
}

impl Mempool {
    /// An empty pool.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self { limits, queues: BTreeMap::new(), ids: BTreeSet::new(), bytes: 0, arrivals: 0 }
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

    /// True if the transaction waits.
    #[must_use]
    pub fn contains(&self, id: &Hash) -> bool {
        self.ids.contains(id)
    }

    /// Queues a checked transaction. `next` is the sender's next nonce in the state of `tip`.
    pub fn add(
        &mut self,
        signed: SignedTransaction,
        verified: VerifiedTransaction,
        size: usize,
        next: Nonce,
        tip: Height,
    ) -> Result<Hash, PoolError> {
        let (count, bytes) = (self.ids.len(), self.bytes);
        if count >= self.limits.transactions || bytes.saturating_add(size) > self.limits.bytes {
            return Err(PoolError::Full { count, bytes });
        }
        let (sender, found) = (verified.get().sender, verified.get().nonce);
        let queue = self.queues.entry(sender).or_default();
        if queue.contains_key(&found) {
            let expected = first_free(queue, next);
            return Err(PoolError::Rejected(Rejection::Nonce { expected, found }));
        }
        if queue.len() >= self.limits.per_sender {
            return Err(PoolError::Sender { sender, count: queue.len() });
        }
        let id = verified.id();
        let last = Height::new(tip.get().saturating_add(MAX_WAIT_BLOCKS));
        let expires = verified.get().valid_until.min(last);
        queue.insert(found, Entry { signed, verified, size, arrival: self.arrivals, expires });
        self.arrivals = self.arrivals.saturating_add(1);
        self.ids.insert(id);
        self.bytes = self.bytes.saturating_add(size);
        Ok(id)
    }

    /// Candidates for the next block: senders take turns in the order in which they came (not of their addresses, which
    /// anybody can choose), each in order of nonce.
    #[must_use]
    pub fn candidates(&self) -> Vec<(SignedTransaction, VerifiedTransaction)> {
        let mut queues: Vec<_> = self.queues.values().collect();
        queues.sort_by_key(|queue| queue.values().next().map(|entry| entry.arrival));
        let mut queues: Vec<_> = queues.into_iter().map(|queue| queue.values()).collect();
        let mut chosen = Vec::with_capacity(self.ids.len());
        while !queues.is_empty() && chosen.len() < MAX_BLOCK_TRANSACTIONS {
            queues.retain_mut(|queue| match queue.next() {
                Some(entry) => {
                    chosen.push((entry.signed.clone(), entry.verified.clone()));
                    true
                }
                None => false,
            });
        }
        chosen
    }

    /// After the block at `height`: drops what it included, what its senders' nonces have passed, and what has expired.
    pub fn retain_after(
        &mut self,
        height: Height,
        included: &[Hash],
        nonce_of: impl Fn(AccountId) -> Result<Nonce, LedgerError>,
    ) -> Result<(), LedgerError> {
        let included: BTreeSet<&Hash> = included.iter().collect();
        let mut nonces = BTreeMap::new();
        for sender in self.queues.keys() {
            nonces.insert(*sender, nonce_of(*sender)?);
        }
        let (ids, bytes) = (&mut self.ids, &mut self.bytes);
        for (sender, queue) in &mut self.queues {
            let next = nonces.get(sender).copied().unwrap_or_default();
            queue.retain(|nonce, entry| {
                let id = entry.verified.id();
                let valid = entry.expires > height;
                let stays = *nonce >= next && valid && !included.contains(&id);
                if !stays {
                    ids.remove(&id);
                    *bytes = bytes.saturating_sub(entry.size);
                }
                stays
            });
        }
        self.queues.retain(|_, queue| !queue.is_empty());
        Ok(())
    }
}

/// The first nonce from `next` on that nothing waits for.
fn first_free(queue: &BTreeMap<Nonce, Entry>, next: Nonce) -> Nonce {
    let mut free = next;
    while queue.contains_key(&free) {
        match free.next() {
            Some(after) => free = after,
            None => break,
        }
    }
    free
}

#[cfg(test)]
mod tests;
