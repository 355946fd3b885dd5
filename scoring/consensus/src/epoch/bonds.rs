//! What bonds move towards, what they were, and the merge of both (steps 9 to 11).
//!
//! A bond row is sorted by uid like every row, and built in one pass over two sorted rows.

use super::weights::Weights;
use crate::fixed::{Fix, ONE, ZERO, at, mul, proportion};
use crate::{EpochInput, Params, SparseRows};

/// The weights that bonds follow: `W + penalty · (min(W, C) - W)`.
pub(super) struct Targets<'a> {
    weights: &'a Weights<'a>,
    /// Consensus, per column.
    pub(super) consensus: &'a [Fix],
    penalty: Fix,
}

impl<'a> Targets<'a> {
    pub(super) fn new(weights: &'a Weights<'a>, consensus: &'a [Fix], penalty: u16) -> Self {
        Self { weights, consensus, penalty: proportion(penalty) }
    }

    /// Number of uids.
    pub(super) fn n(&self) -> usize {
        self.weights.n()
    }

    /// Upper bound of the entries of row `i`.
    pub(super) fn row_capacity(&self, i: usize) -> usize {
        self.weights.row_capacity(i)
    }

    /// Row `i`. Which entries are present matters to liquid alpha: without a penalty all that count;
    /// with the whole penalty all but those clipped to zero; in between only those above zero.
    pub(super) fn row(&self, i: usize) -> impl Iterator<Item = (u16, Fix)> + '_ {
        self.weights.row(i).filter_map(|(j, w)| {
            let clipped = clip(w, at(self.consensus, j));
            Some((j, interpolate(w, clipped, self.penalty)?))
        })
    }
}

/// An entry within consensus; one clipped to zero is dropped, an explicit zero stays.
pub(crate) fn clip(w: Fix, consensus: Fix) -> Option<Fix> {
    (consensus > ZERO || w <= consensus).then(|| w.min(consensus))
}

/// `a + ratio · (b - a)`, where `ratio` of zero and one give the entries themselves and anything in
/// between only what is above zero.
pub(crate) fn interpolate(a: Fix, b: Option<Fix>, ratio: Fix) -> Option<Fix> {
    if ratio == ZERO {
        return Some(a);
    }
    if ratio == ONE {
        return b;
    }
    let step = b.unwrap_or(ZERO).saturating_sub(a);
    Some(a.saturating_add(mul(ratio, step))).filter(|&x| x > ZERO)
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
    pub(super) fn row_capacity(&self, i: usize) -> usize {
        self.rows.row_len(i)
    }
}

/// One validator's new bonds.
#[derive(Default)]
pub(super) struct BondRow {
    columns: Vec<u16>,
    values: Vec<Fix>,
}

impl BondRow {
    fn with_capacity(entries: usize) -> Self {
        Self { columns: Vec::with_capacity(entries), values: Vec::with_capacity(entries) }
    }

    pub(super) fn len(&self) -> usize {
        self.columns.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u16, Fix)> + '_ {
        self.columns.iter().copied().zip(self.values.iter().copied())
    }

    /// Replaces each value by `f(column, value)`.
    pub(super) fn update(&mut self, f: impl Fn(u16, Fix) -> Fix) {
        for (&j, value) in self.columns.iter().zip(&mut self.values) {
            *value = f(j, *value);
        }
    }

    /// Walks two sorted rows together and keeps what `f(column, new, old)` makes of them, if positive.
    pub(super) fn merge<T>(
        capacity: usize,
        new: impl Iterator<Item = (u16, Fix)>,
        old: impl Iterator<Item = (u16, T)>,
        f: impl Fn(u16, Option<Fix>, Option<T>) -> Fix,
    ) -> Self {
        let mut row = Self::with_capacity(capacity);
        let (mut new, mut old) = (new.peekable(), old.peekable());
        loop {
            let column = match (new.peek(), old.peek()) {
                (Some(&(a, _)), Some(&(b, _))) => a.min(b),
                (Some(&(a, _)), None) => a,
                (None, Some(&(b, _))) => b,
                (None, None) => break,
            };
            let fresh = new.next_if(|&(j, _)| j == column).map(|(_, w)| w);
            let stored = old.next_if(|&(j, _)| j == column).map(|(_, b)| b);
            let value = f(column, fresh, stored);
            if value > ZERO {
                row.columns.push(column);
                row.values.push(value);
            }
        }
        row
    }
}
