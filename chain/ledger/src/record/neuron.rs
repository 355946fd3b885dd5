//! A slot of a track, and what its holder has committed and revealed.

use acumen_protocol::{AccountId, Endpoint, Epoch, Hash, Height, Nacu, Uid, weights::Weights};
use parity_scale_codec::{Decode, Encode};

/// The holder of a slot. Proportions are of 65,535 and, like `emission`, those of the last epoch.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Neuron {
    /// Who holds the slot.
    pub hotkey: AccountId,
    /// The slot.
    pub uid: Uid,
    /// Block of its registration.
    pub registered_at: Height,
    /// Block of the last reveal of weights; `registered_at` before the first.
    pub last_update: Height,
    /// May its weights count in the next epoch?
    pub permit: bool,
    /// Where it serves, if it does.
    pub endpoint: Option<Endpoint>,
    /// Largest weight that a majority of stake backs.
    pub consensus: u16,
    /// Its share as a miner.
    pub incentive: u16,
    /// Its share as a validator.
    pub dividend: u16,
    /// How much of its weights lies within consensus.
    pub validator_trust: u16,
    /// What it was paid, both shares together, delegators' part included.
    pub emission: Nacu,
}

impl Neuron {
    /// A newcomer, who inherits nothing from the slot's last holder.
    #[must_use]
    pub const fn new(hotkey: AccountId, uid: Uid, registered_at: Height) -> Self {
        Self {
            hotkey,
            uid,
            registered_at,
            last_update: registered_at,
            permit: false,
            endpoint: None,
            consensus: 0,
            incentive: 0,
            dividend: 0,
            validator_trust: 0,
            emission: Nacu::ZERO,
        }
    }
}

/// Revealed weights.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct WeightsRow {
    /// The weights.
    pub weights: Weights,
    /// Block in which they were committed: they say nothing about a slot taken later.
    pub committed_at: Height,
}

/// A commitment, not yet revealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Commit {
    /// Epoch in which it was made; it can be revealed in the next one only.
    pub epoch: Epoch,
    /// The hash.
    pub commitment: Hash,
    /// Block in which it was made.
    pub at: Height,
}

/// Up to two commitments: one waits to be revealed while the next one is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Commits {
    /// The newest.
    pub latest: Option<Commit>,
    /// The one of the epoch before `latest`.
    pub previous: Option<Commit>,
}

impl Commits {
    /// Adds a commitment, replacing one of the same epoch and forgetting what can no longer be revealed.
    pub fn add(&mut self, commit: Commit) {
        if let Some(latest) = self.latest.filter(|latest| latest.epoch != commit.epoch) {
            self.previous = Some(latest);
        }
        self.previous = self.previous.filter(|previous| previous.epoch.next() == Some(commit.epoch));
        self.latest = Some(commit);
    }

    /// Takes out the commitment that may be revealed in `epoch`.
    pub fn take_revealable(&mut self, epoch: Epoch) -> Option<Commit> {
        let due = |commit: &Commit| commit.epoch.next() == Some(epoch);
        if self.latest.as_ref().is_some_and(due) {
            self.latest.take()
        } else {
            self.previous.take_if(|c| due(c))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(epoch: u64, tag: u8) -> Commit {
        Commit { epoch: Epoch::new(epoch), commitment: Hash([tag; 32]), at: Height::new(epoch) }
    }

    #[test]
    fn a_commitment_lives_for_exactly_one_more_epoch() {
        let mut commits = Commits::default();
        commits.add(commit(1, 1));
        commits.add(commit(1, 2));
        assert_eq!(commits.take_revealable(Epoch::new(1)), None);
        commits.add(commit(2, 3));
        assert_eq!(commits.take_revealable(Epoch::new(2)), Some(commit(1, 2)), "the replacement counts");
        assert_eq!(commits.take_revealable(Epoch::new(2)), None, "once only");
        commits.add(commit(4, 4));
        assert_eq!(commits, Commits { latest: Some(commit(4, 4)), previous: None });
        assert_eq!(commits.take_revealable(Epoch::new(6)), None);
    }
}
