//! What a block did, for readers. The Merkle root over the events' encodings is in the header.
#![allow(clippy::as_conversions, reason = "the SCALE derive writes a variant's index with `as`")]

use acumen_protocol::{AccountId, ConsensusPublic, Epoch, Hash, Nacu, TrackId, Uid};
use parity_scale_codec::{Decode, Encode};

use crate::Rejection;

/// One thing that happened. The order of the variants is part of the encoding: append only.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[non_exhaustive]
pub enum Event {
    /// A transaction was applied; its own events stand before this one.
    Applied {
        /// The transaction.
        id: Hash,
        /// What it paid.
        fee: Nacu,
    },
    /// A transaction failed: it paid its fee and had no other effect.
    Failed {
        /// The transaction.
        id: Hash,
        /// What it paid.
        fee: Nacu,
        /// Why.
        reason: Rejection,
    },
    /// Free balance moved.
    Transferred {
        /// Sender.
        from: AccountId,
        /// Receiver.
        to: AccountId,
        /// Amount.
        amount: Nacu,
    },
    /// Free balance became stake.
    Staked {
        /// Whose.
        coldkey: AccountId,
        /// On whom.
        hotkey: AccountId,
        /// Amount.
        amount: Nacu,
    },
    /// Stake became free balance.
    Unstaked {
        /// Whose.
        coldkey: AccountId,
        /// On whom.
        hotkey: AccountId,
        /// Amount.
        amount: Nacu,
    },
    /// A slot was taken.
    Registered {
        /// The track.
        track: TrackId,
        /// The slot.
        uid: Uid,
        /// The newcomer.
        hotkey: AccountId,
        /// What was burned for it.
        price: Nacu,
    },
    /// A slot was taken away.
    Pruned {
        /// The track.
        track: TrackId,
        /// The slot.
        uid: Uid,
        /// Who lost it.
        hotkey: AccountId,
    },
    /// An endpoint was published.
    Served {
        /// The track.
        track: TrackId,
        /// The slot.
        uid: Uid,
    },
    /// Weights were committed.
    WeightsCommitted {
        /// The track.
        track: TrackId,
        /// The validator's slot.
        uid: Uid,
        /// The epoch of the commitment.
        epoch: Epoch,
    },
    /// Weights were revealed.
    WeightsRevealed {
        /// The track.
        track: TrackId,
        /// The validator's slot.
        uid: Uid,
    },
    /// A take was set.
    TakeSet {
        /// The hotkey.
        hotkey: AccountId,
        /// Of 65,535.
        take: u16,
    },
    /// A consensus key was bound.
    ConsensusKeySet {
        /// The hotkey.
        hotkey: AccountId,
        /// The key.
        key: ConsensusPublic,
    },
    /// An epoch ended; details are in its [`crate::EpochRecord`].
    EpochEnded {
        /// The track.
        track: TrackId,
        /// Its number.
        epoch: Epoch,
        /// What the track's owner, miners and validators were paid together.
        paid: Nacu,
    },
}
