//! Proofs that a round has come far enough, and what the engine and [`acumen_protocol::Certificate`] have in common.

use acumen_protocol::{Certificate, ConsensusPublic, ConsensusSignature, Hash, VoteKind};
use arc_malachitebft_app_channel::app::types::core::{
    CommitCertificate, CommitSignature, NilOrVal, PolkaCertificate, PolkaSignature, Round, RoundCertificate,
    RoundCertificateType, RoundSignature, VoteType,
};
use parity_scale_codec::{Decode, Encode};

use super::Form;
use crate::types::{At, BlockId, Chain, Voter};

type Signatures = Vec<(ConsensusPublic, ConsensusSignature)>;

/// More than 2/3 have prevoted for a block.
#[derive(Encode, Decode)]
pub(super) struct PolkaForm {
    height: u64,
    round: u32,
    block: Hash,
    signatures: Signatures,
}

impl Form<PolkaCertificate<Chain>> for PolkaForm {
    fn of(value: &PolkaCertificate<Chain>) -> Self {
        Self {
            height: value.height.0,
            round: value.round.as_u32().unwrap_or(0),
            block: value.value_id.0,
            signatures: value.polka_signatures.iter().map(|one| (one.address.0, one.signature)).collect(),
        }
    }

    fn back(self) -> PolkaCertificate<Chain> {
        let signature = |(voter, signature)| PolkaSignature::new(Voter(voter), signature);
        PolkaCertificate {
            height: At(self.height),
            round: Round::new(self.round),
            value_id: BlockId(self.block),
            polka_signatures: self.signatures.into_iter().map(signature).collect(),
        }
    }
}

/// Enough have voted in a round for others to enter it.
#[derive(Encode, Decode)]
pub(super) struct SkipForm {
    height: u64,
    round: u32,
    /// True: precommits of more than 2/3; false: any votes of more than 1/3.
    precommits: bool,
    votes: Vec<(VoteKind, Option<Hash>, ConsensusPublic, ConsensusSignature)>,
}

impl Form<RoundCertificate<Chain>> for SkipForm {
    fn of(value: &RoundCertificate<Chain>) -> Self {
        let vote = |one: &RoundSignature<Chain>| {
            let kind = match one.vote_type {
                VoteType::Prevote => VoteKind::Prevote,
                VoteType::Precommit => VoteKind::Precommit,
            };
            let block = match one.value_id {
                NilOrVal::Nil => None,
                NilOrVal::Val(id) => Some(id.0),
            };
            (kind, block, one.address.0, one.signature)
        };
        Self {
            height: value.height.0,
            round: value.round.as_u32().unwrap_or(0),
            precommits: matches!(value.cert_type, RoundCertificateType::Precommit),
            votes: value.round_signatures.iter().map(vote).collect(),
        }
    }

    fn back(self) -> RoundCertificate<Chain> {
        let vote = |(kind, block, voter, signature): (VoteKind, Option<Hash>, _, _)| {
            let kind = match kind {
                VoteKind::Prevote => VoteType::Prevote,
                VoteKind::Precommit => VoteType::Precommit,
            };
            let value = block.map_or(NilOrVal::Nil, |id| NilOrVal::Val(BlockId(id)));
            RoundSignature::new(kind, value, Voter(voter), signature)
        };
        RoundCertificate {
            height: At(self.height),
            round: Round::new(self.round),
            cert_type: if self.precommits {
                RoundCertificateType::Precommit
            } else {
                RoundCertificateType::Skip
            },
            round_signatures: self.votes.into_iter().map(vote).collect(),
        }
    }
}

/// The chain's certificate from the engine's: one signature for each voter, in increasing order of key.
pub(crate) fn certificate(value: &CommitCertificate<Chain>) -> Certificate {
    let mut signatures: Signatures =
        value.commit_signatures.iter().map(|one| (one.address.0, one.signature)).collect();
    signatures.sort_by_key(|(voter, _)| *voter);
    signatures.dedup_by_key(|(voter, _)| *voter);
    Certificate {
        height: value.height.height(),
        round: value.round.as_u32().unwrap_or(0),
        block: value.value_id.0,
        signatures,
    }
}

/// The engine's certificate from the chain's.
pub(crate) fn commit(certificate: Certificate) -> CommitCertificate<Chain> {
    let signature = |(voter, signature)| CommitSignature::new(Voter(voter), signature);
    CommitCertificate {
        height: certificate.height.into(),
        round: Round::new(certificate.round),
        value_id: BlockId(certificate.block),
        commit_signatures: certificate.signatures.into_iter().map(signature).collect(),
    }
}
