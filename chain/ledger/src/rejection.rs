//! Why a transaction is refused. Each message holds the values that explain it and says what to do.
#![allow(clippy::as_conversions, reason = "the SCALE derive writes a variant's index with `as`")]

mod fault;

use acumen_protocol::{AccountId, ConsensusPublic, Epoch, Height, Nacu, Nonce, TrackId, Uid};
use parity_scale_codec::{Decode, Encode};

pub use fault::{EvidenceFault, ProposalFault};

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
    /// Open weights while commit-reveal is on.
    #[error("weights are hidden on this chain: commit to them in one epoch and reveal them in the next")]
    WeightsHidden,
    /// The proof proves nothing.
    #[error("the evidence proves nothing: {reason}")]
    Evidence {
        /// Why not.
        reason: EvidenceFault,
    },
    /// The offence is too old, or not there yet.
    #[error(
        "evidence of epoch {found} counts from epoch {oldest} to {newest} only: stake of that time is gone"
    )]
    EvidenceAge {
        /// The offence's epoch.
        found: Epoch,
        /// Oldest that counts.
        oldest: Epoch,
        /// Newest that counts.
        newest: Epoch,
    },
    /// A key that nobody has bound.
    #[error(
        "no hotkey has bound consensus key {key}, and genesis does not name it: there is nothing to slash"
    )]
    UnknownConsensusKey {
        /// The key.
        key: ConsensusPublic,
    },
    /// Punished already, or banned for that.
    #[error("consensus key {key} was proven to equivocate and never votes again")]
    KeyRetired {
        /// The key.
        key: ConsensusPublic,
    },
    /// Too early for another key.
    #[error("hotkey {hotkey} has equivocated and may bind another consensus key from block {until} on")]
    Jailed {
        /// The hotkey.
        hotkey: AccountId,
        /// First block in which it may.
        until: Height,
    },
    /// An impossible batch.
    #[error("a batch has 1 to {max} calls and no batch among them; this one has {calls}")]
    Batch {
        /// Its calls.
        calls: u32,
        /// The limit.
        max: u32,
    },
    /// A call of a batch failed, so none had an effect.
    #[error("call {index} of the batch (counted from 0) failed, so none was applied: {reason}")]
    InBatch {
        /// Which one.
        index: u32,
        /// Why.
        reason: Box<Self>,
    },
    /// No such proposal, or no longer.
    #[error("proposal {proposal} is not open for votes")]
    ProposalClosed {
        /// The number.
        proposal: u64,
    },
    /// Too little stake for a say.
    #[error("{} are staked on {hotkey}: proposing and voting need {}", .has.to_acu_string(), .needs.to_acu_string())]
    TooLittleStake {
        /// The hotkey.
        hotkey: AccountId,
        /// Stake behind it.
        has: Nacu,
        /// The threshold.
        needs: Nacu,
    },
    /// No room for another, and nobody to displace.
    #[error(
        "{live} proposals are under way, the limit, and none of the open ones has less stake behind its hotkey: wait until one is decided, or propose with a hotkey that has more"
    )]
    TooManyProposals {
        /// How many.
        live: u32,
    },
    /// Its last one is not decided yet.
    #[error("proposal {proposal} of {hotkey} is under way: wait until it is decided")]
    ProposalPending {
        /// The hotkey.
        hotkey: AccountId,
        /// Its proposal.
        proposal: u64,
    },
    /// Not a change that the ledger could make.
    #[error("the proposal is impossible: {reason}")]
    Proposal {
        /// Why.
        reason: ProposalFault,
    },
    /// Stakes on too many hotkeys.
    #[error("{coldkey} has stake on {count} hotkeys, the limit: take it off one of them first")]
    TooManyPositions {
        /// The coldkey.
        coldkey: AccountId,
        /// Hotkeys.
        count: u32,
    },
    /// The key did not decide the height of the evidence.
    #[error(
        "consensus key {key} was not in the set that decided block {height}: what it signed there decides nothing"
    )]
    NotInSet {
        /// The key.
        key: ConsensusPublic,
        /// The height of the two messages.
        height: Height,
    },
    /// A tip that a hotkey may not promise.
    #[error(
        "a hotkey's transaction is paid by its coldkey and may offer a tip of at most {}, not {}",
        .max.to_acu_string(),
        .tip.to_acu_string()
    )]
    HotkeyTip {
        /// The tip.
        tip: Nacu,
        /// The limit.
        max: Nacu,
    },
}
