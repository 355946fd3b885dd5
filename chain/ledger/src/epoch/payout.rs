//! One track's epoch: consensus, payment, the record.

use acumen_protocol::{AccountId, Epoch, Nacu, TrackId, Uid};
use acumen_scoring_consensus::emission::split_epoch;
use acumen_scoring_consensus::{self as consensus, EpochOutput};

use super::input::{Loaded, load};
use super::rest;
use crate::mint::{credit, credit_stake, minus, plus};
use crate::state::Overlay;
use crate::{BlockContext, EpochRecord, Hotkey, LedgerError, Neuron, Params, StateKey, Track, View};

/// Runs the epoch of a track that may pay `budget`. The record's chain-wide fields are left at their defaults.
pub(super) fn run(
    state: &mut Overlay<'_>,
    params: &Params,
    context: &BlockContext,
    id: TrackId,
    track: &Track,
    budget: u64,
) -> Result<EpochRecord, LedgerError> {
    let mut loaded = load(View::new(state), params, context, id, track)?;
    let split = split_epoch(budget, params.owner_cut);
    loaded.input.emission = split.servers.saturating_add(split.validators);
    let output = consensus::epoch(&params.consensus(), &loaded.input)?;
    let mut record = record_of(context, id, &loaded, &output);
    let mut paid = output.server_emission.iter().chain(&output.validator_emission);
    let paid = paid.try_fold(0_u64, |sum, part| sum.checked_add(*part));
    let paid = paid.ok_or(LedgerError::Overflow { what: "a payout" })?;
    if paid > 0 {
        record.owner_emission = rest(budget, paid)?;
        credit(state, track.owner, record.owner_emission)?;
    }
    store(state, params, params.epoch_of(context.height), id, loaded, &output)?;
    Ok(record)
}

fn record_of(context: &BlockContext, track: TrackId, loaded: &Loaded, output: &EpochOutput) -> EpochRecord {
    let amounts = |parts: &[u64]| parts.iter().copied().map(Nacu::new).collect();
    EpochRecord {
        track,
        height: context.height,
        time: context.time,
        hotkeys: loaded.neurons.iter().map(|neuron| neuron.hotkey).collect(),
        stake: loaded.hotkeys.iter().map(|hotkey| hotkey.total_stake).collect(),
        consensus: output.consensus.clone(),
        incentive: output.incentive.clone(),
        dividends: output.dividends.clone(),
        validator_trust: output.validator_trust.clone(),
        permits: output.validator_permits.clone(),
        server_emission: amounts(&output.server_emission),
        validator_emission: amounts(&output.validator_emission),
        ..EpochRecord::default()
    }
}

/// Writes back each slot, its bonds and its hotkey's stake.
fn store(
    state: &mut Overlay<'_>,
    params: &Params,
    epoch: Epoch,
    track: TrackId,
    loaded: Loaded,
    output: &EpochOutput,
) -> Result<(), LedgerError> {
    for (index, (neuron, mut info)) in loaded.neurons.into_iter().zip(loaded.hotkeys).enumerate() {
        let (uid, hotkey) = (neuron.uid, neuron.hotkey);
        let server = Nacu::new(at(&output.server_emission, index));
        let validator = Nacu::new(at(&output.validator_emission, index));
        settle_take(&mut info, params, epoch);
        pay(state, hotkey, &mut info, server, validator)?;
        let neuron = Neuron {
            permit: at(&output.validator_permits, index),
            consensus: at(&output.consensus, index),
            incentive: at(&output.incentive, index),
            dividend: at(&output.dividends, index),
            validator_trust: at(&output.validator_trust, index),
            emission: plus(server, validator, "a payout")?,
            ..neuron
        };
        state.put(&StateKey::Neuron { track, uid }, &neuron);
        put_bonds(state, track, uid, output.bonds.row(index).collect());
    }
    Ok(())
}

fn at<T: Copy + Default>(values: &[T], index: usize) -> T {
    values.get(index).copied().unwrap_or_default()
}

fn put_bonds(state: &mut Overlay<'_>, track: TrackId, uid: Uid, row: Vec<(u16, u16)>) {
    let key = StateKey::Bonds { track, uid };
    if row.is_empty() { state.delete(&key) } else { state.put(&key, &row) }
}

/// An announced take whose time has come is the take, and none is above the limit, which a vote may have lowered.
fn settle_take(info: &mut Hotkey, params: &Params, epoch: Epoch) {
    if let Some(pending) = info.pending_take
        && pending.from.get() <= epoch.get()
    {
        (info.take, info.pending_take) = (pending.take, None);
    }
    info.take = info.take.min(params.max_take);
}

/// Pays a hotkey: what it earned as a miner and its take become its owner's stake on it; the rest of what it earned as a
/// validator raises the worth of every share, its delegators' and its owner's alike.
fn pay(
    state: &mut Overlay<'_>,
    hotkey: AccountId,
    info: &mut Hotkey,
    server: Nacu,
    validator: Nacu,
) -> Result<(), LedgerError> {
    if server == Nacu::ZERO && validator == Nacu::ZERO {
        return Ok(());
    }
    let take = if info.total_shares == 0 { validator } else { take_of(validator, info.take) };
    info.total_stake = plus(info.total_stake, minus(validator, take, "a take")?, "stake")?;
    credit_stake(state, hotkey, info, info.owner, plus(server, take, "a payout")?)?;
    state.put(&StateKey::Hotkey(hotkey), info);
    Ok(())
}

/// `floor(amount × take / 65,535)`.
fn take_of(amount: Nacu, take: u16) -> Nacu {
    let product = u128::from(amount.get()).checked_mul(u128::from(take));
    let part = product.and_then(|product| product.checked_div(u128::from(u16::MAX)));
    Nacu::new(part.and_then(|part| u64::try_from(part).ok()).unwrap_or(0))
}
