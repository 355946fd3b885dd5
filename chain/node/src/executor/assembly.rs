//! Building a block from the pool.
//!
//! Invariant: no transaction ends the proposer. One that the ledger refuses, or that would break its books, is left out
//! and leaves the pool; if they break them only together, an empty block is proposed instead.

use std::collections::BTreeSet;

use acumen_chain_ledger::{
    BlockBuilder, BlockContext, BlockError, LedgerError, Rejection, StateRead, View, payer,
};
use acumen_protocol::limits::{MAX_BLOCK_BYTES, MAX_BLOCK_TRANSACTIONS};
use acumen_protocol::{AccountId, Block, ConsensusPublic, Hash, SignedTransaction, TimestampMs};

use super::{Assembled, Executor};
use crate::error::NodeError;

/// Transactions drawn while the pool is held: well under a millisecond of copying, for which others wait.
const DRAWN: usize = 256;

/// Does a block break the ledger's books? Nothing is wrong with this node's data then: the block must not stand, and what
/// leads to it must be reported.
pub(crate) const fn is_breach(error: &NodeError) -> bool {
    match error {
        NodeError::Conservation(_) => true,
        NodeError::Ledger(error) | NodeError::Block(BlockError::Ledger(error)) => breaks_books(error),
        _ => false,
    }
}

const fn breaks_books(error: &LedgerError) -> bool {
    !matches!(error, LedgerError::State(_) | LedgerError::Corrupt(_) | LedgerError::Missing { .. })
}

impl Executor {
    /// A new block from the pool, on top of the tip.
    pub(crate) fn assemble_next(
        &self,
        proposer: &ConsensusPublic,
        now: TimestampMs,
    ) -> Result<Block, NodeError> {
        let context = self.next_context(now);
        let state = self.store().state()?;
        let mut builder = BlockBuilder::new(&state, context)?;
        let transactions = self.fill(&mut builder)?;
        let ids: Vec<Hash> = transactions.iter().map(SignedTransaction::id).collect();
        let assembled = match self.conclude(&state, context, *proposer, builder, transactions) {
            Err(error) if is_breach(&error) && !ids.is_empty() => {
                tracing::error!(height = %context.height, %error, "dropped what the pool held for a block that would break the books: please report it");
                let mut pool = self.pool();
                ids.iter().for_each(|id| pool.drop_refused(id));
                drop(pool);
                let empty = BlockBuilder::new(&state, context)?;
                self.conclude(&state, context, *proposer, empty, Vec::new())?
            }
            concluded => concluded?,
        };
        let block = assembled.block.clone();
        self.remember(assembled);
        Ok(block)
    }

    fn conclude(
        &self,
        state: &dyn StateRead,
        context: BlockContext,
        proposer: ConsensusPublic,
        builder: BlockBuilder<'_>,
        transactions: Vec<SignedTransaction>,
    ) -> Result<Assembled, NodeError> {
        let outcome = builder.finish()?;
        self.assemble(state, context, proposer, transactions, outcome)
    }

    /// Draws from the pool until the block is full. What is refused leaves the pool, unless it only waits for another
    /// one of its sender.
    fn fill(&self, builder: &mut BlockBuilder<'_>) -> Result<Vec<SignedTransaction>, NodeError> {
        let (mut transactions, mut bytes) = (Vec::new(), 0_usize);
        let mut refused = Vec::new();
        let mut draw = self.pool().draw();
        'block: loop {
            let drawn = draw.next(&self.pool(), DRAWN);
            if drawn.is_empty() {
                break;
            }
            for (signed, verified) in drawn {
                let sender = verified.get().sender;
                if draw.is_over(&sender) {
                    continue;
                }
                let size = bytes.saturating_add(verified.size());
                if transactions.len() >= MAX_BLOCK_TRANSACTIONS || size > MAX_BLOCK_BYTES {
                    break 'block;
                }
                let waits = match builder.push(&verified) {
                    Ok(Ok(())) => {
                        bytes = size;
                        transactions.push(signed);
                        continue;
                    }
                    Ok(Err(Rejection::Nonce { expected, found })) => found > expected,
                    Ok(Err(_)) => false,
                    Err(error) if breaks_books(&error) => {
                        tracing::error!(id = %verified.id(), %sender, %error, "dropped a transaction that would break the books: please report it");
                        false
                    }
                    Err(error) => return Err(error.into()),
                };
                draw.end_turn(sender);
                refused.extend((!waits).then(|| verified.id()));
            }
        }
        let mut pool = self.pool();
        refused.iter().for_each(|id| pool.drop_refused(id));
        Ok(transactions)
    }

    /// Whose balance `block` may have lowered: its senders, and the owners who paid for their hotkeys.
    pub(super) fn payers(view: View<'_>, block: &Block) -> Result<BTreeSet<AccountId>, LedgerError> {
        let mut payers = BTreeSet::new();
        for signed in &block.transactions {
            let transaction = signed.unverified();
            payers.insert(transaction.sender);
            payers.extend(payer(view, transaction)?);
        }
        Ok(payers)
    }
}
