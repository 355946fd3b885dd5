//! Registration: burn the price, take a free slot or that of the lowest earner whose immunity is over.

use acumen_protocol::{AccountId, Nacu, TrackId, Uid};
use acumen_scoring_consensus::pruning::{self, Candidate};

use super::{Done, Failure, known_track, spend};
use crate::mint::burn;
use crate::state::Overlay;
use crate::{BlockContext, Event, Hotkey, LedgerError, Neuron, Params, Rejection, StateKey, Track, View};

/// Who asks for what.
pub(super) struct Request {
    pub(super) sender: AccountId,
    pub(super) track: TrackId,
    pub(super) hotkey: AccountId,
    pub(super) max_price: Nacu,
}

pub(super) fn register(
    state: &mut Overlay<'_>,
    params: &Params,
    context: &BlockContext,
    request: Request,
) -> Done {
    let Request { sender, track, hotkey, max_price } = request;
    let view = View::new(state);
    let mut record = known_track(view, track)?;
    let info = view.hotkey(hotkey)?.unwrap_or_else(|| Hotkey::new(sender, params.default_take));
    if info.owner != sender {
        return Err(Rejection::NotOwner { hotkey, owner: info.owner }.into());
    }
    if let Some(uid) = view.uid_of(track, hotkey)? {
        return Err(Rejection::AlreadyRegistered { hotkey, track, uid }.into());
    }
    let price = record.price_at(params, context.height);
    if price > max_price {
        return Err(Rejection::PriceTooHigh { price, max_price }.into());
    }
    spend(state, sender, price)?;
    burn(state, price)?;
    let (uid, pruned) = free_slot(state, params, context, track, &mut record)?;
    record.price = Nacu::new(params.price_rule().after_registration(price.get()));
    record.price_height = context.height;
    state.put(&StateKey::Track(track), &record);
    state.put(&StateKey::Hotkey(hotkey), &info);
    state.put(&StateKey::UidOf { track, hotkey }, &uid);
    state.put(&StateKey::Neuron { track, uid }, &Neuron::new(hotkey, uid, context.height));
    let registered = Event::Registered { track, uid, hotkey, price };
    Ok(pruned.into_iter().chain([registered]).collect())
}

fn free_slot(
    state: &mut Overlay<'_>,
    params: &Params,
    context: &BlockContext,
    track: TrackId,
    record: &mut Track,
) -> Result<(Uid, Option<Event>), Failure> {
    if record.neurons < params.max_uids {
        let uid = Uid::new(record.neurons);
        record.neurons = record.neurons.saturating_add(1);
        return Ok((uid, None));
    }
    let uid = lowest(View::new(state), params, context, track, record.neurons)?;
    let uid = uid.ok_or(Rejection::TrackFull { track })?;
    let hotkey = View::new(state).neuron(track, uid)?.hotkey;
    for key in [
        StateKey::UidOf { track, hotkey },
        StateKey::Weights { track, uid },
        StateKey::Bonds { track, uid },
        StateKey::Commits { track, uid },
    ] {
        state.delete(&key);
    }
    Ok((uid, Some(Event::Pruned { track, uid, hotkey })))
}

fn lowest(
    view: View<'_>,
    params: &Params,
    context: &BlockContext,
    track: TrackId,
    count: u16,
) -> Result<Option<Uid>, LedgerError> {
    let candidate = |uid: u16| {
        let neuron = view.neuron(track, Uid::new(uid))?;
        let (emission, block_at_registration) = (neuron.emission.get(), neuron.registered_at.get());
        Ok(Candidate { uid, emission, block_at_registration, protected: false })
    };
    let candidates = (0..count).map(candidate).collect::<Result<Vec<_>, LedgerError>>()?;
    let height = context.height.get();
    Ok(pruning::select(&candidates, height, params.immunity_blocks, params.min_non_immune).map(Uid::new))
}
