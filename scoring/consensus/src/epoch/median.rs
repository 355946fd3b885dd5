//! The stake-weighted median of one column at kappa: the value `v` with
//! `S(< v) <= total - kappa < S(<= v)`, where an absent weight counts as zero.
//!
//! Upstream finds it by quick-select over all validators; stakes are summed without rounding, so the
//! answer does not depend on the pivots, and any way of finding it gives the same bits.

use crate::share::{Share, at, normalize};

/// Bits of a vote that hold the uid.
const UID_BITS: u32 = 16;

/// Votes that are sorted rather than divided further, by insertion; 20 of them cost 3 % of an epoch.
const FEW: usize = 8;

/// Divisions before the rest is sorted. Random votes need about `2 log2(m)` at most; rows chosen to
/// defeat the pivots then cost `m log m`, not `m²`.
const DIVISIONS: u32 = 32;

/// One row's entry in a column: the value above the uid, so that votes order by value and are never
/// equal. A value has 33 bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Vote(u64);

impl Vote {
    pub(super) fn new(value: Share, voter: u16) -> Self {
        Self(value.bits().wrapping_shl(UID_BITS) | u64::from(voter))
    }

    pub(super) fn value(self) -> Share {
        Share::from_bits(self.0.wrapping_shr(UID_BITS))
    }

    pub(super) fn voter(self) -> u16 {
        u16::try_from(self.0 & u64::from(u16::MAX)).unwrap_or(u16::MAX)
    }
}

/// The stake that votes.
pub(super) struct Electorate {
    /// Per uid; normalised once more over its own sum, as upstream does.
    stake: Vec<Share>,
    total: Share,
    voters: usize,
    kappa: Share,
}

impl Electorate {
    pub(super) fn new(stake: &[Share], kappa: Share) -> Self {
        let mut stake = stake.to_vec();
        normalize(&mut stake);
        let voters = stake.iter().filter(|&&s| s > Share::ZERO).count();
        Self { total: stake.iter().copied().sum(), voters, kappa, stake }
    }

    /// The median of one column. `votes` have positive values; they end up in another order.
    pub(super) fn median(&self, votes: &mut [Vote]) -> Share {
        let below = self.total.minus(self.stake_of(votes));
        if votes.len() < self.voters && self.is_majority_above(below) {
            return Share::ZERO;
        }
        self.select(votes, below)
    }

    /// Halves what is left until few remain; `below` is the stake under it.
    fn select(&self, mut votes: &mut [Vote], mut below: Share) -> Share {
        let mut divisions = 0u32;
        while votes.len() > FEW && divisions < DIVISIONS {
            divisions = divisions.saturating_add(1);
            let middle = partition(votes);
            let (lower, upper) = votes.split_at_mut(middle);
            let with_lower = below.plus(self.stake_of(lower));
            if self.is_majority_above(with_lower) {
                votes = lower;
            } else {
                (votes, below) = (upper, with_lower);
            }
        }
        votes.sort_unstable();
        for vote in votes.iter() {
            below = below.plus(at(&self.stake, vote.voter()));
            if self.is_majority_above(below) {
                return vote.value();
            }
        }
        // Kappa of zero: no majority is needed, so the largest value stands.
        votes.last().map_or(Share::ZERO, |vote| vote.value())
    }

    /// `total - kappa < below`: is `below` more than may lie under consensus?
    fn is_majority_above(&self, below: Share) -> bool {
        self.total < below.plus(self.kappa)
    }

    fn stake_of(&self, votes: &[Vote]) -> Share {
        votes.iter().map(|vote| at(&self.stake, vote.voter())).sum()
    }
}

/// Moves the votes below a pivot to the front and returns how many: at least one, and not all, of
/// votes that differ. The pivot is the middle of three.
fn partition(votes: &mut [Vote]) -> usize {
    let pivot = pivot(votes);
    let mut lower = 0usize;
    for k in 0..votes.len() {
        // Swapped whether it is below or not: the branch would be a coin toss.
        let below = votes.get(k).is_some_and(|&vote| vote < pivot);
        votes.swap(lower, k);
        lower = lower.wrapping_add(usize::from(below));
    }
    lower
}

fn pivot(votes: &[Vote]) -> Vote {
    let at = |k: usize| votes.get(k).copied().unwrap_or_default();
    let last = votes.len().saturating_sub(1);
    let (a, b, c) = (at(0), at(last / 2), at(last));
    a.max(b).min(a.min(b).max(c))
}

#[cfg(test)]
mod tests;
