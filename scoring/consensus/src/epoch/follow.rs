//! How bonds follow weights (step 11), row by row: one moving average for all, in both forms of Yuma.

use std::ops::Range;

use super::bonds::{OldBonds, Target, merge};
use super::part::Part;
use super::tasks::Tasks;
use super::weights::Weights;
use crate::share::{Share, at};

/// What every rule reads.
pub(super) struct Market<'a> {
    pub(super) weights: &'a Weights<'a>,
    pub(super) consensus: &'a [Share],
    pub(super) target: Target,
    pub(super) old: OldBonds<'a>,
    pub(super) tasks: &'a Tasks,
}

impl Market<'_> {
    /// Number of uids.
    pub(super) fn n(&self) -> usize {
        self.weights.n()
    }

    /// Row `i` of what bonds follow; adds up the part of the row within consensus: validator trust
    /// (step 8).
    pub(super) fn targets<'t>(
        &'t self,
        i: usize,
        trust: &'t mut Share,
    ) -> impl Iterator<Item = (u16, Share)> + 't {
        self.weights.row(i).normalized().filter_map(|(j, w)| {
            let consensus = at(self.consensus, j);
            *trust = trust.plus(w.min(consensus));
            Some((j, self.target.of(w, consensus)?))
        })
    }

    /// The parts that `row` fills, row by row.
    pub(super) fn parts(&self, fill: impl Fn(Range<usize>, &mut Part) + Send + Sync) -> Vec<Part> {
        self.tasks.run(|rows| {
            let len = |i: usize| self.weights.row(i).len().saturating_add(self.old.row_len(i));
            let mut part = Part::new(&rows, self.n(), rows.clone().map(len).sum());
            fill(rows, &mut part);
            part
        })
    }
}

/// Yuma 3 with one moving average: `alpha · weight + (1 - alpha) · bond`.
pub(super) fn averaged(market: &Market<'_>, alpha: Share) -> Vec<Part> {
    let keep = Share::ONE.minus(alpha);
    market.parts(|rows, part| {
        for i in rows {
            let mut trust = Share::ZERO;
            merge(market.targets(i, &mut trust), market.old.row(i), |j, new, bond| {
                let bond = bond.map_or(Share::ZERO, Share::of_u16);
                part.push(j, alpha.times(new.unwrap_or_default()).plus(keep.times(bond)));
            });
            part.end_row(trust);
        }
    })
}

/// The form before Yuma 3: what a row bought and what it held are shares of their columns.
///
/// `bought` and `held` are the columns' sums.
pub(super) fn shared(
    market: &Market<'_>,
    alpha: Share,
    stake: &[Share],
    bought: &[Share],
    held: &[u64],
) -> Vec<Part> {
    let keep = Share::ONE.minus(alpha);
    market.parts(|rows, part| {
        for i in rows {
            let mut trust = Share::ZERO;
            let stake = stake.get(i).copied().unwrap_or_default();
            merge(market.targets(i, &mut trust), market.old.row(i), |j, new, bond| {
                let new = new.map_or(Share::ZERO, |w| w.times(stake).over(at(bought, j)));
                let held = held.get(usize::from(j)).copied().unwrap_or(0);
                let bond = bond.map_or(Share::ZERO, |bond| Share::of_part(bond, held));
                part.push(j, alpha.times(new).plus(keep.times(bond)));
            });
            part.end_row(trust);
        }
    })
}
