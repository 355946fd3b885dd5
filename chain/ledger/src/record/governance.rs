//! Proposals to change the rules.
#![allow(clippy::as_conversions, reason = "the SCALE derive writes a variant's index with `as`")]

use acumen_protocol::call::Action;
use acumen_protocol::{AccountId, Epoch, Nacu};
use parity_scale_codec::{Decode, Encode};

/// Which proposals there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Governance {
    /// The number of the newest proposal; 0 before the first.
    pub last: u64,
    /// Those that are open or wait to be enacted, oldest first.
    pub live: Vec<u64>,
}

/// A proposal.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Proposal {
    /// Its number.
    pub id: u64,
    /// In whose name it was made.
    pub proposer: AccountId,
    /// What it would do.
    pub action: Action,
    /// The last epoch in which votes count; it is decided with that epoch's last block.
    pub closes: Epoch,
    /// The epoch with whose last block it is enacted if it was adopted.
    pub enacts: Epoch,
    /// What became of it.
    pub status: ProposalStatus,
    /// The count, once it was decided.
    pub tally: Option<Tally>,
}

/// What became of a proposal. The order of the variants is part of the encoding: append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[non_exhaustive]
pub enum ProposalStatus {
    /// Votes are taken.
    Open,
    /// Adopted; waits for its time lock.
    Adopted,
    /// Too few votes, or too few in favour.
    Refused,
    /// In force.
    Enacted,
    /// Adopted, but no longer possible when its time came; or all places were taken, and a hotkey with more stake behind it
    /// proposed something else while votes were taken.
    Void,
}

/// Stake for and against, as it was when the vote closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Tally {
    /// Stake behind the hotkeys that voted for it.
    pub approve: Nacu,
    /// Stake behind those that voted against it.
    pub refuse: Nacu,
    /// All stake.
    pub total: Nacu,
}
