//! What bonds move towards, what they were, and the merge of both (steps 9 to 11).
//!
//! A bond row is sorted by uid like every row, and built in one pass over two sorted rows.

use crate::share::Share;
use crate::{EpochInput, Params, SparseRows};

/// The weights that bonds follow: `W + penalty · (min(W, C) - W)`.
pub(super) struct Target {
    penalty: Share,
}

impl Target {
    pub(super) fn new(params: &Params) -> Self {
        Self { penalty: Share::of_u16(params.bonds_penalty) }
    }

    /// What the bond of an entry follows. Which entries are present matters to liquid alpha: without a
    /// penalty all that count; with the whole penalty all but those clipped to zero; in between only
    /// those above zero.
    pub(super) fn of(&self, weight: Share, consensus: Share) -> Option<Share> {
        interpolate(weight, clip(weight, consensus), self.penalty)
    }
}

/// An entry within consensus; one clipped to zero is dropped, an explicit zero stays.
pub(crate) fn clip(weight: Share, consensus: Share) -> Option<Share> {
    (consensus > Share::ZERO || weight == Share::ZERO).then(|| weight.min(consensus))
}

/// `weight + ratio · (clipped - weight)`, where `ratio` of zero and one give the entries themselves
/// and anything in between only what is above zero.
pub(crate) fn interpolate(weight: Share, clipped: Option<Share>, ratio: Share) -> Option<Share> {
    if ratio == Share::ZERO {
        return Some(weight);
    }
    if ratio == Share::ONE {
        return clipped;
    }
    let clipped = clipped.unwrap_or_default();
    let moved = if clipped > weight {
        weight.plus(ratio.times(clipped.minus(weight)))
    } else {
        // The step is negative; rounded down it is rounded away from zero.
        weight.minus(ratio.times_up(weight.minus(clipped)))
    };
    Some(moved).filter(|&x| x > Share::ZERO)
}

/// The stored bonds on slots whose holder is still the one the bond was made with.
pub(super) struct OldBonds<'a> {
    rows: &'a SparseRows,
    kept: Vec<bool>,
}

impl<'a> OldBonds<'a> {
    pub(super) fn new(params: &Params, input: &'a EpochInput) -> Self {
        let horizon = input.bonds_horizon();
        let kept = input
            .neurons
            .iter()
            .map(|neuron| {
                let reset = params.bonds_reset && neuron.bonds_reset;
                neuron.block_at_registration < horizon && !reset
            })
            .collect();
        Self { rows: &input.bonds, kept }
    }

    /// Row `i` as stored.
    pub(super) fn row(&self, i: usize) -> impl Iterator<Item = (u16, u16)> + '_ {
        let kept = |j: u16| self.kept.get(usize::from(j)).copied().unwrap_or(false);
        self.rows.row(i).filter(move |&(j, _)| kept(j))
    }

    /// Upper bound of the entries of row `i`.
    pub(super) fn row_len(&self, i: usize) -> usize {
        self.rows.row_len(i)
    }
}

/// Walks two sorted rows together.
pub(super) fn merge<A, B>(
    new: impl Iterator<Item = (u16, A)>,
    mut old: impl Iterator<Item = (u16, B)>,
    mut each: impl FnMut(u16, Option<A>, Option<B>),
) {
    let mut held = old.next();
    for (i, x) in new {
        while let Some((j, y)) = held.take_if(|&mut (j, _)| j < i) {
            each(j, None, Some(y));
            held = old.next();
        }
        let same = held.take_if(|&mut (j, _)| j == i);
        if same.is_some() {
            held = old.next();
        }
        each(i, Some(x), same.map(|(_, y)| y));
    }
    while let Some((j, y)) = held {
        each(j, None, Some(y));
        held = old.next();
    }
}
