//! How bonds follow weights (step 11), row by row: one moving average for all, in both forms of Yuma.

use super::bonds::{OldBonds, Target, merge};
use super::part::Part;
use super::tasks::Tasks;
use super::weights::Weights;
use crate::share::{Share, at};

/// What the bonds of one row follow.
pub(super) type Targets = Vec<(u16, Share)>;

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

    /// Fills `targets` with what the bonds of row `i` follow, and returns the part of the row within
    /// consensus: validator trust (step 8).
    pub(super) fn targets(&self, i: usize, targets: &mut Targets) -> Share {
        let mut trust = Share::ZERO;
        targets.clear();
        targets.extend(self.weights.row(i).normalized().filter_map(|(j, w)| {
            let consensus = at(self.consensus, j);
            trust = trust.plus(w.min(consensus));
            Some((j, self.target.of(w, consensus)?))
        }));
        trust
    }

    /// The new bonds, `row(i, targets, scratch, part)` appending those of row `i`.
    ///
    /// Targets are gathered first and merged with old bonds afterwards: in one loop over both the
    /// values do not fit the registers, and an epoch takes a sixth longer.
    pub(super) fn parts<S: Default>(
        &self,
        row: impl Fn(usize, &Targets, &mut S, &mut Part) + Send + Sync,
    ) -> Vec<Part> {
        self.tasks.run(|rows| {
            let len = |i: usize| self.weights.row(i).len().saturating_add(self.old.row_len(i));
            let mut part = Part::new(&rows, self.n(), rows.clone().map(len).sum());
            let (mut targets, mut scratch) = (Targets::new(), S::default());
            for i in rows {
                let trust = self.targets(i, &mut targets);
                row(i, &targets, &mut scratch, &mut part);
                part.end_row(trust);
            }
            part
        })
    }
}

/// Yuma 3 with one moving average: `alpha · weight + (1 - alpha) · bond`.
pub(super) fn averaged(market: &Market<'_>, alpha: Share) -> Vec<Part> {
    let keep = Share::ONE.minus(alpha);
    market.parts(|i, targets, (), part| {
        merge(targets.iter().copied(), market.old.row(i), |j, new, bond| {
            let bond = bond.map_or(Share::ZERO, Share::of_u16);
            part.push(j, alpha.times(new.unwrap_or_default()).plus(keep.times(bond)));
        });
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
    market.parts(|i, targets, (), part| {
        let stake = stake.get(i).copied().unwrap_or_default();
        merge(targets.iter().copied(), market.old.row(i), |j, new, bond| {
            let new = new.map_or(Share::ZERO, |w| w.times(stake).over(at(bought, j)));
            let held = held.get(usize::from(j)).copied().unwrap_or(0);
            let bond = bond.map_or(Share::ZERO, |bond| Share::of_part(bond, held));
            part.push(j, alpha.times(new).plus(keep.times(bond)));
        });
    })
}
