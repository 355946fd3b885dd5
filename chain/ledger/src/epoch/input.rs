//! The state of a track as consensus wants it.

use acumen_protocol::{Height, TrackId, Uid};
use acumen_scoring_consensus::{self as consensus, EpochInput, SparseRows};

use crate::{BlockContext, Hotkey, LedgerError, Neuron, Params, StateKey, Track, View, WeightsRow};

/// What a track's epoch reads, besides the input itself.
pub(super) struct Loaded {
    pub(super) neurons: Vec<Neuron>,
    pub(super) hotkeys: Vec<Hotkey>,
    pub(super) input: EpochInput,
}

pub(super) fn load(
    view: View<'_>,
    params: &Params,
    context: &BlockContext,
    id: TrackId,
    track: &Track,
) -> Result<Loaded, LedgerError> {
    let count = usize::from(track.neurons);
    let mut neurons = Vec::with_capacity(count);
    let mut hotkeys = Vec::with_capacity(count);
    let mut inputs = Vec::with_capacity(count);
    let (mut weights, mut bonds) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for uid in (0..track.neurons).map(Uid::new) {
        let neuron = view.neuron(id, uid)?;
        let hotkey: Hotkey = view.need(&StateKey::Hotkey(neuron.hotkey))?;
        let row: Option<WeightsRow> = view.get(&StateKey::Weights { track: id, uid })?;
        inputs.push(consensus::Neuron {
            stake: hotkey.total_stake.get(),
            last_update: neuron.last_update.get(),
            block_at_registration: neuron.registered_at.get(),
            permit: neuron.permit,
            commit_block: row.as_ref().map(|row| row.committed_at.get()),
            bonds_reset: false,
        });
        weights.push(row.map(|row| entries(&row)).unwrap_or_default());
        bonds.push(view.get(&StateKey::Bonds { track: id, uid })?.unwrap_or_default());
        neurons.push(neuron);
        hotkeys.push(hotkey);
    }
    let input = EpochInput {
        block: context.height.get(),
        last_tempo: track.last_epoch.and_then(Height::next).map(Height::get),
        tempo: params.tempo_blocks,
        owner_uid: None,
        neurons: inputs,
        weights: SparseRows::new(count, weights)?,
        bonds: SparseRows::new(count, bonds)?,
        emission: 0,
    };
    Ok(Loaded { neurons, hotkeys, input })
}

fn entries(row: &WeightsRow) -> Vec<(u16, u16)> {
    row.weights.entries().iter().map(|(uid, weight)| (uid.get(), *weight)).collect()
}
