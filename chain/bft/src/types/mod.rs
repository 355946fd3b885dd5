//! Our types in the form that Malachite asks for. Nothing of this leaves the crate, and nothing of it is a wire or disk
//! format: see [`crate::wire`].

mod members;
mod messages;

use std::fmt;

use acumen_protocol::{ConsensusPublic, Hash, Height};
use arc_malachitebft_app_channel::app::types::core;

pub(crate) use members::{Member, Members};
pub(crate) use messages::{About, Announcement, Cast, Opening, Part};

use crate::signing::Ed25519;

/// The context: which types the engine works with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chain;

/// A height. [`Height::ZERO`] is genesis, the first to be decided is 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct At(pub(crate) u64);

impl At {
    pub(crate) const fn height(self) -> Height {
        Height::new(self.0)
    }
}

impl From<Height> for At {
    fn from(height: Height) -> Self {
        Self(height.get())
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl core::Height for At {
    const ZERO: Self = Self(0);
    const INITIAL: Self = Self(1);

    fn increment_by(&self, n: u64) -> Self {
        Self(self.0.saturating_add(n))
    }

    fn decrement_by(&self, n: u64) -> Option<Self> {
        self.0.checked_sub(n).map(Self)
    }

    fn as_u64(&self) -> u64 {
        self.0
    }
}

/// A voter's address: its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Voter(pub(crate) ConsensusPublic);

impl fmt::Display for Voter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl core::Address for Voter {}

/// What is decided: a block's id. The block itself travels in parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct BlockId(pub(crate) Hash);

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl core::Value for BlockId {
    type Id = Self;

    fn id(&self) -> Self {
        *self
    }
}

impl core::Context for Chain {
    type Address = Voter;
    type Height = At;
    type ProposalPart = Part;
    type Proposal = Announcement;
    type Validator = Member;
    type ValidatorSet = Members;
    type Timeouts = core::LinearTimeouts;
    type Value = BlockId;
    type Vote = Cast;
    type Extension = ();
    type SigningScheme = Ed25519;

    fn select_proposer<'a>(&self, set: &'a Members, height: At, round: core::Round) -> &'a Member {
        set.proposer(height, round.as_u32().unwrap_or(0))
    }

    fn new_proposal(
        &self,
        height: At,
        round: core::Round,
        value: BlockId,
        pol_round: core::Round,
        address: Voter,
    ) -> Announcement {
        Announcement::new(height, round, value, pol_round, address)
    }

    fn new_prevote(
        &self,
        height: At,
        round: core::Round,
        value: core::NilOrVal<BlockId>,
        address: Voter,
    ) -> Cast {
        Cast::new(core::VoteType::Prevote, height, round, value, address)
    }

    fn new_precommit(
        &self,
        height: At,
        round: core::Round,
        value: core::NilOrVal<BlockId>,
        address: Voter,
    ) -> Cast {
        Cast::new(core::VoteType::Precommit, height, round, value, address)
    }
}
