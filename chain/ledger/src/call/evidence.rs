//! Punishing a consensus key that signed two things at once.

use acumen_protocol::vote::{Equivocation, EquivocationError};
use acumen_protocol::{AccountId, Epoch, Height, Nacu};

use super::{Done, Failure};
use crate::mint::{burn, credit, minus, plus};
use crate::record::Offence;
use crate::rejection::EvidenceFault;
use crate::state::Overlay;
use crate::{
    BlockContext, Event, Hotkey, KeyRecord, LedgerError, Params, Rejection, StateKey, View, validators,
};

const MILLION: u128 = 1_000_000;

/// Once for each key: it never votes again, so whatever else it signed then is part of the same offence.
pub(super) fn report(
    state: &mut Overlay<'_>,
    params: &Params,
    context: &BlockContext,
    reporter: AccountId,
    evidence: &Equivocation,
) -> Done {
    let (key, height, round) = (evidence.offender(), evidence.height(), evidence.round());
    let record: Option<KeyRecord> = View::new(state).get(&StateKey::ConsensusKey(key))?;
    let record = record.ok_or(Rejection::UnknownConsensusKey { key })?;
    if record.offence.is_some() {
        return Err(Rejection::KeyRetired { key }.into());
    }
    check_age(params, context, height)?;
    evidence.verify(&context.genesis).map_err(|error| {
        let reason = match error {
            EquivocationError::BadSignature { .. } => EvidenceFault::Signature,
            _ => EvidenceFault::NoConflict,
        };
        Rejection::Evidence { reason }
    })?;
    let offence = Some(Offence { height, round, reported_at: context.height });
    state.put(&StateKey::ConsensusKey(key), &KeyRecord { offence, ..record });
    let (staked, unbonding) = match record.hotkey {
        Some(hotkey) => punish(state, params, context, hotkey)?,
        None => (Nacu::ZERO, Nacu::ZERO),
    };
    let reward = reward(state, params, reporter, plus(staked, unbonding, "a slash")?)?;
    let hotkey = record.hotkey;
    Ok(vec![Event::Equivocated { key, hotkey, height, round, staked, unbonding, reward }])
}

/// The offence must lie within the time in which the stake of then can still be found.
fn check_age(params: &Params, context: &BlockContext, height: Height) -> Result<(), Rejection> {
    let (found, newest) = (params.epoch_of(height), params.epoch_of(context.height));
    let window = u64::from(params.unbonding_epochs.max(1));
    let oldest = Epoch::new(newest.get().saturating_sub(window));
    if found < oldest || height > context.height {
        return Err(Rejection::EvidenceAge { found, oldest, newest });
    }
    Ok(())
}

/// Slashes the stake and what is on its way back, and ends the candidature.
fn punish(
    state: &mut Overlay<'_>,
    params: &Params,
    context: &BlockContext,
    hotkey: AccountId,
) -> Result<(Nacu, Nacu), Failure> {
    let mut info: Hotkey = View::new(state).need(&StateKey::Hotkey(hotkey))?;
    let (mut pool, mut waiting) = (info.staked(), info.unbonding());
    let (staked, unbonding) = (pool.slash(params.slash_ppm)?, waiting.slash(params.slash_ppm)?);
    info.set_staked(pool);
    info.set_unbonding(waiting);
    info.consensus_key = None;
    let last = params.last_block_of(params.epochs_after(context.height, params.jail_epochs));
    info.jailed_until = last.next().unwrap_or(last);
    state.put(&StateKey::Hotkey(hotkey), &info);
    validators::withdraw(state, hotkey);
    Ok((staked, unbonding))
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
