//! Punishing a consensus key that signed two things at once while it decided blocks.

use acumen_protocol::vote::{Equivocation, EquivocationError};
use acumen_protocol::{AccountId, Call, ConsensusPublic, Height, Nacu, Transaction};

use super::{Done, Failure};
use crate::mint::{burn, credit, minus, plus};
use crate::record::{Offence, Terms};
use crate::rejection::EvidenceFault;
use crate::state::Overlay;
use crate::{
    BlockContext, Event, Hotkey, KeyRecord, LedgerError, Params, Rejection, StateKey, View, validators,
};

const MILLION: u128 = 1_000_000;

/// What a report comes to: whom it convicts, or why nobody.
pub(crate) type Verdict = Result<KeyRecord, Rejection>;

/// The verdict on a report that stands alone, so that its two signatures are checked once and not for the fee and for
/// the call. Fee and nonce change nothing that it depends on.
pub(crate) fn verdict(
    view: View<'_>,
    params: &Params,
    context: &BlockContext,
    transaction: &Transaction,
) -> Result<Option<Verdict>, LedgerError> {
    match &transaction.call {
        Call::ReportEquivocation { evidence } => judge(view, params, context, evidence).map(Some),
        _ => Ok(None),
    }
}

/// Once for each key: it never votes again, so whatever else it signed then is part of the same offence.
pub(super) fn report(
    state: &mut Overlay<'_>,
    params: &Params,
    context: &BlockContext,
    reporter: AccountId,
    evidence: &Equivocation,
    verdict: Option<&Verdict>,
) -> Done {
    let (key, height, round) = (evidence.offender(), evidence.height(), evidence.round());
    let record = match verdict {
        Some(verdict) => verdict.clone()?,
        None => judge(View::new(state), params, context, evidence)??,
    };
    let offence = Some(Offence { height, round, reported_at: context.height });
    state.put(&StateKey::ConsensusKey(key), &KeyRecord { offence, ..record });
    let (staked, unbonding) = match record.hotkey {
        Some(hotkey) => punish(state, params, context, hotkey, (key, height))?,
        None => (Nacu::ZERO, Nacu::ZERO),
    };
    let reward = reward(state, params, reporter, plus(staked, unbonding, "a slash")?)?;
    let hotkey = record.hotkey;
    Ok(vec![Event::Equivocated { key, hotkey, height, round, staked, unbonding, reward }])
}

/// Does `evidence` convict anybody who is not convicted? What the state says is asked first: signatures cost more.
fn judge(
    view: View<'_>,
    params: &Params,
    context: &BlockContext,
    evidence: &Equivocation,
) -> Result<Verdict, LedgerError> {
    let (key, height) = (evidence.offender(), evidence.height());
    let record: Option<KeyRecord> = view.get(&StateKey::ConsensusKey(key))?;
    let Some(record) = record else { return Ok(Err(Rejection::UnknownConsensusKey { key })) };
    if record.offence.is_some() {
        return Ok(Err(Rejection::KeyRetired { key }));
    }
    if let Err(rejection) = check_age(params, context, height) {
        return Ok(Err(rejection));
    }
    let terms: Terms = view.get(&StateKey::Terms(key))?.unwrap_or_default();
    if !terms.cover(height) {
        return Ok(Err(Rejection::NotInSet { key, height }));
    }
    Ok(match evidence.verify(&context.genesis) {
        Ok(()) => Ok(record),
        Err(EquivocationError::BadSignature { .. }) => {
            Err(Rejection::Evidence { reason: EvidenceFault::Signature })
        }
        Err(_) => Err(Rejection::Evidence { reason: EvidenceFault::NoConflict }),
    })
}

/// The offence must lie within the time in which the stake of then can still be found.
fn check_age(params: &Params, context: &BlockContext, height: Height) -> Result<(), Rejection> {
    let (found, newest) = (params.epoch_of(height), params.epoch_of(context.height));
    let oldest = params.oldest_evidence(context.height);
    if found < oldest || height > context.height {
        return Err(Rejection::EvidenceAge { found, oldest, newest });
    }
    Ok(())
}

/// Slashes the stake and what is on its way back, and ends the candidature. What any key of the hotkey signed before the
/// end of its jail is paid for with the slash that began it: a delegate that binds many keys and reports them all, or one
/// key after the other, costs its delegators no more than one slash for each jail.
fn punish(
    state: &mut Overlay<'_>,
    params: &Params,
    context: &BlockContext,
    hotkey: AccountId,
    (key, height): (ConsensusPublic, Height),
) -> Result<(Nacu, Nacu), Failure> {
    let mut info: Hotkey = View::new(state).need(&StateKey::Hotkey(hotkey))?;
    let paid_for = height < info.jailed_until;
    if paid_for && info.consensus_key != Some(key) {
        return Ok((Nacu::ZERO, Nacu::ZERO));
    }
    info.consensus_key = None;
    validators::withdraw(state, hotkey);
    let slashed = if paid_for { (Nacu::ZERO, Nacu::ZERO) } else { slash(params, &mut info)? };
    let last = params.last_block_of(params.epochs_after(context.height, params.jail_epochs));
    info.jailed_until = info.jailed_until.max(last.next().unwrap_or(last));
    state.put(&StateKey::Hotkey(hotkey), &info);
    Ok(slashed)
}

fn slash(params: &Params, info: &mut Hotkey) -> Result<(Nacu, Nacu), LedgerError> {
    let (mut pool, mut waiting) = (info.staked(), info.unbonding());
    let slashed = (pool.slash(params.slash_ppm)?, waiting.slash(params.slash_ppm)?);
    info.set_staked(pool);
    info.set_unbonding(waiting);
    Ok(slashed)
}

/// Pays the reporter's part and burns the rest.
fn reward(
    state: &mut Overlay<'_>,
    params: &Params,
    reporter: AccountId,
    slashed: Nacu,
) -> Result<Nacu, LedgerError> {
    let product = u128::from(slashed.get()).saturating_mul(u128::from(params.reporter_ppm));
    let part = product.checked_div(MILLION).and_then(|part| u64::try_from(part).ok()).unwrap_or(0);
    let part = Nacu::new(part);
    credit(state, reporter, part)?;
    let rest = minus(slashed, part, "a slash")?;
    if rest > Nacu::ZERO {
        burn(state, rest)?;
    }
    Ok(part)
}
