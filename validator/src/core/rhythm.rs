//! What a validator should do at a height.
//!
//! An epoch of `tempo` blocks ends with a height that is a multiple of it; what is sent at tip h goes into block h + 1
//! and so belongs to epoch h / tempo + 1. Weights are committed in the epoch in which they were measured and revealed in
//! the next one. Order within an epoch: reveal, then (from 15 % on) evaluate, then commit. Starting late lets a miner
//! that died right after the last epoch be noticed in this one; closing at 70 % leaves time for the commitment.

use acumen_protocol::{Epoch, Height};

/// Part of the epoch, in percent, after which evaluation starts.
pub const START_PERCENT: u64 = 15;

/// Part of the epoch, in percent, at which evaluation closes, finished or not.
pub const CLOSE_PERCENT: u64 = 70;

/// A commitment's way to the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Epoch in which it was made.
    pub epoch: Epoch,
    /// The commitment is known to be in a block.
    pub committed: bool,
    /// The reveal is in a block.
    pub revealed: bool,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Reveal the weights of this epoch.
    Reveal(Epoch),
    /// Commit to the weights of this epoch.
    Commit(Epoch),
    /// Evaluate; close at the given height.
    Evaluate {
        /// The running epoch.
        epoch: Epoch,
        /// Height at which the evaluation is closed.
        close: Height,
    },
    /// Nothing until the next block.
    Wait,
}

/// The rhythm of one track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    tempo: u64,
}

impl Rhythm {
    /// Of epochs of `tempo` blocks; 0 counts as 1.
    #[must_use]
    pub fn new(tempo: u64) -> Self {
        Self { tempo: tempo.max(1) }
    }

    /// Epoch to which a transaction belongs that is sent at this tip.
    #[must_use]
    pub fn running(&self, tip: Height) -> Epoch {
        Epoch::new(tip.get() / self.tempo + 1)
    }

    fn start(&self) -> u64 {
        (self.tempo * START_PERCENT).div_ceil(100)
    }

    fn close(&self) -> u64 {
        // The last block of an epoch is the last chance to commit, so even the shortest epoch closes before it.
        (self.tempo * CLOSE_PERCENT / 100).max(self.start() + 1).min(self.tempo.saturating_sub(1))
    }

    /// What to do at `tip`, given the commitments under way and the newest evaluated epoch.
    #[must_use]
    pub fn action(&self, tip: Height, commitments: &[Progress], evaluated: Option<Epoch>) -> Action {
        let running = self.running(tip);
        // Whether or not its commitment is known to be in a block: a crash may have come between the block and the note
        // of it. A reveal without a commitment is refused for free.
        let due = |progress: &&Progress| !progress.revealed && progress.epoch.next() == Some(running);
        if let Some(progress) = commitments.iter().find(due) {
            return Action::Reveal(progress.epoch);
        }
        if let Some(progress) = commitments.iter().find(|p| p.epoch == running && !p.committed) {
            return Action::Commit(progress.epoch);
        }
        let offset = tip.get() % self.tempo;
        let fresh = evaluated.is_none_or(|evaluated| evaluated < running);
        if fresh && (self.start()..self.close()).contains(&offset) {
            let close = Height::new(tip.get() - offset + self.close());
            return Action::Evaluate { epoch: running, close };
        }
        Action::Wait
    }

    /// Whether a commitment can still be of use at `tip`.
    #[must_use]
    pub fn is_alive(&self, progress: &Progress, tip: Height) -> bool {
        let running = self.running(tip);
        !progress.revealed && (progress.epoch >= running || progress.epoch.next() == Some(running))
    }
}

#[cfg(test)]
mod tests;
