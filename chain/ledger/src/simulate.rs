//! What a transaction would do, without doing it: for pools, and for people who want to know before they sign.

use acumen_protocol::transaction::VerifiedTransaction;
use acumen_protocol::{AccountId, Nacu};

use crate::block::{admissible, bump_nonce};
use crate::mint::credit;
use crate::state::Overlay;
use crate::{BlockContext, Event, LedgerError, Params, Rejection, StateRead, View, call, fee};

/// What a transaction would do in the next block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulation {
    /// What it would pay.
    pub fee: Nacu,
    /// Who would pay.
    pub payer: AccountId,
    /// The payer's free balance before.
    pub before: Nacu,
    /// The payer's free balance after.
    pub after: Nacu,
    /// What would happen.
    pub events: Vec<Event>,
}

/// What would `tx` do in the block of `context`? `Ok(Err(_))` if it would be refused or fail.
pub fn simulate(
    state: &dyn StateRead,
    context: &BlockContext,
    tx: &VerifiedTransaction,
) -> Result<Result<Simulation, Rejection>, LedgerError> {
    if let Err(rejection) = admissible(View::new(state), context, tx, 0)? {
        return Ok(Err(rejection));
    }
    let params = View::new(state).params()?;
    run(state, &params, context, tx)
}

/// Would `tx` be applied without failing in the block of `context`? For a pool: a nonce up to `gap` ahead of the next
/// one passes, but then only admissibility is checked, because the call depends on the transactions before it.
pub fn check(
    state: &dyn StateRead,
    context: &BlockContext,
    tx: &VerifiedTransaction,
    gap: u64,
) -> Result<Result<(), Rejection>, LedgerError> {
    let view = View::new(state);
    if let Err(rejection) = admissible(view, context, tx, gap)? {
        return Ok(Err(rejection));
    }
    let params = view.params()?;
    if view.account(tx.get().sender)?.nonce != tx.get().nonce {
        return Ok(fee::charge(&mut Overlay::new(state), &params, context, tx)?.map(|_| ()));
    }
    Ok(run(state, &params, context, tx)?.map(|_| ()))
}

fn run(
    state: &dyn StateRead,
    params: &Params,
    context: &BlockContext,
    tx: &VerifiedTransaction,
) -> Result<Result<Simulation, Rejection>, LedgerError> {
    let mut scratch = Overlay::new(state);
    let payer = match fee::payer(View::new(state), tx.get())? {
        Ok(payer) => payer,
        Err(rejection) => return Ok(Err(rejection)),
    };
    match attempt(&mut scratch, params, context, tx)? {
        Ok((fee, events)) => {
            let before = View::new(state).account(payer)?.free;
            let after = View::new(&scratch).account(payer)?.free;
            Ok(Ok(Simulation { fee, payer, before, after, events }))
        }
        Err(rejection) if is_shortfall(&rejection, payer) => {
            Ok(Err(shortfall(state, params, context, tx, payer)?.unwrap_or(rejection)))
        }
        Err(rejection) => Ok(Err(rejection)),
    }
}

type Attempt = Result<(Nacu, Vec<Event>), Rejection>;

fn attempt(
    state: &mut Overlay<'_>,
    params: &Params,
    context: &BlockContext,
    tx: &VerifiedTransaction,
) -> Result<Attempt, LedgerError> {
    let fee = match fee::charge(state, params, context, tx)? {
        Ok(fee) => fee,
        Err(rejection) => return Ok(Err(rejection)),
    };
    bump_nonce(state, tx)?;
    match call::apply(state, params, context, tx.get()) {
        Ok(events) => Ok(Ok((fee, events))),
        Err(call::Failure::Rejected(rejection)) => Ok(Err(rejection)),
        Err(call::Failure::Fatal(error)) => Err(error),
    }
}

fn is_shortfall(rejection: &Rejection, payer: AccountId) -> bool {
    match rejection {
        Rejection::Balance { account, .. } => *account == payer,
        Rejection::InBatch { reason, .. } => is_shortfall(reason, payer),
        _ => false,
    }
}

/// More than anybody can own: issuance stays below 2^55.
const FULL_PURSE: Nacu = Nacu::new(1 << 56);

/// What the payer needs in all, fee and amount, found with a full purse: so that nobody is told of one and then of the
/// other.
fn shortfall(
    state: &dyn StateRead,
    params: &Params,
    context: &BlockContext,
    tx: &VerifiedTransaction,
    payer: AccountId,
) -> Result<Option<Rejection>, LedgerError> {
    let mut rich = Overlay::new(state);
    let has = View::new(state).account(payer)?.free;
    credit(&mut rich, payer, FULL_PURSE)?;
    // Money would not help: the other reason is the one to tell.
    if let Err(other) = attempt(&mut rich, params, context, tx)? {
        return Ok(Some(other));
    }
    let left = View::new(&rich).account(payer)?.free;
    let full = has.checked_add(FULL_PURSE);
    let needs = full.and_then(|full| full.checked_sub(left)).filter(|needs| *needs > has);
    Ok(needs.map(|needs| Rejection::Balance { account: payer, has, needs }))
}
