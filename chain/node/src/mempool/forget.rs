//! What leaves the pool, and when.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use acumen_chain_ledger::LedgerError;
use acumen_protocol::{AccountId, Call, Hash, Height, Nacu, Nonce, SignedTransaction};

use super::{Mempool, Place};

impl Mempool {
    /// After the block at `height`: drops what it included, what its senders' nonces have passed, what its `payers` can
    /// no longer pay, and what has expired. The payers are all accounts whose balance the block may have lowered, for
    /// hotkeys' transactions too; `account_of` tells an account's next nonce and balance. The work grows with the block
    /// and with what is dropped, not with the pool.
    pub fn after_block(
        &mut self,
        height: Height,
        included: &[SignedTransaction],
        payers: &BTreeSet<AccountId>,
        account_of: impl Fn(AccountId) -> Result<(Nonce, Nacu), LedgerError>,
    ) -> Result<(), LedgerError> {
        let senders: BTreeSet<AccountId> = included.iter().map(|signed| signed.unverified().sender).collect();
        for sender in senders {
            if self.queues.contains_key(&sender) {
                let (next, _) = account_of(sender)?;
                self.pass(sender, next);
            }
        }
        // Only now: what the block included is paid, and no longer owed.
        for payer in payers {
            if self.bills.has(payer) {
                let (_, funds) = account_of(*payer)?;
                self.shed(*payer, funds);
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

    /// Drops one that a block refused.
    pub fn drop_refused(&mut self, id: &Hash) {
        if let Some((sender, nonce)) = self.ids.get(id).copied() {
            self.remove(sender, nonce);
        }
    }

    /// Drops what `next` has passed.
    fn pass(&mut self, sender: AccountId, next: Nonce) {
        let Some(queue) = self.queues.get_mut(&sender) else { return };
        queue.next = next;
        let passed: Vec<Nonce> = queue.entries.range(..next).map(|(nonce, _)| *nonce).collect();
        for nonce in passed {
            self.remove(sender, nonce);
        }
        self.reindex(sender);
    }

    /// Drops what `payer` cannot pay, whoever sent it: what is furthest from its sender's next nonce first, because
    /// nothing that can be included needs it, then what ranks lowest.
    fn shed(&mut self, payer: AccountId, funds: Nacu) {
        let too_much = |pool: &Self| pool.bills.owed(&payer) > u128::from(funds.get());
        if !too_much(self) {
            return;
        }
        let order = |place: &Place| {
            let (queue, entry) = (self.queues.get(&place.0)?, self.entry(place)?);
            Some((place.1.get().saturating_sub(queue.next.get()), Reverse(entry.rank()), *place))
        };
        let mut order: Vec<_> = self.bills.places(&payer).filter_map(order).collect();
        order.sort_unstable();
        while too_much(self)
            && let Some((_, _, (sender, nonce))) = order.pop()
        {
            self.remove(sender, nonce);
        }
    }
}
