//! Keys of the state. A key's bytes are the SCALE encoding of [`StateKey`]: one byte for the kind, then the fields, so
//! that all records of a kind, or all stakes on one hotkey, are neighbours.
#![allow(clippy::as_conversions, reason = "the SCALE derive writes a variant's index with `as`")]

use acumen_protocol::codec::{DecodeError, decode_all};
use acumen_protocol::{AccountId, ConsensusPublic, Epoch, TrackId, Uid};
use parity_scale_codec::{Decode, Encode};

/// Names one value of the state. The order of the variants is part of the encoding: append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[non_exhaustive]
pub enum StateKey {
    /// [`crate::ChainInfo`].
    Chain,
    /// [`crate::Params`].
    Params,
    /// [`crate::Supply`].
    Supply,
    /// [`acumen_protocol::ValidatorSet`] that decides the next block.
    Validators,
    /// [`crate::Account`] of a coldkey, or of a hotkey that has sent transactions.
    Account(AccountId),
    /// [`crate::Hotkey`].
    Hotkey(AccountId),
    /// [`crate::Stake`] of a coldkey on a hotkey.
    Stake {
        /// On whom.
        hotkey: AccountId,
        /// Whose.
        coldkey: AccountId,
    },
    /// [`crate::Track`].
    Track(TrackId),
    /// [`crate::Neuron`].
    Neuron {
        /// The track.
        track: TrackId,
        /// The slot.
        uid: Uid,
    },
    /// [`Uid`] of a hotkey in a track.
    UidOf {
        /// The track.
        track: TrackId,
        /// The hotkey.
        hotkey: AccountId,
    },
    /// [`crate::WeightsRow`]: the weights that a slot has revealed last.
    Weights {
        /// The track.
        track: TrackId,
        /// The slot of the validator.
        uid: Uid,
    },
    /// Bonds of a slot as the last epoch left them: `Vec<(u16, u16)>`, (uid, bond of 65,535).
    Bonds {
        /// The track.
        track: TrackId,
        /// The slot of the validator.
        uid: Uid,
    },
    /// [`crate::Commits`] of a slot.
    Commits {
        /// The track.
        track: TrackId,
        /// The slot of the validator.
        uid: Uid,
    },
    /// [`crate::EpochRecord`].
    EpochRecord {
        /// The track.
        track: TrackId,
        /// The epoch's number.
        epoch: Epoch,
    },
    /// [`crate::record::KeyRecord`] of a consensus key.
    ConsensusKey(ConsensusPublic),
    /// Number of tracks: `u16`.
    Tracks,
    /// [`AccountId`] that receives the fees that are not burned.
    Treasury,
    /// Nothing: the hotkey has a consensus key, so that its node may be elected to vote on blocks.
    Candidate(AccountId),
    /// Height ([`acumen_protocol::Height`]) of the block that gave the vote on blocks from genesis' validators to stake.
    Handover,
    /// [`crate::record::Unbonding`] of a coldkey on a hotkey.
    Unbonding {
        /// Off whom.
        hotkey: AccountId,
        /// Whose.
        coldkey: AccountId,
    },
    /// [`crate::record::UnbondingQueue`].
    UnbondingQueue,
    /// (due height, hotkey, coldkey) of an entry of the queue.
    UnbondingEntry(u64),
    /// [`crate::record::Governance`].
    Governance,
    /// [`crate::record::Proposal`] by number.
    Proposal(u64),
    /// `bool`: how a hotkey votes on a live proposal.
    Ballot {
        /// The proposal.
        proposal: u64,
        /// Who votes.
        hotkey: AccountId,
    },
    /// Hotkeys ([`Vec<AccountId>`], sorted) on which a coldkey has stake, or from which some is on its way back.
    Positions(AccountId),
    /// [`crate::record::Terms`]: when a consensus key decided blocks.
    Terms(ConsensusPublic),
    /// `bool`: how a delegator votes with its own stake on a hotkey, whatever the hotkey's owner says.
    DelegatorBallot {
        /// The proposal.
        proposal: u64,
        /// On whom it has staked.
        hotkey: AccountId,
        /// Who votes.
        coldkey: AccountId,
    },
}

impl StateKey {
    /// The key's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.encode()
    }

    /// Reads a key's bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode_all("state key", bytes)
    }

    /// What all [`StateKey::Account`] begin with.
    #[must_use]
    pub fn accounts() -> Vec<u8> {
        prefix(&Self::Account(AccountId([0; 32])), 32)
    }

    /// What all [`StateKey::Hotkey`] begin with.
    #[must_use]
    pub fn hotkeys() -> Vec<u8> {
        prefix(&Self::Hotkey(AccountId([0; 32])), 32)
    }

    /// What all [`StateKey::Candidate`] begin with.
    #[must_use]
    pub fn candidates() -> Vec<u8> {
        prefix(&Self::Candidate(AccountId([0; 32])), 32)
    }

    /// What all [`StateKey::Ballot`] of `proposal` begin with.
    #[must_use]
    pub fn ballots_of(proposal: u64) -> Vec<u8> {
        prefix(&Self::Ballot { proposal, hotkey: AccountId([0; 32]) }, 32)
    }

    /// What all [`StateKey::DelegatorBallot`] of `proposal` begin with.
    #[must_use]
    pub fn delegator_ballots_of(proposal: u64) -> Vec<u8> {
        let (hotkey, coldkey) = (AccountId([0; 32]), AccountId([0; 32]));
        prefix(&Self::DelegatorBallot { proposal, hotkey, coldkey }, 64)
    }

    /// What all [`StateKey::Unbonding`] off `hotkey` begin with.
    #[must_use]
    pub fn unbonding_off(hotkey: AccountId) -> Vec<u8> {
        prefix(&Self::Unbonding { hotkey, coldkey: AccountId([0; 32]) }, 32)
    }

    /// What all [`StateKey::Stake`] on `hotkey` begin with.
    #[must_use]
    pub fn stakes_on(hotkey: AccountId) -> Vec<u8> {
        prefix(&Self::Stake { hotkey, coldkey: AccountId([0; 32]) }, 32)
    }
}

/// The key's bytes without the last `cut`.
fn prefix(key: &StateKey, cut: usize) -> Vec<u8> {
    let mut bytes = key.to_bytes();
    bytes.truncate(bytes.len().saturating_sub(cut));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_round_trip_and_share_their_prefix() {
        let (a, b) = (AccountId([1; 32]), AccountId([2; 32]));
        let key = StateKey::Stake { hotkey: a, coldkey: b };
        assert_eq!(StateKey::from_bytes(&key.to_bytes()), Ok(key));
        assert!(key.to_bytes().starts_with(&StateKey::stakes_on(a)));
        assert!(!key.to_bytes().starts_with(&StateKey::stakes_on(b)));
        assert!(StateKey::Hotkey(a).to_bytes().starts_with(&StateKey::hotkeys()));
        assert!(StateKey::Account(a).to_bytes().starts_with(&StateKey::accounts()));
    }
}
