//! Applying transactions and ending epochs: one block at a time.
//!
//! A transaction is *admissible* if its nonce is the sender's next one, it has not expired and its fee can be paid. Only
//! admissible ones may stand in a block. If an admissible one then fails, it has paid its fee and has no other effect.

use acumen_protocol::transaction::VerifiedTransaction;
use acumen_protocol::{Hash, Height, Nacu, Nonce, TimestampMs, ValidatorSet};

use crate::call::{self, evidence::verdict};
use crate::epoch;
use crate::fee;
use crate::state::{Changes, Overlay, StateRead};
use crate::{
    Account, Event, LedgerError, Params, Rejection, StateKey, View, governance, unbonding, validators,
};

/// Where a block stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockContext {
    /// The chain's genesis hash.
    pub genesis: Hash,
    /// The block's height, above zero.
    pub height: Height,
    /// The block's time.
    pub time: TimestampMs,
}

/// What became of a transaction in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxOutcome {
    /// The transaction.
    pub id: Hash,
    /// What it paid.
    pub fee: Nacu,
    /// Why it failed, if it did.
    pub failure: Option<Rejection>,
}

/// What a block does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockOutcome {
    /// Writes to the state.
    pub changes: Changes,
    /// Events, in order.
    pub events: Vec<Event>,
    /// One for each transaction, in order.
    pub outcomes: Vec<TxOutcome>,
    /// The set that decides the next block.
    pub next_validators: ValidatorSet,
}

/// Why a block cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlockError {
    /// A transaction that no proposer may include.
    #[error("transaction {id} must not stand in the block at height {height}: {rejection}")]
    Inadmissible {
        /// The transaction.
        id: Hash,
        /// The block.
        height: Height,
        /// Why.
        rejection: Rejection,
    },
    /// The state is damaged.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Builds a block's outcome transaction by transaction.
#[derive(Debug)]
pub struct BlockBuilder<'a> {
    context: BlockContext,
    params: Params,
    state: Overlay<'a>,
    events: Vec<Event>,
    outcomes: Vec<TxOutcome>,
}

impl<'a> BlockBuilder<'a> {
    /// Begins the block of `context` on top of `state`.
    pub fn new(state: &'a dyn StateRead, context: BlockContext) -> Result<Self, LedgerError> {
        let params = View::new(state).params()?;
        Ok(Self { context, params, state: Overlay::new(state), events: Vec::new(), outcomes: Vec::new() })
    }

    /// Applies one transaction. `Ok(Err(_))`: it is inadmissible and was left out. After an error too the block is as it
    /// was before: a transaction that would make or lose a base unit can be left out as well.
    pub fn push(&mut self, tx: &VerifiedTransaction) -> Result<Result<(), Rejection>, LedgerError> {
        let (params, context) = (&self.params, &self.context);
        if let Err(rejection) = admissible(View::new(&self.state), context, tx, 0)? {
            return Ok(Err(rejection));
        }
        let verdict = verdict(View::new(&self.state), params, context, tx.get())?;
        let mut state = Overlay::new(&self.state);
        let fee = match fee::charge(&mut state, params, tx, verdict.as_ref())? {
            Ok(fee) => fee,
            Err(rejection) => return Ok(Err(rejection)),
        };
        bump_nonce(&mut state, tx)?;
        let mut called = Overlay::new(&state);
        let (events, failure) = match call::apply(&mut called, params, context, tx.get(), verdict.as_ref()) {
            Ok(events) => (events, None),
            Err(call::Failure::Rejected(rejection)) => (Vec::new(), Some(rejection)),
            Err(call::Failure::Fatal(error)) => return Err(error),
        };
        let changes = if failure.is_none() { called.into_raw() } else { Changes::new() };
        state.merge(changes);
        state.check_conserved()?;
        let changes = state.into_raw();
        self.state.merge(changes);
        self.note(tx, fee, events, failure);
        Ok(Ok(()))
    }

    fn note(&mut self, tx: &VerifiedTransaction, fee: Nacu, events: Vec<Event>, failure: Option<Rejection>) {
        let id = tx.id();
        self.events.extend(events);
        self.events.push(match failure.clone() {
            None => Event::Applied { id, fee },
            Some(reason) => Event::Failed { id, fee, reason },
        });
        self.outcomes.push(TxOutcome { id, fee, failure });
    }

    /// Ends the block, and the epoch if it is due. Fails if the block would make or lose a base unit.
    pub fn finish(mut self) -> Result<BlockOutcome, LedgerError> {
        let (state, params, context) = (&mut self.state, &self.params, &self.context);
        self.events.extend(unbonding::pay(state, context)?);
        if params.ends_epoch(context.height) {
            self.events.extend(epoch::end(state, params, context)?);
            self.events.extend(governance::end_epoch(state, params, context)?);
            self.events.extend(validators::elect(state, params, context)?);
        }
        let next_validators = View::new(&self.state).validators()?;
        let changes = self.state.into_changes()?;
        Ok(BlockOutcome { changes, events: self.events, outcomes: self.outcomes, next_validators })
    }
}

/// Applies a whole block. One inadmissible transaction refuses it.
pub fn execute_block(
    state: &dyn StateRead,
    context: BlockContext,
    transactions: &[VerifiedTransaction],
) -> Result<BlockOutcome, BlockError> {
    let mut block = BlockBuilder::new(state, context)?;
    for tx in transactions {
        block.push(tx)?.map_err(|rejection| BlockError::Inadmissible {
            id: tx.id(),
            height: context.height,
            rejection,
        })?;
    }
    Ok(block.finish()?)
}

pub(crate) fn admissible(
    view: View<'_>,
    context: &BlockContext,
    tx: &VerifiedTransaction,
    gap: u64,
) -> Result<Result<(), Rejection>, LedgerError> {
    let transaction = tx.get();
    if transaction.valid_until < context.height {
        let (valid_until, height) = (transaction.valid_until, context.height);
        return Ok(Err(Rejection::Expired { valid_until, height }));
    }
    let (expected, found) = (view.account(transaction.sender)?.nonce, transaction.nonce);
    let last = Nonce::new(expected.get().saturating_add(gap));
    if found < expected || found > last {
        return Ok(Err(Rejection::Nonce { expected, found }));
    }
    Ok(Ok(()))
}

pub(crate) fn bump_nonce(state: &mut Overlay<'_>, tx: &VerifiedTransaction) -> Result<(), LedgerError> {
    let sender = tx.get().sender;
    let account = View::new(state).account(sender)?;
    let nonce = account.nonce.next().ok_or(LedgerError::Overflow { what: "a nonce" })?;
    state.put(&StateKey::Account(sender), &Account { nonce, ..account });
    Ok(())
}
