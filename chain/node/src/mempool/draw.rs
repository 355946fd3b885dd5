//! Drawing candidates for a block, best first, for as long as the block has room: by fee for each byte, then by arrival,
//! each sender's in order of nonce and without a gap.
//!
//! A draw goes on beside a pool that changes: what has left the pool meanwhile, and what its sender has behind it, is left
//! out. Whatever a block refuses ends its sender's turn, so that nobody's impossible transactions take others' room.

use std::collections::{BTreeSet, BinaryHeap};

use acumen_protocol::transaction::VerifiedTransaction;
use acumen_protocol::{AccountId, SignedTransaction};

use super::queue::{Entry, Rank};
use super::{Mempool, Place};

/// A draw that has begun.
#[derive(Debug)]
pub struct Draw {
    /// The next one of each sender.
    best: BinaryHeap<(Rank, Place)>,
    /// Senders whose turn is over.
    over: BTreeSet<AccountId>,
}

/// A transaction for the block: as it came, and checked.
pub(crate) type Candidate = (SignedTransaction, VerifiedTransaction);

impl Mempool {
    /// Begins a draw.
    #[must_use]
    pub fn draw(&self) -> Draw {
        let first = self.queues.values().filter_map(|queue| queue.ready().next());
        Draw { best: first.map(|entry| (entry.rank(), entry.place())).collect(), over: BTreeSet::new() }
    }

    pub(super) fn entry(&self, (sender, nonce): &Place) -> Option<&Entry> {
        self.queues.get(sender)?.entries.get(nonce)
    }
}

impl Draw {
    /// Up to `count` more of `pool`; none if nothing is left.
    pub fn next(&mut self, pool: &Mempool, count: usize) -> Vec<Candidate> {
        let mut drawn = Vec::new();
        while drawn.len() < count
            && let Some((_, place)) = self.best.pop()
        {
            let (sender, nonce) = place;
            let Some(entry) = pool.entry(&place).filter(|_| !self.over.contains(&sender)) else { continue };
            drawn.push((entry.signed.clone(), entry.verified.clone()));
            let behind = nonce.next().and_then(|nonce| pool.entry(&(sender, nonce)));
            self.best.extend(behind.map(|entry| (entry.rank(), entry.place())));
        }
        drawn
    }

    /// Nothing more of `sender`.
    pub fn end_turn(&mut self, sender: AccountId) {
        self.over.insert(sender);
    }

    /// Has `sender`'s turn ended?
    #[must_use]
    pub fn is_over(&self, sender: &AccountId) -> bool {
        self.over.contains(sender)
    }
}
