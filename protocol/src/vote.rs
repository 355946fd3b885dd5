//! What validating nodes sign while they decide a height, and the proof that one of them signed two things at once.
//!
//! Every preimage binds the chain (genesis hash), the height, the round and the voter. A precommit here is byte for byte
//! what a [`crate::Certificate`] collects. The rules follow Tendermint ("The latest gossip on BFT consensus", 2018): in
//! one round of a height, a correct voter casts at most one prevote, one precommit and, if it is its turn, one proposal.
#![allow(clippy::as_conversions, reason = "the SCALE derive writes a variant's index with `as`")]

use core::cmp::Ordering;

use parity_scale_codec::{Decode, Encode};

use crate::domain::Domain;
use crate::{ConsensusKeypair, ConsensusPublic, ConsensusSignature, Hash, Height};

/// Which step of a round a vote belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum VoteKind {
    /// "I have seen this block and it is valid."
    #[codec(index = 0)]
    Prevote,
    /// "More than 2/3 have prevoted for it, so I commit to it." A quorum of these is a certificate.
    #[codec(index = 1)]
    Precommit,
}

/// A vote of one round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Vote {
    /// The step.
    pub kind: VoteKind,
    /// The height.
    pub height: Height,
    /// The round of the height.
    pub round: u32,
    /// The block; `None` is a vote against every block of this round.
    pub block: Option<Hash>,
    /// Key that votes.
    pub voter: ConsensusPublic,
}

/// The announcement of the block that a round is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Proposal {
    /// The height.
    pub height: Height,
    /// The round of the height.
    pub round: u32,
    /// Id of the block.
    pub block: Hash,
    /// An earlier round in which more than 2/3 prevoted for this block, if there was one.
    pub pol_round: Option<u32>,
    /// Key that proposes.
    pub proposer: ConsensusPublic,
}

impl Vote {
    /// The signature of [`Self::voter`], whose key `key` must be.
    #[must_use]
    pub fn sign(&self, genesis: &Hash, key: &ConsensusKeypair) -> ConsensusSignature {
        key.sign_in(Domain::Vote, &(genesis, self))
    }

    /// True if [`Self::voter`] signed this vote on the chain with this genesis.
    #[must_use]
    pub fn verify(&self, genesis: &Hash, signature: &ConsensusSignature) -> bool {
        signature.verify_in(Domain::Vote, &(genesis, self), &self.voter)
    }
}

impl Proposal {
    /// The signature of [`Self::proposer`], whose key `key` must be.
    #[must_use]
    pub fn sign(&self, genesis: &Hash, key: &ConsensusKeypair) -> ConsensusSignature {
        key.sign_in(Domain::Proposal, &(genesis, self))
    }

    /// True if [`Self::proposer`] signed this proposal on the chain with this genesis.
    #[must_use]
    pub fn verify(&self, genesis: &Hash, signature: &ConsensusSignature) -> bool {
        signature.verify_in(Domain::Proposal, &(genesis, self), &self.proposer)
    }
}

/// A message with its signer's signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Signed<T> {
    /// The message.
    pub message: T,
    /// Its signature.
    pub signature: ConsensusSignature,
}

/// Proof that one key signed two different things in one step of a round. Nobody can make one for an honest key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Equivocation {
    /// Two votes of one kind, height and round, for different blocks (or one for none).
    #[codec(index = 0)]
    Votes(Signed<Vote>, Signed<Vote>),
    /// Two proposals of one height and round, for different blocks.
    #[codec(index = 1)]
    Proposals(Signed<Proposal>, Signed<Proposal>),
}

/// Why an [`Equivocation`] proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EquivocationError {
    /// The messages may stand beside each other: other signer, step, height or round, or the same block.
    #[error(
        "the two messages do not contradict each other: signer, kind, height and round must be the same, the block not"
    )]
    NoConflict,
    /// The one that must come first does not: every pair has one form only.
    #[error("the two messages are out of order: the one with the smaller block comes first")]
    Disorder,
    /// A signature that does not verify.
    #[error("a signature of {signer} does not verify on this chain")]
    BadSignature {
        /// Whose it should be.
        signer: ConsensusPublic,
    },
}

impl Equivocation {
    /// From two votes in any order.
    #[must_use]
    pub fn votes(a: Signed<Vote>, b: Signed<Vote>) -> Self {
        if a.message.block <= b.message.block { Self::Votes(a, b) } else { Self::Votes(b, a) }
    }

    /// From two proposals in any order.
    #[must_use]
    pub fn proposals(a: Signed<Proposal>, b: Signed<Proposal>) -> Self {
        if a.message.block <= b.message.block { Self::Proposals(a, b) } else { Self::Proposals(b, a) }
    }

    /// The key that is accused.
    #[must_use]
    pub const fn offender(&self) -> ConsensusPublic {
        match self {
            Self::Votes(first, _) => first.message.voter,
            Self::Proposals(first, _) => first.message.proposer,
        }
    }

    /// The height at which it happened.
    #[must_use]
    pub const fn height(&self) -> Height {
        match self {
            Self::Votes(first, _) => first.message.height,
            Self::Proposals(first, _) => first.message.height,
        }
    }

    /// The round of the height.
    #[must_use]
    pub const fn round(&self) -> u32 {
        match self {
            Self::Votes(first, _) => first.message.round,
            Self::Proposals(first, _) => first.message.round,
        }
    }

    /// Checks that both messages contradict each other and were signed by [`Self::offender`] on the chain with this
    /// genesis.
    pub fn verify(&self, genesis: &Hash) -> Result<(), EquivocationError> {
        let (order, signed) = match self {
            Self::Votes(a, b) => {
                let (x, y) = (a.message, b.message);
                same(Vote { block: None, ..x } == Vote { block: None, ..y })?;
                let signed = x.verify(genesis, &a.signature) && y.verify(genesis, &b.signature);
                (x.block.cmp(&y.block), signed)
            }
            Self::Proposals(a, b) => {
                let (x, y) = (a.message, b.message);
                let step = |p: &Proposal| (p.height, p.round, p.proposer);
                same(step(&x) == step(&y))?;
                let signed = x.verify(genesis, &a.signature) && y.verify(genesis, &b.signature);
                (x.block.cmp(&y.block), signed)
            }
        };
        match (order, signed) {
            (Ordering::Equal, _) => Err(EquivocationError::NoConflict),
            (Ordering::Greater, _) => Err(EquivocationError::Disorder),
            (Ordering::Less, false) => Err(EquivocationError::BadSignature { signer: self.offender() }),
            (Ordering::Less, true) => Ok(()),
        }
    }
}

const fn same(step: bool) -> Result<(), EquivocationError> {
    if step { Ok(()) } else { Err(EquivocationError::NoConflict) }
}

#[cfg(test)]
mod tests;
