//! What one sender has waiting: at most one transaction for each nonce, in order of nonce.
//!
//! The *ready* ones follow the sender's next nonce without a gap; only they can stand in the next block. The *last* one is
//! the one with the highest nonce: giving it up makes no other impossible.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use acumen_protocol::transaction::VerifiedTransaction;
use acumen_protocol::{AccountId, ConsensusPublic, Height, Nacu, Nonce, SignedTransaction};

use super::Place;

/// A transaction that waits.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) signed: SignedTransaction,
    pub(super) verified: VerifiedTransaction,
    /// Who pays.
    pub(super) payer: AccountId,
    /// What it pays, tip included.
    pub(super) fee: Nacu,
    /// Count of transactions taken before this one.
    pub(super) arrival: u64,
    /// Last height after which it still waits.
    pub(super) expires: Height,
    /// The key that it reports, if it does so for nothing.
    pub(super) convicts: Option<ConsensusPublic>,
}

impl Entry {
    pub(super) const fn size(&self) -> usize {
        self.verified.size()
    }

    pub(super) fn place(&self) -> Place {
        (self.verified.get().sender, self.verified.get().nonce)
    }

    pub(super) fn rate(&self) -> FeeRate {
        FeeRate::of(self.fee, self.size(), self.convicts.is_some())
    }

    /// What goes first: the higher fee for each byte, then the earlier arrival (never the address, which anybody can
    /// choose).
    pub(super) fn rank(&self) -> Rank {
        (self.rate(), Reverse(self.arrival))
    }
}

/// Fee for each byte, in millionths of a base unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FeeRate(u128);

impl FeeRate {
    /// A report that convicts goes before whatever is paid for.
    pub(super) fn of(fee: Nacu, size: usize, convicts: bool) -> Self {
        if convicts { Self(u128::MAX) } else { Self::new(fee, size) }
    }

    fn new(fee: Nacu, size: usize) -> Self {
        let size = u128::try_from(size.max(1)).unwrap_or(u128::MAX);
        Self(u128::from(fee.get()).saturating_mul(1_000_000) / size)
    }
}

/// A place in the order of inclusion.
pub(super) type Rank = (FeeRate, Reverse<u64>);

/// A place in the order of eviction: what cannot be included yet goes before what can, then the lower rank.
pub(super) type Worth = (bool, Rank, AccountId);

/// One sender's transactions.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    pub(super) entries: BTreeMap<Nonce, Entry>,
    /// The sender's next nonce in the state.
    pub(super) next: Nonce,
    pub(super) bytes: usize,
    /// The queue's place in the pool's order of eviction.
    pub(super) worth: Option<Worth>,
}

impl Queue {
    /// Those that can stand in the next block, in order.
    pub(super) fn ready(&self) -> impl Iterator<Item = &Entry> {
        let mut expected = Some(self.next);
        self.entries.range(self.next..).map_while(move |(nonce, entry)| {
            (Some(*nonce) == expected).then(|| {
                expected = nonce.next();
                entry
            })
        })
    }

    /// The first nonce from the next one on that nothing waits for.
    pub(super) fn first_free(&self) -> Nonce {
        let last = self.ready().last().map(|entry| entry.verified.get().nonce);
        last.map_or(self.next, |last| last.next().unwrap_or(last))
    }

    /// What giving up the last transaction would cost; `None` if there is none.
    pub(super) fn worth_of_last(&self, sender: AccountId) -> Option<Worth> {
        let (nonce, entry) = self.entries.last_key_value()?;
        Some((*nonce < self.first_free(), entry.rank(), sender))
    }
}
