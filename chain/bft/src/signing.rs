//! Ed25519 over the preimages of `acumen_protocol::vote`: what the engine signs is what certificates and evidence show.

use acumen_protocol::domain::Domain;
use acumen_protocol::{ConsensusKeypair, ConsensusPublic, ConsensusSignature, Hash};
use arc_malachitebft_app_channel::app::types::core::{
    SignedMessage, SigningScheme, ValidatorProof, VoteExtensionScope,
};
use arc_malachitebft_signing::{Error, Signer, VerificationResult, Verifier};
use async_trait::async_trait;

use crate::types::{About, Announcement, Cast, Chain, Opening};

/// The scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ed25519;

/// Bytes that are no key or signature.
#[derive(Debug, thiserror::Error)]
#[error("{found} bytes, {expected} expected")]
pub(crate) struct Length {
    found: usize,
    expected: usize,
}

fn exactly<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Length> {
    bytes.try_into().map_err(|_| Length { found: bytes.len(), expected: N })
}

impl SigningScheme for Ed25519 {
    type DecodingError = Length;
    type Signature = ConsensusSignature;
    type PublicKey = ConsensusPublic;
    type PrivateKey = ConsensusKeypair;

    fn decode_signature(bytes: &[u8]) -> Result<ConsensusSignature, Length> {
        exactly(bytes).map(ConsensusSignature)
    }

    fn encode_signature(signature: &ConsensusSignature) -> Vec<u8> {
        signature.0.to_vec()
    }

    fn decode_public_key(bytes: &[u8]) -> Result<ConsensusPublic, Length> {
        exactly(bytes).map(ConsensusPublic)
    }

    fn encode_public_key(key: &ConsensusPublic) -> Vec<u8> {
        key.0.to_vec()
    }
}

/// Checks signatures of the chain with this genesis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checker {
    pub(crate) genesis: Hash,
}

impl Checker {
    /// True if the block's proposer has signed that it is its block for this round.
    pub(crate) fn opened(&self, opening: &Opening) -> bool {
        let Opening { about, signature } = opening;
        signature.verify_in(Domain::BlockStream, &(self.genesis, about), &about.proposer)
    }
}

/// Signs for one validator on the chain with this genesis.
#[derive(Clone, Debug)]
pub(crate) struct Hand {
    pub(crate) genesis: Hash,
    pub(crate) key: ConsensusKeypair,
}

impl Hand {
    /// Says what this validator proposes. This is not the proposal that is voted on: contradicting it convicts nobody, so
    /// it needs no place in the log.
    pub(crate) fn open(&self, about: About) -> Opening {
        Opening { about, signature: self.key.sign_in(Domain::BlockStream, &(self.genesis, about)) }
    }
}

#[async_trait]
impl Verifier<Chain> for Checker {
    async fn verify_signed_vote(
        &self,
        vote: &Cast,
        signature: &ConsensusSignature,
        key: &ConsensusPublic,
    ) -> Result<VerificationResult, Error> {
        let vote = vote.vote();
        Ok(VerificationResult::from_bool(vote.voter == *key && vote.verify(&self.genesis, signature)))
    }

    async fn verify_signed_proposal(
        &self,
        proposal: &Announcement,
        signature: &ConsensusSignature,
        key: &ConsensusPublic,
    ) -> Result<VerificationResult, Error> {
        let proposal = proposal.proposal();
        Ok(VerificationResult::from_bool(
            proposal.proposer == *key && proposal.verify(&self.genesis, signature),
        ))
    }

    /// No vote is extended.
    async fn verify_signed_vote_extension(
        &self,
        _: &VoteExtensionScope<Chain>,
        (): &(),
        _: &ConsensusSignature,
        _: &ConsensusPublic,
    ) -> Result<VerificationResult, Error> {
        Ok(VerificationResult::Invalid)
    }

    async fn verify_validator_proof(
        &self,
        proof: &ValidatorProof<Chain>,
    ) -> Result<VerificationResult, Error> {
        let signed = Ed25519::decode_public_key(&proof.public_key).is_ok_and(|key| {
            proof.signature.verify_in(Domain::ConsensusPeer, &(self.genesis, &proof.peer_id), &key)
        });
        Ok(VerificationResult::from_bool(signed))
    }
}

#[async_trait]
impl Signer<Chain> for Hand {
    async fn sign_vote(&self, vote: Cast) -> Result<SignedMessage<Chain, Cast>, Error> {
        Ok(SignedMessage::new(vote, vote.vote().sign(&self.genesis, &self.key)))
    }

    async fn sign_proposal(
        &self,
        proposal: Announcement,
    ) -> Result<SignedMessage<Chain, Announcement>, Error> {
        Ok(SignedMessage::new(proposal, proposal.proposal().sign(&self.genesis, &self.key)))
    }

    /// No vote is extended, so nothing valid can be signed.
    async fn sign_vote_extension(
        &self,
        _: VoteExtensionScope<Chain>,
        (): (),
    ) -> Result<SignedMessage<Chain, ()>, Error> {
        Err(Error::from_source("votes are not extended"))
    }

    async fn sign_validator_proof(
        &self,
        public_key: Vec<u8>,
        peer_id: Vec<u8>,
    ) -> Result<ValidatorProof<Chain>, Error> {
        let signature = self.key.sign_in(Domain::ConsensusPeer, &(self.genesis, &peer_id));
        Ok(ValidatorProof::new(public_key, peer_id, signature))
    }
}
