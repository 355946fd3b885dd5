//! Stake, activity and permits (steps 1 to 4).
//!
//! Stake is normalised over the track, so its elements sum to at most one (each is rounded down).

use crate::share::{Share, normalize};
use crate::{EpochInput, Params};

/// Who has how much say.
pub(super) struct Stake {
    /// Share of all counted stake.
    pub(super) normalized: Vec<Share>,
    /// Share among active validators with a permit; zero for the rest.
    pub(super) validating: Vec<Share>,
    /// Set weights within the cutoff.
    pub(super) active: Vec<bool>,
    /// Permits in force.
    pub(super) permits: Vec<bool>,
    /// Permits of the next epoch.
    pub(super) next_permits: Vec<bool>,
}

impl Stake {
    pub(super) fn new(params: &Params, input: &EpochInput) -> Self {
        let normalized = normalized(params, input);
        let active: Vec<bool> = input
            .neurons
            .iter()
            .map(|neuron| neuron.last_update.saturating_add(params.activity_cutoff) >= input.block)
            .collect();
        let mut permits: Vec<bool> = input.neurons.iter().map(|neuron| neuron.permit).collect();
        let mut next_permits = top_k(&normalized, usize::from(params.max_allowed_validators));
        permit_owner(&mut permits, input.owner_uid);
        permit_owner(&mut next_permits, input.owner_uid);

        let may = active.iter().zip(&permits);
        let mut validating: Vec<Share> = normalized
            .iter()
            .zip(may)
            .map(|(&s, (&active, &permit))| if active && permit { s } else { Share::ZERO })
            .collect();
        normalize(&mut validating);
        Self { normalized, validating, active, permits, next_permits }
    }
}

/// Shares of the counted stake. Upstream divides in `I64F64` and cuts to 32 fractional bits; two
/// floors are one, so the exact integer quotient has the same bits (and no width to overflow).
fn normalized(params: &Params, input: &EpochInput) -> Vec<Share> {
    let owner = input.owner_uid.map(usize::from);
    let counted: Vec<u64> = input
        .neurons
        .iter()
        .enumerate()
        .map(|(uid, neuron)| {
            let counts = neuron.stake >= params.min_stake || owner == Some(uid);
            if counts { neuron.stake } else { 0 }
        })
        .collect();
    let total: u128 = counted.iter().map(|&s| u128::from(s)).sum();
    let share = |&stake: &u64| match stake {
        // Most uids hold none, and the division is one of 128 bits.
        0 => Share::ZERO,
        _ => Share::of(u128::from(stake), total),
    };
    counted.iter().map(share).collect()
}

fn permit_owner(permits: &mut [bool], owner: Option<u16>) {
    if let Some(permit) = owner.and_then(|uid| permits.get_mut(usize::from(uid))) {
        *permit = true;
    }
}

/// Marks the `k` largest elements, zeros never. Of equals the higher index wins: the lowest `n - k`
/// of an ascending stable sort fall out.
pub(crate) fn top_k(xs: &[Share], k: usize) -> Vec<bool> {
    let mut chosen = vec![false; xs.len()];
    let mut order: Vec<(Share, usize)> =
        xs.iter().copied().zip(0..).filter(|&(x, _)| x > Share::ZERO).collect();
    let out = order.len().saturating_sub(k);
    if out > 0 && out < order.len() {
        order.select_nth_unstable(out);
    }
    for &(_, i) in order.iter().skip(out) {
        if let Some(cell) = chosen.get_mut(i) {
            *cell = true;
        }
    }
    chosen
}
