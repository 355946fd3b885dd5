//! Validator sets and commit certificates: the proof that more than 2/3 of the voting power decided a block.
//!
//! The format is ours and names no consensus engine. What is signed is a precommit: see [`crate::vote`].

use parity_scale_codec::{Decode, Encode};

use crate::limits::MAX_CONSENSUS_VALIDATORS;
use crate::vote::{Vote, VoteKind};
use crate::{ConsensusKeypair, ConsensusPublic, ConsensusSignature, Hash, Height};

/// One voter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ConsensusValidator {
    /// Key that votes.
    pub key: ConsensusPublic,
    /// Voting power, above zero.
    pub power: u64,
}

/// The voters of a height, in increasing order of key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ValidatorSet(Vec<ConsensusValidator>);

/// Why a list of voters is no validator set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValidatorSetError {
    /// Nobody could decide anything.
    #[error("a validator set needs at least one validator")]
    Empty,
    /// More than [`MAX_CONSENSUS_VALIDATORS`].
    #[error("{count} consensus validators, at most {MAX_CONSENSUS_VALIDATORS} are allowed")]
    TooMany {
        /// Number given.
        count: usize,
    },
    /// One key twice.
    #[error("consensus key {key} appears twice")]
    Duplicate {
        /// The key.
        key: ConsensusPublic,
    },
    /// A voter without power, or a total beyond what quorum arithmetic can hold.
    #[error("voting power must be above zero for each validator and below 2^62 in total")]
    Power,
}

/// Total power stays below this, so that 3 × power never overflows.
const MAX_TOTAL_POWER: u64 = 1 << 62;

impl ValidatorSet {
    /// Sorts by key and checks.
    pub fn new(mut validators: Vec<ConsensusValidator>) -> Result<Self, ValidatorSetError> {
        validators.sort_by_key(|validator| validator.key);
        let set = Self(validators);
        set.check()?;
        Ok(set)
    }

    /// Checks a decoded set: order, uniqueness, count, power.
    pub fn check(&self) -> Result<(), ValidatorSetError> {
        if self.0.is_empty() {
            return Err(ValidatorSetError::Empty);
        }
        if self.0.len() > MAX_CONSENSUS_VALIDATORS {
            return Err(ValidatorSetError::TooMany { count: self.0.len() });
        }
        let disorder = self.0.iter().zip(self.0.iter().skip(1)).find(|(a, b)| a.key >= b.key);
        if let Some((_, duplicate)) = disorder {
            return Err(ValidatorSetError::Duplicate { key: duplicate.key });
        }
        let sane = self.0.iter().all(|validator| validator.power > 0) && self.checked_total().is_some();
        if sane { Ok(()) } else { Err(ValidatorSetError::Power) }
    }

    fn checked_total(&self) -> Option<u64> {
        let total = self.0.iter().try_fold(0_u64, |sum, validator| sum.checked_add(validator.power))?;
        (total < MAX_TOTAL_POWER).then_some(total)
    }

    /// The voters, in increasing order of key.
    #[must_use]
    pub fn validators(&self) -> &[ConsensusValidator] {
        &self.0
    }

    /// The hash that headers carry.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of_encoded(self)
    }

    /// Power of `key`, if it votes.
    #[must_use]
    pub fn power(&self, key: &ConsensusPublic) -> Option<u64> {
        let found = self.0.binary_search_by_key(key, |validator| validator.key).ok();
        found.and_then(|index| self.0.get(index)).map(|validator| validator.power)
    }

    /// True if `power` is more than 2/3 of the total: integers only, no rounding.
    #[must_use]
    pub fn is_quorum(&self, power: u64) -> bool {
        let (power, total) = (u128::from(power), self.checked_total().map(u128::from));
        total.is_some_and(|total| power.saturating_mul(3) > total.saturating_mul(2))
    }
}

/// Proof that a block was decided.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Certificate {
    /// Height decided.
    pub height: Height,
    /// Round of the height in which it was decided.
    pub round: u32,
    /// Id of the decided block.
    pub block: Hash,
    /// One signature per voter, in increasing order of key.
    pub signatures: Vec<(ConsensusPublic, ConsensusSignature)>,
}

/// Why a certificate proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// Voters out of order or twice.
    #[error("voter {voter} appears twice or out of order")]
    Disorder {
        /// The voter.
        voter: ConsensusPublic,
    },
    /// A voter outside the set.
    #[error("{voter} is not in the validator set of height {height}")]
    UnknownVoter {
        /// The voter.
        voter: ConsensusPublic,
        /// The certificate's height.
        height: Height,
    },
    /// A signature that does not verify.
    #[error("the signature of {voter} does not verify")]
    BadSignature {
        /// The voter.
        voter: ConsensusPublic,
    },
    /// Too little power behind it.
    #[error("signed by power {signed} of {total}: more than two thirds are needed")]
    NoQuorum {
        /// Power that signed.
        signed: u64,
        /// Power of the whole set.
        total: u64,
    },
}

impl Certificate {
    /// A voter's signature for `block`.
    #[must_use]
    pub fn vote(
        key: &ConsensusKeypair,
        genesis: &Hash,
        height: Height,
        round: u32,
        block: &Hash,
    ) -> ConsensusSignature {
        precommit(height, round, block, key.public()).sign(genesis, key)
    }

    /// Checks that more than 2/3 of `set`'s power signed this very block on the chain with this genesis. One bad
    /// signature refuses the whole certificate.
    pub fn verify(&self, genesis: &Hash, set: &ValidatorSet) -> Result<(), CertificateError> {
        let mut signed = 0_u64;
        let mut previous: Option<&ConsensusPublic> = None;
        for (voter, signature) in &self.signatures {
            if previous.is_some_and(|before| before >= voter) {
                return Err(CertificateError::Disorder { voter: *voter });
            }
            previous = Some(voter);
            let power = set.power(voter);
            let power = power.ok_or(CertificateError::UnknownVoter { voter: *voter, height: self.height })?;
            let vote = precommit(self.height, self.round, &self.block, *voter);
            if !vote.verify(genesis, signature) {
                return Err(CertificateError::BadSignature { voter: *voter });
            }
            signed = signed.saturating_add(power);
        }
        if set.is_quorum(signed) {
            Ok(())
        } else {
            Err(CertificateError::NoQuorum { signed, total: set.checked_total().unwrap_or(u64::MAX) })
        }
    }
}

const fn precommit(height: Height, round: u32, block: &Hash, voter: ConsensusPublic) -> Vote {
    Vote { kind: VoteKind::Precommit, height, round, block: Some(*block), voter }
}

#[cfg(test)]
mod tests;
