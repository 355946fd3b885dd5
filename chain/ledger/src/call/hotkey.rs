//! What a neuron says about itself: endpoint, take, consensus key.

use acumen_protocol::domain::Domain;
use acumen_protocol::{AccountId, ConsensusPublic, ConsensusSignature, Endpoint, TrackId};

use super::{Done, registered, slot_of};
use crate::state::Overlay;
use crate::{BlockContext, Event, Neuron, Params, Rejection, StateKey, View};

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
    info.take = take;
    state.put(&StateKey::Hotkey(hotkey), &info);
    Ok(vec![Event::TakeSet { hotkey, take }])
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
    if !proof.verify_in(Domain::ConsensusKey, &(context.genesis, hotkey), &key) {
        return Err(Rejection::ConsensusKeyProof.into());
    }
    if let Some(holder) =
        view.get::<AccountId>(&StateKey::ConsensusKey(key))?.filter(|holder| *holder != hotkey)
    {
        return Err(Rejection::ConsensusKeyTaken { hotkey: holder }.into());
    }
    if let Some(old) = info.consensus_key.replace(key) {
        state.delete(&StateKey::ConsensusKey(old));
    }
    state.put(&StateKey::ConsensusKey(key), &hotkey);
    state.put(&StateKey::Hotkey(hotkey), &info);
    Ok(vec![Event::ConsensusKeySet { hotkey, key }])
}
