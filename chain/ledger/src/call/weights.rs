//! Commit and reveal. A commitment made in one epoch can be revealed in the next one only; a validator may commit before
//! it has a permit, the epoch decides whether its weights count.

use acumen_protocol::weights::Weights;
use acumen_protocol::{AccountId, Hash, TrackId};

use super::{Done, known_track, slot_of};
use crate::state::Overlay;
use crate::{BlockContext, Commit, Commits, Event, Neuron, Params, Rejection, StateKey, View, WeightsRow};

pub(super) fn commit(
    state: &mut Overlay<'_>,
    params: &Params,
    context: &BlockContext,
    hotkey: AccountId,
    track: TrackId,
    commitment: Hash,
) -> Done {
    let view = View::new(state);
    let uid = slot_of(view, track, hotkey)?.uid;
    let key = StateKey::Commits { track, uid };
    let mut commits: Commits = view.get(&key)?.unwrap_or_default();
    let epoch = params.epoch_of(context.height);
    commits.add(Commit { epoch, commitment, at: context.height });
    state.put(&key, &commits);
    Ok(vec![Event::WeightsCommitted { track, uid, epoch }])
}

/// What is revealed.
pub(super) struct Reveal<'a> {
    pub(super) track: TrackId,
    pub(super) weights: &'a Weights,
    pub(super) salt: &'a [u8; 32],
}

pub(super) fn reveal(
    state: &mut Overlay<'_>,
    params: &Params,
    context: &BlockContext,
    hotkey: AccountId,
    reveal: Reveal<'_>,
) -> Done {
    let Reveal { track, weights, salt } = reveal;
    let view = View::new(state);
    let neuron = slot_of(view, track, hotkey)?;
    let uid = neuron.uid;
    let key = StateKey::Commits { track, uid };
    let mut commits: Commits = view.get(&key)?.unwrap_or_default();
    let epoch = params.epoch_of(context.height);
    let due = epoch.previous().unwrap_or_default();
    let commit = commits.take_revealable(epoch).ok_or(Rejection::NoCommitment { epoch, due })?;
    if weights.commitment(&hotkey, track, commit.epoch, salt) != commit.commitment {
        return Err(Rejection::CommitmentMismatch { due }.into());
    }
    well_formed(weights, known_track(view, track)?.neurons)?;
    state.put(&key, &commits);
    state.put(
        &StateKey::Weights { track, uid },
        &WeightsRow { weights: weights.clone(), committed_at: commit.at },
    );
    state.put(&StateKey::Neuron { track, uid }, &Neuron { last_update: context.height, ..neuron });
    Ok(vec![Event::WeightsRevealed { track, uid }])
}

/// Sets weights openly.
pub(super) fn set(
    state: &mut Overlay<'_>,
    params: &Params,
    context: &BlockContext,
    hotkey: AccountId,
    track: TrackId,
    weights: &Weights,
) -> Done {
    if params.commit_reveal {
        return Err(Rejection::WeightsHidden.into());
    }
    let view = View::new(state);
    let neuron = slot_of(view, track, hotkey)?;
    let uid = neuron.uid;
    well_formed(weights, known_track(view, track)?.neurons)?;
    let row = WeightsRow { weights: weights.clone(), committed_at: context.height };
    state.put(&StateKey::Weights { track, uid }, &row);
    state.put(&StateKey::Neuron { track, uid }, &Neuron { last_update: context.height, ..neuron });
    Ok(vec![Event::WeightsSet { track, uid }])
}

/// Canonical as [`Weights::new`] makes them, and for slots that exist.
fn well_formed(weights: &Weights, neurons: u16) -> Result<(), Rejection> {
    if Weights::new(weights.entries().to_vec()).as_ref() != Ok(weights) {
        return Err(Rejection::Weights);
    }
    match weights.entries().last() {
        Some((uid, _)) if uid.get() >= neurons => Err(Rejection::UnknownUid { uid: *uid, neurons }),
        _ => Ok(()),
    }
}
