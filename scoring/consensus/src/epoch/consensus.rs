//! Consensus and ranks (steps 6 to 8), column by column.
//!
//! Consensus of a column is the stake-weighted median at kappa: the value `v` with
//! `S(< v) <= total - kappa < S(<= v)`, where an absent weight counts as zero. Upstream finds it by
//! quick-select; stakes are summed without rounding, so the answer does not depend on the pivots and
//! a sort finds the same one.

use rayon::prelude::*;

use super::weights::Weights;
use crate::fixed::{Fix, ZERO, at, mul, normalize, sum};

/// Fewest columns worth handing to another thread.
const COLUMNS_PER_TASK: usize = 64;

/// Consensus per column, and the rank `Σ_i S_i · min(W_ij, C_j)`, not yet normalised.
///
/// `stake` is the validating stake; rows without any have no say in either.
pub(super) fn consensus_and_ranks(weights: &Weights<'_>, stake: &[Fix], kappa: Fix) -> (Vec<Fix>, Vec<Fix>) {
    let columns = Columns::new(weights, stake);
    let electorate = Electorate::new(stake, kappa);
    (0..weights.n())
        .into_par_iter()
        .with_min_len(COLUMNS_PER_TASK)
        .map_init(Vec::new, |votes, j| {
            votes.clear();
            votes.extend(columns.column(j).map(|(i, w)| Vote {
                value: weights.normalized(usize::from(i), w),
                stake: at(&electorate.stake, i),
                voter: i,
            }));
            let consensus = electorate.median(votes);
            if consensus == ZERO {
                return (ZERO, ZERO);
            }
            let rank = votes.iter().fold(ZERO, |rank, vote| {
                rank.saturating_add(mul(at(stake, vote.voter), vote.value.min(consensus)))
            });
            (consensus, rank)
        })
        .unzip()
}

/// One row's entry in a column.
#[derive(Clone, Copy)]
pub(super) struct Vote {
    pub(super) value: Fix,
    pub(super) stake: Fix,
    pub(super) voter: u16,
}

/// The stake that votes.
pub(super) struct Electorate {
    /// Normalised once more over its own sum, as upstream does.
    pub(super) stake: Vec<Fix>,
    total: Fix,
    voters: usize,
    /// Stake that may lie below consensus.
    minority: Fix,
}

impl Electorate {
    pub(super) fn new(stake: &[Fix], kappa: Fix) -> Self {
        let mut stake = stake.to_vec();
        normalize(&mut stake);
        let total = sum(&stake);
        Self {
            total,
            voters: stake.iter().filter(|&&s| s > ZERO).count(),
            minority: total.saturating_sub(kappa),
            stake,
        }
    }

    /// The median of one column; `votes` (all with a positive value) end up sorted.
    pub(super) fn median(&self, votes: &mut [Vote]) -> Fix {
        let cast = votes.iter().fold(ZERO, |sum, vote| sum.saturating_add(vote.stake));
        let mut below = self.total.saturating_sub(cast);
        if votes.len() < self.voters && self.minority < below {
            return ZERO;
        }
        votes.sort_unstable_by_key(|vote| vote.value);
        for vote in votes.iter() {
            below = below.saturating_add(vote.stake);
            if self.minority < below {
                return vote.value;
            }
        }
        // Kappa of zero: nothing is above the minority, so the largest value stands.
        votes.last().map_or(ZERO, |vote| vote.value)
    }
}

/// The voting rows' non-zero entries in CSC.
struct Columns {
    offsets: Vec<usize>,
    voters: Vec<u16>,
    values: Vec<u16>,
}

impl Columns {
    fn new(weights: &Weights<'_>, stake: &[Fix]) -> Self {
        // Inclusive: the open range would overflow when it steps past the last uid.
        let voters = || (0..=u16::MAX).zip(stake).filter(|&(_, &s)| s > ZERO);
        let entries = |i: u16| weights.raw_row(usize::from(i)).filter(|&(_, w)| w > 0);
        let mut next = vec![0usize; weights.n().saturating_add(1)];
        for (i, _) in voters() {
            for (j, _) in entries(i) {
                if let Some(count) = next.get_mut(usize::from(j)) {
                    *count = count.saturating_add(1);
                }
            }
        }
        let filled = counts_to_starts(&mut next);
        let offsets = next.clone();
        let mut columns = Self { offsets, voters: vec![0; filled], values: vec![0; filled] };
        for (i, _) in voters() {
            for (j, w) in entries(i) {
                if let Some(cursor) = next.get_mut(usize::from(j)) {
                    columns.set(*cursor, i, w);
                    *cursor = cursor.saturating_add(1);
                }
            }
        }
        columns
    }

    fn set(&mut self, at: usize, voter: u16, value: u16) {
        if let (Some(i), Some(w)) = (self.voters.get_mut(at), self.values.get_mut(at)) {
            *i = voter;
            *w = value;
        }
    }

    fn column(&self, j: usize) -> impl Iterator<Item = (u16, u16)> + '_ {
        let at = |k: usize| self.offsets.get(k).copied().unwrap_or(0);
        let range = at(j)..at(j.saturating_add(1));
        let voters = self.voters.get(range.clone()).unwrap_or_default();
        let values = self.values.get(range).unwrap_or_default();
        voters.iter().copied().zip(values.iter().copied())
    }
}

/// Turns counts into where each run starts; the last element becomes the total, also returned.
fn counts_to_starts(counts: &mut [usize]) -> usize {
    counts.iter_mut().fold(0, |start, count| {
        let next = start.saturating_add(*count);
        *count = start;
        next
    })
}

/// The median of one dense column, for the vectors.
#[cfg(all(test, feature = "case"))]
pub(crate) fn median_of(stake: &[Fix], score: &[Fix], kappa: Fix) -> Fix {
    let electorate = Electorate::new(stake, kappa);
    let mut votes: Vec<Vote> = (0..=u16::MAX)
        .zip(score)
        .filter(|&(i, &value)| value > ZERO && at(&electorate.stake, i) > ZERO)
        .map(|(voter, &value)| Vote { value, stake: at(&electorate.stake, voter), voter })
        .collect();
    electorate.median(&mut votes)
}
