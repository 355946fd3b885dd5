//! The end of an epoch: mint, run consensus for each track, pay, record.
//!
//! Only what is paid is minted. What rounding leaves of a track's emission goes to its owner; a track in which nobody
//! can be paid mints nothing.

mod input;
mod payout;

use acumen_protocol::{Epoch, Nacu, TrackId};
use acumen_scoring_consensus::emission::{halved_emission, largest_remainder};

use crate::mint::{minus, plus};
use crate::state::Overlay;
use crate::{BlockContext, EpochRecord, Event, LedgerError, Params, StateKey, Supply, Track, View};

/// Ends the epoch to which `context`'s block belongs.
pub(crate) fn end(
    state: &mut Overlay<'_>,
    params: &Params,
    context: &BlockContext,
) -> Result<Vec<Event>, LedgerError> {
    let epoch = params.epoch_of(context.height);
    let supply = View::new(state).supply()?;
    let tracks = read_tracks(View::new(state))?;
    let budgets = budgets(params, supply.issuance, &tracks);
    let mut records = Vec::with_capacity(tracks.len());
    for ((id, track), budget) in tracks.iter().zip(budgets) {
        let mut record = payout::run(state, params, context, *id, track, budget)?;
        record.epoch = epoch;
        // The price is brought up to date, so that working it out costs at most an epoch's blocks at any time after.
        let (price, price_height) = (track.price_at(params, context.height), context.height);
        let last_epoch = Some(context.height);
        state.put(&StateKey::Track(*id), &Track { last_epoch, price, price_height, ..track.clone() });
        records.push(record);
    }
    close(state, params, supply, epoch, records)
}

fn read_tracks(view: View<'_>) -> Result<Vec<(TrackId, Track)>, LedgerError> {
    let count: u16 = view.need(&StateKey::Tracks)?;
    let read = |id| Ok((TrackId::new(id), view.need(&StateKey::Track(TrackId::new(id)))?));
    (0..count).map(read).collect()
}

/// What each track may pay: the sum of the epoch's block emissions, by the halving rule on the issuance at the epoch's
/// end plus what the blocks before have added, divided by the tracks' shares.
fn budgets(params: &Params, issuance: Nacu, tracks: &[(TrackId, Track)]) -> Vec<u64> {
    let (initial, max) = (params.initial_block_emission.get(), params.max_supply.get());
    let mut total = 0_u64;
    for _ in 0..params.tempo_blocks {
        let emission = halved_emission(initial, max, issuance.get().saturating_add(total));
        total = total.saturating_add(emission);
    }
    let shares: Vec<u64> = tracks.iter().map(|(_, track)| u64::from(track.emission_share)).collect();
    largest_remainder(total, &shares).unwrap_or_else(|_| vec![0; tracks.len()])
}

/// Writes the supply and the records, and forgets records that are too old.
fn close(
    state: &mut Overlay<'_>,
    params: &Params,
    supply: Supply,
    epoch: Epoch,
    records: Vec<EpochRecord>,
) -> Result<Vec<Event>, LedgerError> {
    let paid = records.iter().map(paid_in).collect::<Result<Vec<_>, _>>()?;
    let minted = Nacu::checked_sum(paid.iter().copied()).ok_or(LedgerError::Overflow { what: "minting" })?;
    let supply = Supply {
        issuance: plus(supply.issuance, minted, "issuance")?,
        minted: plus(supply.minted, minted, "minted")?,
        ..supply
    };
    let expired = epoch.get().checked_sub(params.epoch_records).map(Epoch::new);
    let mut events = Vec::with_capacity(records.len());
    for (record, paid) in records.into_iter().zip(paid) {
        let track = record.track;
        if let Some(epoch) = expired {
            state.delete(&StateKey::EpochRecord { track, epoch });
        }
        let (burned, issuance) = (supply.burned_in_epoch, supply.issuance);
        state.put(
            &StateKey::EpochRecord { track, epoch },
            &EpochRecord { minted, burned, issuance, ..record },
        );
        events.push(Event::EpochEnded { track, epoch, paid });
    }
    state.put(&StateKey::Supply, &Supply { burned_in_epoch: Nacu::ZERO, ..supply });
    Ok(events)
}

fn paid_in(record: &EpochRecord) -> Result<Nacu, LedgerError> {
    let parts = record.server_emission.iter().chain(&record.validator_emission).copied();
    Nacu::checked_sum(parts.chain([record.owner_emission])).ok_or(LedgerError::Overflow { what: "a payout" })
}

/// What is left of `budget` after `paid`.
fn rest(budget: u64, paid: u64) -> Result<Nacu, LedgerError> {
    minus(Nacu::new(budget), Nacu::new(paid), "a track's emission")
}
