//! What a neuron says about itself: endpoint, take, consensus key.

use acumen_protocol::domain::Domain;
use acumen_protocol::{AccountId, ConsensusPublic, ConsensusSignature, Endpoint, TrackId};

use super::{Done, registered, slot_of};
use crate::state::Overlay;
use crate::{BlockContext, Event, KeyRecord, Neuron, Params, PendingTake, Rejection, StateKey, View};

pub(super) fn serve(state: &mut Overlay<'_>, hotkey: AccountId, track: TrackId, endpoint: &Endpoint) -> Done {
    if !endpoint.is_valid() {
        return Err(Rejection::Endpoint.into());
    }
    let neuron = slot_of(View::new(state), track, hotkey)?;
    let uid = neuron.uid;
    state.put(&StateKey::Neuron { track, uid }, &Neuron { endpoint: Some(endpoint.clone()), ..neuron });
    Ok(vec![Event::Served { track, uid }])
}

pub(super) fn set_take(
    state: &mut Overlay<'_>,
    params: &Params,
    context: &BlockContext,
    sender: AccountId,
    hotkey: AccountId,
    take: u16,
) -> Done {
    let mut info = registered(View::new(state), hotkey)?;
    if info.owner != sender {
        return Err(Rejection::NotOwner { hotkey, owner: info.owner }.into());
    }
    if take > params.max_take {
        return Err(Rejection::TakeTooHigh { take, max: params.max_take }.into());
    }
    let epoch = params.epoch_of(context.height);
    info.take = info.take_in(epoch);
    let event = if take <= info.take || params.take_notice_epochs == 0 {
        (info.take, info.pending_take) = (take, None);
        Event::TakeSet { hotkey, take }
    } else {
        // One epoch more than the notice: the present one has begun already.
        let from = params.epochs_after(context.height, params.take_notice_epochs.saturating_add(1));
        info.pending_take = Some(PendingTake { take, from });
        Event::TakeAnnounced { hotkey, take, from }
    };
    state.put(&StateKey::Hotkey(hotkey), &info);
    Ok(vec![event])
}

pub(super) fn register_consensus_key(
    state: &mut Overlay<'_>,
    context: &BlockContext,
    hotkey: AccountId,
    key: ConsensusPublic,
    proof: &ConsensusSignature,
) -> Done {
    let view = View::new(state);
    let mut info = registered(view, hotkey)?;
    if context.height < info.jailed_until {
        return Err(Rejection::Jailed { hotkey, until: info.jailed_until }.into());
    }
    if !proof.verify_in(Domain::ConsensusKey, &(context.genesis, hotkey), &key) {
        return Err(Rejection::ConsensusKeyProof.into());
    }
    let record: KeyRecord = view.get(&StateKey::ConsensusKey(key))?.unwrap_or_default();
    if record.offence.is_some() {
        return Err(Rejection::KeyRetired { key }.into());
    }
    if let Some(holder) = record.hotkey.filter(|holder| *holder != hotkey) {
        return Err(Rejection::ConsensusKeyTaken { hotkey: holder }.into());
    }
    info.consensus_key = Some(key);
    state.put(&StateKey::ConsensusKey(key), &KeyRecord { hotkey: Some(hotkey), ..record });
    state.put(&StateKey::Candidate(hotkey), &true);
    state.put(&StateKey::Hotkey(hotkey), &info);
    Ok(vec![Event::ConsensusKeySet { hotkey, key }])
}
