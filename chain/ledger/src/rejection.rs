//! Why a transaction is refused. Each message holds the values that explain it and says what to do.
#![allow(clippy::as_conversions, reason = "the SCALE derive writes a variant's index with `as`")]

use acumen_protocol::{AccountId, Epoch, Height, Nacu, Nonce, TrackId, Uid};
use parity_scale_codec::{Decode, Encode};

/// A refusal. It stands in a block's events when a transaction failed after it had paid its fee, so its encoding is
/// part of the chain: append only.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// Not the sender's next transaction.
    #[error("nonce {found} is not the next one of this sender: sign again with nonce {expected}")]
    Nonce {
        /// The next one.
        expected: Nonce,
        /// The one given.
        found: Nonce,
    },
    /// Too late.
    #[error("valid until height {valid_until}, the next block is {height}: sign again with a later height")]
    Expired {
        /// The transaction's last height.
        valid_until: Height,
        /// The height of the block that would hold it.
        height: Height,
    },
    /// Not enough to spend.
    #[error("{account} has {} and needs {}: fund it first", .has.to_acu_string(), .needs.to_acu_string())]
    Balance {
        /// Who pays.
        account: AccountId,
        /// Its free balance.
        has: Nacu,
        /// What the transaction costs it.
        needs: Nacu,
    },
    /// Not enough staked.
    #[error("the stake on {hotkey} is worth {} and {} were asked for: ask for less", .has.to_acu_string(), .needs.to_acu_string())]
    StakeTooLow {
        /// The hotkey.
        hotkey: AccountId,
        /// What the sender's stake is worth.
        has: Nacu,
        /// What was asked for.
        needs: Nacu,
    },
    /// Too little to buy a share.
    #[error("{} are worth less than one share of {hotkey}'s stake: stake more", .amount.to_acu_string())]
    StakeTooSmall {
        /// The hotkey.
        hotkey: AccountId,
        /// What was offered.
        amount: Nacu,
    },
    /// Nothing to move.
    #[error("the amount is zero: name one above zero")]
    ZeroAmount,
    /// The hotkey was never registered.
    #[error("hotkey {hotkey} is not registered: its coldkey must register it first")]
    NotRegistered {
        /// The hotkey.
        hotkey: AccountId,
    },
    /// The hotkey has no slot.
    #[error("hotkey {hotkey} has no slot in track {track}: register it there (a slot may have been pruned)")]
    NotInTrack {
        /// The hotkey.
        hotkey: AccountId,
        /// The track.
        track: TrackId,
    },
    /// No such track.
    #[error("there is no track {track}")]
    UnknownTrack {
        /// The track.
        track: TrackId,
    },
    /// Somebody else's hotkey.
    #[error("hotkey {hotkey} belongs to {owner}: sign with that coldkey or take another hotkey")]
    NotOwner {
        /// The hotkey.
        hotkey: AccountId,
        /// Its owner.
        owner: AccountId,
    },
    /// Has a slot already.
    #[error("hotkey {hotkey} is in track {track} already, with uid {uid}")]
    AlreadyRegistered {
        /// The hotkey.
        hotkey: AccountId,
        /// The track.
        track: TrackId,
        /// Its slot.
        uid: Uid,
    },
    /// The price rose.
    #[error("a slot costs {} now, the limit given is {}: raise it or wait", .price.to_acu_string(), .max_price.to_acu_string())]
    PriceTooHigh {
        /// The price.
        price: Nacu,
        /// The sender's limit.
        max_price: Nacu,
    },
    /// Every slot is taken and none may be pruned.
    #[error("track {track} is full and all of its slots are immune: try again later")]
    TrackFull {
        /// The track.
        track: TrackId,
    },
    /// The URL is malformed.
    #[error("the endpoint is malformed: write http://HOST:PORT or https://HOST:PORT")]
    Endpoint,
    /// The row is not canonical.
    #[error("the weights are malformed: list each uid once, in order, with the largest weight 65535")]
    Weights,
    /// A weight for nobody.
    #[error("there is a weight for uid {uid}, but uids end at {neurons} (exclusive): drop it")]
    UnknownUid {
        /// The uid named.
        uid: Uid,
        /// Slots in use.
        neurons: u16,
    },
    /// Nothing to reveal.
    #[error(
        "there is no commitment of epoch {due} to reveal in epoch {epoch}: commit in one epoch, reveal in the next"
    )]
    NoCommitment {
        /// The current epoch.
        epoch: Epoch,
        /// The epoch whose commitment could be revealed now.
        due: Epoch,
    },
    /// Not what was committed to.
    #[error("the weights and salt are not those committed to in epoch {due}: reveal exactly these")]
    CommitmentMismatch {
        /// The epoch of the commitment.
        due: Epoch,
    },
    /// The take is above the limit.
    #[error("a take of {take} is above the limit of {max} (of 65535)")]
    TakeTooHigh {
        /// The take asked for.
        take: u16,
        /// The limit.
        max: u16,
    },
    /// The consensus key's own signature does not verify.
    #[error("the consensus key did not sign for this hotkey on this chain: make the proof with that key")]
    ConsensusKeyProof,
    /// The consensus key is in use.
    #[error("this consensus key belongs to hotkey {hotkey}: take a key of your own")]
    ConsensusKeyTaken {
        /// Its holder.
        hotkey: AccountId,
    },
    /// A call that this version of the ledger does not know.
    #[error("this ledger does not know the call: update the node or the client")]
    UnknownCall,
}
