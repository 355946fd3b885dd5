//! Two certified blocks at one height: the chain has forked, and these certificates say who did it.

use std::fmt;

use acumen_protocol::vote::{Equivocation, Signed, Vote, VoteKind};
use acumen_protocol::{Certificate, ConsensusPublic, ConsensusSignature};

/// Two good certificates for different blocks of one height.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fork {
    /// The one known before.
    pub first: Certificate,
    /// The other.
    pub second: Certificate,
}

impl Fork {
    /// What can be submitted to the chain, as `Call::ReportEquivocation`, against every validator that signed both
    /// blocks in one round. Empty if the rounds differ: then more than a third of the power broke its lock, which no two
    /// signatures alone show, and people have to look at both certificates.
    #[must_use]
    pub fn evidence(&self) -> Vec<Equivocation> {
        equivocations(&self.first, &self.second)
    }

    /// Validators that signed both, whatever the rounds.
    #[must_use]
    pub fn signers(&self) -> Vec<ConsensusPublic> {
        self.both().map(|(voter, _, _)| *voter).collect()
    }

    fn both(&self) -> impl Iterator<Item = (&ConsensusPublic, &ConsensusSignature, &ConsensusSignature)> {
        shared(&self.first, &self.second)
    }
}

impl fmt::Display for Fork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = (&self.first, &self.second);
        let signers: Vec<String> = self.signers().iter().map(ToString::to_string).collect();
        write!(
            f,
            "two certified blocks at height {}: {} (round {}) and {} (round {}); the chain has forked, signed both by {}",
            first.height,
            first.block,
            first.round,
            second.block,
            second.round,
            signers.join(", ")
        )
    }
}

fn shared<'a>(
    first: &'a Certificate,
    second: &'a Certificate,
) -> impl Iterator<Item = (&'a ConsensusPublic, &'a ConsensusSignature, &'a ConsensusSignature)> {
    first.signatures.iter().filter_map(|(voter, a)| {
        let found = second.signatures.iter().find(|(other, _)| other == voter);
        found.map(|(_, b)| (voter, a, b))
    })
}

/// The equivocations that two certificates prove: of each voter of both, if they are of one height and round and for
/// different blocks. The certificates' signatures are taken as they are.
#[must_use]
pub fn equivocations(first: &Certificate, second: &Certificate) -> Vec<Equivocation> {
    if (first.height, first.round) != (second.height, second.round) || first.block == second.block {
        return Vec::new();
    }
    let vote = |certificate: &Certificate, voter: &ConsensusPublic, signature: &ConsensusSignature| Signed {
        message: Vote {
            kind: VoteKind::Precommit,
            height: certificate.height,
            round: certificate.round,
            block: Some(certificate.block),
            voter: *voter,
        },
        signature: *signature,
    };
    shared(first, second)
        .map(|(voter, a, b)| Equivocation::votes(vote(first, voter, a), vote(second, voter, b)))
        .collect()
}
