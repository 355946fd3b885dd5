//! What a transaction would do, without doing it: for pools, and for people who want to know before they sign.

use acumen_protocol::transaction::VerifiedTransaction;
use acumen_protocol::{AccountId, Call, ConsensusPublic, Nacu};

use crate::block::{admissible, bump_nonce};
use crate::call::evidence::{Verdict, verdict};
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

/// What a pool wants to know of a transaction that would be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fit {
    /// What it would pay.
    pub fee: Nacu,
    /// Who would pay.
    pub payer: AccountId,
    /// Whom it convicts of signing two things at once, for no more than its tip.
    pub convicts: Option<ConsensusPublic>,
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
) -> Result<Result<Fit, Rejection>, LedgerError> {
    let view = View::new(state);
    if let Err(rejection) = admissible(view, context, tx, gap)? {
        return Ok(Err(rejection));
    }
    let params = view.params()?;
    let convicts = match &tx.get().call {
        Call::ReportEquivocation { evidence } => Some(evidence.offender()),
        _ => None,
    };
    if view.account(tx.get().sender)?.nonce == tx.get().nonce {
        let done = run(state, &params, context, tx)?;
        return Ok(done.map(|Simulation { fee, payer, .. }| Fit { fee, payer, convicts }));
    }
    let payer = match fee::payer(view, tx.get())? {
        Ok(payer) => payer,
        Err(rejection) => return Ok(Err(rejection)),
    };
    let fee = fee::charge(&mut Overlay::new(state), &params, tx, None)?;
    Ok(fee.map(|fee| Fit { fee, payer, convicts: None }))
}

/// A transaction with what it is tried on.
struct Trial<'a> {
    params: &'a Params,
    context: &'a BlockContext,
    tx: &'a VerifiedTransaction,
    verdict: Option<Verdict>,
}

fn run(
    state: &dyn StateRead,
    params: &Params,
    context: &BlockContext,
    tx: &VerifiedTransaction,
) -> Result<Result<Simulation, Rejection>, LedgerError> {
    let view = View::new(state);
    let payer = match fee::payer(view, tx.get())? {
        Ok(payer) => payer,
        Err(rejection) => return Ok(Err(rejection)),
    };
    let trial = Trial { params, context, tx, verdict: verdict(view, params, context, tx.get())? };
    let mut scratch = Overlay::new(state);
    match trial.attempt(&mut scratch)? {
        Ok((fee, events)) => {
            scratch.check_conserved()?;
            let before = view.account(payer)?.free;
            let after = View::new(&scratch).account(payer)?.free;
            Ok(Ok(Simulation { fee, payer, before, after, events }))
        }
        Err(rejection) if is_shortfall(&rejection, payer) => {
            Ok(Err(trial.shortfall(state, payer)?.unwrap_or(rejection)))
        }
        Err(rejection) => Ok(Err(rejection)),
    }
}

type Attempt = Result<(Nacu, Vec<Event>), Rejection>;

impl Trial<'_> {
    fn attempt(&self, state: &mut Overlay<'_>) -> Result<Attempt, LedgerError> {
        let Self { params, context, tx, verdict } = self;
        let fee = match fee::charge(state, params, tx, verdict.as_ref())? {
            Ok(fee) => fee,
            Err(rejection) => return Ok(Err(rejection)),
        };
        bump_nonce(state, tx)?;
        match call::apply(state, params, context, tx.get(), verdict.as_ref()) {
            Ok(events) => Ok(Ok((fee, events))),
            Err(call::Failure::Rejected(rejection)) => Ok(Err(rejection)),
            Err(call::Failure::Fatal(error)) => Err(error),
        }
    }

    /// What the payer needs in all, fee and amount, found with a full purse: so that nobody is told of one and then of
    /// the other.
    fn shortfall(&self, state: &dyn StateRead, payer: AccountId) -> Result<Option<Rejection>, LedgerError> {
        let mut rich = Overlay::new(state);
        let has = View::new(state).account(payer)?.free;
        credit(&mut rich, payer, FULL_PURSE)?;
        // Money would not help: the other reason is the one to tell.
        if let Err(other) = self.attempt(&mut rich)? {
            return Ok(Some(other));
        }
        let left = View::new(&rich).account(payer)?.free;
        let full = has.checked_add(FULL_PURSE);
        let needs = full.and_then(|full| full.checked_sub(left)).filter(|needs| *needs > has);
        Ok(needs.map(|needs| Rejection::Balance { account: payer, has, needs }))
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
