//! Whole blocks of heights that have not come yet.
//!
//! Invariant: at most [`BLOCKS_WAITING`]. Whose turn it will be is certain only when a height has come; until then, the
//! present set says who may be right, and what comes soonest is kept.

use crate::application::Candidate;
use crate::types::{At, Members};

/// Whole blocks of future heights that wait.
pub(super) const BLOCKS_WAITING: usize = 32;

/// The blocks.
#[derive(Debug, Default)]
pub(super) struct Early {
    waiting: Vec<Candidate>,
}

fn height(candidate: &Candidate) -> u64 {
    candidate.block.header.height.get()
}

fn rightful(candidate: &Candidate, set: &Members) -> bool {
    set.proposer(At(height(candidate)), candidate.round).key() == candidate.proposer
}

impl Early {
    /// Keeps a block. If there are too many then, the one that is least likely to be of use is given back: of whom the
    /// present set does not expect it, or else the latest.
    pub(super) fn wait(&mut self, candidate: Candidate, set: &Members) -> Option<Candidate> {
        self.waiting.push(candidate);
        if self.waiting.len() <= BLOCKS_WAITING {
            return None;
        }
        let rank = |one: &Candidate| (!rightful(one, set), height(one), one.round);
        let last = (0..self.waiting.len()).max_by_key(|index| self.waiting.get(*index).map(rank))?;
        Some(self.waiting.swap_remove(last))
    }

    /// Takes out what waited for a height, if its set says that it was that proposer's turn; forgets everything older.
    pub(super) fn due(&mut self, at: At, set: &Members) -> Vec<Candidate> {
        let (mut due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.waiting).into_iter().partition(|one| height(one) <= at.0);
        self.waiting = later;
        due.retain(|one| height(one) == at.0 && rightful(one, set));
        due.sort_by_key(|one| one.round);
        due
    }
}
