//! Votes, proposals and parts.

use acumen_protocol::{ConsensusPublic, ConsensusSignature, Hash, Proposal, Vote, VoteKind};
use arc_malachitebft_app_channel::app::types::core;
use core::{NilOrVal, Round, SignedExtension, VoteType};
use parity_scale_codec::{Decode, Encode};

use super::{At, BlockId, Chain, Voter};

/// A vote with what the engine asks to borrow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cast {
    vote: Vote,
    value: NilOrVal<BlockId>,
    voter: Voter,
}

impl Cast {
    pub(crate) fn new(
        kind: VoteType,
        height: At,
        round: Round,
        value: NilOrVal<BlockId>,
        voter: Voter,
    ) -> Self {
        Self::from(Vote {
            kind: match kind {
                VoteType::Prevote => VoteKind::Prevote,
                VoteType::Precommit => VoteKind::Precommit,
            },
            height: height.height(),
            round: number(round),
            block: match value {
                NilOrVal::Nil => None,
                NilOrVal::Val(id) => Some(id.0),
            },
            voter: voter.0,
        })
    }

    pub(crate) const fn vote(&self) -> &Vote {
        &self.vote
    }
}

impl From<Vote> for Cast {
    fn from(vote: Vote) -> Self {
        let value = vote.block.map_or(NilOrVal::Nil, |id| NilOrVal::Val(BlockId(id)));
        Self { vote, value, voter: Voter(vote.voter) }
    }
}

/// The engine's votes and proposals always have a round.
fn number(round: Round) -> u32 {
    round.as_u32().unwrap_or(0)
}

impl core::Vote<Chain> for Cast {
    fn height(&self) -> At {
        self.vote.height.into()
    }

    fn round(&self) -> Round {
        Round::new(self.vote.round)
    }

    fn value(&self) -> &NilOrVal<BlockId> {
        &self.value
    }

    fn take_value(self) -> NilOrVal<BlockId> {
        self.value
    }

    fn vote_type(&self) -> VoteType {
        match self.vote.kind {
            VoteKind::Prevote => VoteType::Prevote,
            VoteKind::Precommit => VoteType::Precommit,
        }
    }

    fn validator_address(&self) -> &Voter {
        &self.voter
    }

    fn extension(&self) -> Option<&SignedExtension<Chain>> {
        None
    }

    fn take_extension(&mut self) -> Option<SignedExtension<Chain>> {
        None
    }

    /// Votes carry nothing beyond themselves: the engine is told so, and never calls this.
    fn extend(self, _: SignedExtension<Chain>) -> Self {
        self
    }
}

/// A proposal with what the engine asks to borrow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Announcement {
    proposal: Proposal,
    value: BlockId,
    proposer: Voter,
}

impl Announcement {
    pub(crate) fn new(height: At, round: Round, value: BlockId, pol_round: Round, proposer: Voter) -> Self {
        Self::from(Proposal {
            height: height.height(),
            round: number(round),
            block: value.0,
            pol_round: pol_round.as_u32(),
            proposer: proposer.0,
        })
    }

    pub(crate) const fn proposal(&self) -> &Proposal {
        &self.proposal
    }
}

impl From<Proposal> for Announcement {
    fn from(proposal: Proposal) -> Self {
        Self { proposal, value: BlockId(proposal.block), proposer: Voter(proposal.proposer) }
    }
}

impl core::Proposal<Chain> for Announcement {
    fn height(&self) -> At {
        self.proposal.height.into()
    }

    fn round(&self) -> Round {
        Round::new(self.proposal.round)
    }

    fn value(&self) -> &BlockId {
        &self.value
    }

    fn take_value(self) -> BlockId {
        self.value
    }

    fn pol_round(&self) -> Round {
        self.proposal.pol_round.into()
    }

    fn validator_address(&self) -> &Voter {
        &self.proposer
    }
}

/// One message of a stream that carries a block.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Part {
    /// The first one: what comes, and who says so.
    #[codec(index = 0)]
    Opening(Opening),
    /// A piece of the block's SCALE encoding.
    #[codec(index = 1)]
    Piece(Vec<u8>),
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Opening(opening) => opening.fmt(f),
            Self::Piece(bytes) => write!(f, "Piece({} bytes)", bytes.len()),
        }
    }
}

impl core::ProposalPart<Chain> for Part {
    fn is_first(&self) -> bool {
        matches!(self, Self::Opening(_))
    }

    /// The stream's own end mark says where it ends.
    fn is_last(&self) -> bool {
        false
    }
}

/// What a stream is about. Signed by the proposer, whoever sends the stream: nobody else can make a block for its round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Opening {
    /// The block.
    pub(crate) about: About,
    /// Signature of [`About::proposer`].
    pub(crate) signature: ConsensusSignature,
}

/// The signed part of an [`Opening`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct About {
    pub(crate) height: u64,
    pub(crate) round: u32,
    pub(crate) pol_round: Option<u32>,
    pub(crate) proposer: ConsensusPublic,
    pub(crate) block: Hash,
    /// Length of the block's encoding, in bytes.
    pub(crate) size: u32,
}
