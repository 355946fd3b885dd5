//! Consensus and ranks (steps 6 to 8), column by column.
//!
//! Columns are taken in blocks of equal width whose votes fit the cache; each block transposes its
//! part of the rows by counting, so there is no transposed copy of the matrix, and blocks are
//! independent of each other.

use std::ops::Range;

use rayon::prelude::*;

use super::median::{Electorate, Vote};
use super::weights::{Row, Weights};
use crate::share::{Share, at};

/// Most votes of a block: 256 KiB of them.
const VOTES_PER_BLOCK: usize = 32_768;

/// Blocks for 8 threads, where that leaves them large enough.
const BLOCKS: usize = 8;

/// Fewest entries of a row in a block, on average: finding where they start costs about as much as
/// reading ten.
const ENTRIES_PER_ROW: usize = 64;

/// Consensus per column, and the rank `Σ_i S_i · min(W_ij, C_j)`, not yet normalised.
///
/// `stake` is the validating stake; rows without any have no say in either.
pub(super) fn consensus_and_ranks(
    weights: &Weights<'_>,
    stake: &[Share],
    kappa: Share,
) -> (Vec<Share>, Vec<Share>) {
    let electorate = Electorate::new(stake, kappa);
    // Inclusive: the open range would overflow when it steps past the last uid.
    let voters: Vec<u16> =
        (0..=u16::MAX).zip(stake).filter(|&(_, &s)| s > Share::ZERO).map(|(uid, _)| uid).collect();
    let poll = Poll { weights, voters: &voters, stake, electorate: &electorate };
    let width = poll.block_width();
    let mut consensus = vec![Share::ZERO; weights.n()];
    let mut ranks = consensus.clone();
    let fill = |block: &mut Block, k: usize, consensus: &mut [Share], ranks: &mut [Share]| {
        let first = k.saturating_mul(width);
        block.load(&poll, first..first.saturating_add(consensus.len()));
        block.count(&poll, consensus, ranks);
    };
    if width >= weights.n() {
        // A single block stays on this thread.
        fill(&mut Block::default(), 0, &mut consensus, &mut ranks);
        return (consensus, ranks);
    }
    let columns = consensus.par_chunks_mut(width).zip(ranks.par_chunks_mut(width)).enumerate();
    columns.for_each_init(Block::default, |block, (k, (consensus, ranks))| fill(block, k, consensus, ranks));
    (consensus, ranks)
}

/// Who votes, and with what.
struct Poll<'a> {
    weights: &'a Weights<'a>,
    voters: &'a [u16],
    /// Validating stake, which ranks are made of.
    stake: &'a [Share],
    electorate: &'a Electorate,
}

impl Poll<'_> {
    fn rows(&self) -> impl Iterator<Item = (u16, Row<'_>)> {
        self.voters.iter().map(|&voter| (voter, self.weights.row(usize::from(voter))))
    }

    /// Votes of some columns, row by row: which of the columns, who, and the share.
    fn each_vote(&self, columns: &Range<usize>, mut each: impl FnMut(usize, u16, Share)) {
        for (voter, row) in self.rows() {
            for (j, w) in row.within(columns).raw() {
                if w > 0 {
                    each(usize::from(j).wrapping_sub(columns.start), voter, row.share(w));
                }
            }
        }
    }

    /// Columns per block.
    fn block_width(&self) -> usize {
        let entries: usize = self.rows().map(|(_, row)| row.len()).sum();
        let even = entries.div_euclid(BLOCKS).min(VOTES_PER_BLOCK);
        let per_block = even.max(self.voters.len().saturating_mul(ENTRIES_PER_ROW));
        let blocks = entries.checked_div(per_block).unwrap_or(0).max(1);
        self.weights.n().div_ceil(blocks).max(1)
    }
}

/// The votes of a run of columns, column after column.
#[derive(Default)]
struct Block {
    /// Where each column ends in `votes`.
    ends: Vec<usize>,
    votes: Vec<Vote>,
}

impl Block {
    /// Gathers the votes of `columns`.
    fn load(&mut self, poll: &Poll<'_>, columns: Range<usize>) {
        self.ends.clear();
        self.ends.resize(columns.len(), 0);
        poll.each_vote(&columns, |k, _, _| {
            if let Some(count) = self.ends.get_mut(k) {
                *count = count.wrapping_add(1);
            }
        });
        let votes = counts_to_starts(&mut self.ends);
        self.votes.clear();
        self.votes.resize(votes, Vote::default());
        poll.each_vote(&columns, |k, voter, value| {
            let Some(next) = self.ends.get_mut(k) else { return };
            if let Some(vote) = self.votes.get_mut(*next) {
                *vote = Vote::new(value, voter);
            }
            *next = next.wrapping_add(1);
        });
    }

    /// The consensus and the rank of each column loaded.
    fn count(&mut self, poll: &Poll<'_>, consensus: &mut [Share], ranks: &mut [Share]) {
        let mut rest = self.votes.as_mut_slice();
        let mut start = 0usize;
        for ((&end, consensus), rank) in self.ends.iter().zip(consensus).zip(ranks) {
            let (votes, after) = rest.split_at_mut(end.saturating_sub(start).min(rest.len()));
            (rest, start) = (after, end);
            *consensus = poll.electorate.median(votes);
            if *consensus > Share::ZERO {
                let part = |vote: &Vote| at(poll.stake, vote.voter()).times(vote.value().min(*consensus));
                *rank = votes.iter().map(part).sum();
            }
        }
    }
}

/// Turns counts into where each run starts; returns the total.
fn counts_to_starts(counts: &mut [usize]) -> usize {
    counts.iter_mut().fold(0, |start, count| {
        let next = start.saturating_add(*count);
        *count = start;
        next
    })
}

/// The median of one dense column, for the vectors.
#[cfg(all(test, feature = "case"))]
pub(crate) fn median_of(stake: &[Share], score: &[Share], kappa: Share) -> Share {
    let electorate = Electorate::new(stake, kappa);
    let mut votes: Vec<Vote> = (0..=u16::MAX)
        .zip(score)
        .filter(|&(i, &value)| value > Share::ZERO && at(stake, i) > Share::ZERO)
        .map(|(voter, &value)| Vote::new(value, voter))
        .collect();
    electorate.median(&mut votes)
}
