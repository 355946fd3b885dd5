//! What a block did, for readers. The Merkle root over the events' encodings is in the header.
#![allow(clippy::as_conversions, reason = "the SCALE derive writes a variant's index with `as`")]

mod text;

use acumen_protocol::{AccountId, ConsensusPublic, Epoch, Hash, Height, Nacu, TrackId, Uid};
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
    /// Stake was taken off; it is paid out with the block at `due`.
    UnbondingStarted {
        /// Whose.
        coldkey: AccountId,
        /// Off whom.
        hotkey: AccountId,
        /// Amount.
        amount: Nacu,
        /// The block of the payout.
        due: Height,
    },
    /// Stake that was taken off became free balance.
    Unbonded {
        /// Whose.
        coldkey: AccountId,
        /// Off whom.
        hotkey: AccountId,
        /// Amount, after any slash.
        amount: Nacu,
    },
    /// A higher take was announced.
    TakeAnnounced {
        /// The hotkey.
        hotkey: AccountId,
        /// Of 65,535.
        take: u16,
        /// First epoch in whose payout it counts.
        from: Epoch,
    },
    /// The vote on blocks went from genesis' validators to stake.
    HandedOver {
        /// Hotkeys that qualify.
        validators: u16,
        /// Their stake.
        stake: Nacu,
    },
    /// Another set decides from the next block on.
    ValidatorsChanged {
        /// Keys that were not in the set before.
        joined: Vec<ConsensusPublic>,
        /// Keys that are no longer in it.
        left: Vec<ConsensusPublic>,
        /// Voters.
        validators: u16,
        /// Their power.
        power: u64,
        /// The set's hash, as headers carry it.
        hash: Hash,
    },
    /// A consensus key was proven to have equivocated: it never votes again.
    Equivocated {
        /// The key.
        key: ConsensusPublic,
        /// The hotkey that bound it, if any.
        hotkey: Option<AccountId>,
        /// The height at which it signed two things.
        height: Height,
        /// The round of the height.
        round: u32,
        /// Taken from the stake behind the hotkey.
        staked: Nacu,
        /// Taken from what was on its way back from there.
        unbonding: Nacu,
        /// The part of both that whoever proved it received; the rest was burned.
        reward: Nacu,
    },
    /// Weights were set openly.
    WeightsSet {
        /// The track.
        track: TrackId,
        /// The validator's slot.
        uid: Uid,
    },
    /// A proposal was made.
    Proposed {
        /// Its number.
        proposal: u64,
        /// In whose name.
        hotkey: AccountId,
        /// The last epoch in which votes count.
        closes: Epoch,
    },
    /// A vote was cast or changed.
    Voted {
        /// The proposal.
        proposal: u64,
        /// Who votes.
        hotkey: AccountId,
        /// For or against.
        approve: bool,
    },
    /// A vote closed.
    ProposalDecided {
        /// The proposal.
        proposal: u64,
        /// Adopted?
        adopted: bool,
        /// Stake for it.
        approve: Nacu,
        /// Stake against it.
        refuse: Nacu,
        /// All stake.
        total: Nacu,
    },
    /// A proposal is in force from the next block on.
    ProposalEnacted {
        /// The proposal.
        proposal: u64,
    },
    /// A proposal was adopted but is no longer possible, or was open and gave its place to one with more stake behind it.
    ProposalVoid {
        /// The proposal.
        proposal: u64,
    },
    /// A track was opened.
    TrackCreated {
        /// Its number.
        track: TrackId,
    },
    /// A delegator's vote was cast or changed: it counts instead of its delegate's, with the delegator's stake.
    DelegatorVoted {
        /// The proposal.
        proposal: u64,
        /// The delegate.
        hotkey: AccountId,
        /// Who votes.
        coldkey: AccountId,
        /// For or against.
        approve: bool,
    },
}
