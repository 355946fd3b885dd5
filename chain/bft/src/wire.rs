//! Bytes on the wire between validating nodes and in the log: SCALE of types of our own, which the engine's are turned
//! into. What does not decode completely is refused.
#![allow(clippy::cast_possible_truncation, reason = "the SCALE derive writes a variant's index with `as`")]

mod certificates;
mod sync;

pub(crate) use certificates::certificate;
pub(crate) use sync::decided;

use acumen_protocol::codec::{DecodeError, decode_all};
use acumen_protocol::{ConsensusSignature, Hash, Proposal, Signed, Vote};
use arc_malachitebft_app_channel::app::consensus::LivenessMsg;
use arc_malachitebft_app_channel::app::streaming::StreamContent;
use arc_malachitebft_app_channel::app::types::codec::Codec;
use arc_malachitebft_app_channel::app::types::core::{
    PolkaCertificate, Round, SignedMessage, ValidatorProof, Validity,
};
use arc_malachitebft_app_channel::app::types::streaming::{StreamId, StreamMessage};
use arc_malachitebft_app_channel::app::types::{ProposedValue, SignedConsensusMsg};
use bytes::Bytes;
use parity_scale_codec::{Decode, Encode};

use crate::types::{Announcement, At, BlockId, Cast, Chain, Part, Voter};
use certificates::{PolkaForm, SkipForm};

/// The one codec.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale;

/// Gives a type of the engine the bytes of a type of ours.
pub(crate) trait Form<T>: Encode + Decode {
    fn of(value: &T) -> Self;
    fn back(self) -> T;
}

macro_rules! codec {
    ($($what:literal: $form:ty => $value:ty),* $(,)?) => {$(
        impl Codec<$value> for Scale {
            type Error = DecodeError;

            fn decode(&self, bytes: Bytes) -> Result<$value, DecodeError> {
                decode_all::<$form>($what, &bytes).map(Form::<$value>::back)
            }

            fn encode(&self, value: &$value) -> Result<Bytes, DecodeError> {
                Ok(<$form as Form<$value>>::of(value).encode().into())
            }
        }
    )*};
}
pub(crate) use codec;

codec! {
    "part": Part => Part,
    "consensus message": MessageForm => SignedConsensusMsg<Chain>,
    "proposed value": ValueForm => ProposedValue<Chain>,
    "liveness message": LivenessForm => LivenessMsg<Chain>,
    "stream message": StreamForm => StreamMessage<Part>,
    "proof of a validator": ProofForm => ValidatorProof<Chain>,
    "polka certificate": PolkaForm => PolkaCertificate<Chain>,
}

impl Form<Self> for Part {
    fn of(value: &Self) -> Self {
        value.clone()
    }

    fn back(self) -> Self {
        self
    }
}

pub(crate) fn signed_vote(vote: &SignedMessage<Chain, Cast>) -> Signed<Vote> {
    Signed { message: *vote.message.vote(), signature: vote.signature }
}

pub(crate) fn signed_proposal(proposal: &SignedMessage<Chain, Announcement>) -> Signed<Proposal> {
    Signed { message: *proposal.message.proposal(), signature: proposal.signature }
}

fn cast(vote: Signed<Vote>) -> SignedMessage<Chain, Cast> {
    SignedMessage::new(vote.message.into(), vote.signature)
}

#[derive(Encode, Decode)]
enum MessageForm {
    #[codec(index = 0)]
    Vote(Signed<Vote>),
    #[codec(index = 1)]
    Proposal(Signed<Proposal>),
}

impl Form<SignedConsensusMsg<Chain>> for MessageForm {
    fn of(value: &SignedConsensusMsg<Chain>) -> Self {
        match value {
            SignedConsensusMsg::Vote(vote) => Self::Vote(signed_vote(vote)),
            SignedConsensusMsg::Proposal(proposal) => Self::Proposal(signed_proposal(proposal)),
        }
    }

    fn back(self) -> SignedConsensusMsg<Chain> {
        match self {
            Self::Vote(vote) => SignedConsensusMsg::Vote(cast(vote)),
            Self::Proposal(signed) => {
                SignedConsensusMsg::Proposal(SignedMessage::new(signed.message.into(), signed.signature))
            }
        }
    }
}

#[derive(Encode, Decode)]
struct ValueForm {
    height: u64,
    round: u32,
    pol_round: Option<u32>,
    proposer: acumen_protocol::ConsensusPublic,
    block: Hash,
    valid: bool,
}

impl Form<ProposedValue<Chain>> for ValueForm {
    fn of(value: &ProposedValue<Chain>) -> Self {
        Self {
            height: value.height.0,
            round: value.round.as_u32().unwrap_or(0),
            pol_round: value.valid_round.as_u32(),
            proposer: value.proposer.0,
            block: value.value.0,
            valid: value.validity.is_valid(),
        }
    }

    fn back(self) -> ProposedValue<Chain> {
        ProposedValue {
            height: At(self.height),
            round: Round::new(self.round),
            valid_round: self.pol_round.into(),
            proposer: Voter(self.proposer),
            value: BlockId(self.block),
            validity: Validity::from_bool(self.valid),
        }
    }
}

#[derive(Encode, Decode)]
enum LivenessForm {
    #[codec(index = 0)]
    Vote(Signed<Vote>),
    #[codec(index = 1)]
    Polka(PolkaForm),
    #[codec(index = 2)]
    Skip(SkipForm),
}

impl Form<LivenessMsg<Chain>> for LivenessForm {
    fn of(value: &LivenessMsg<Chain>) -> Self {
        match value {
            LivenessMsg::Vote(vote) => Self::Vote(signed_vote(vote)),
            LivenessMsg::PolkaCertificate(certificate) => Self::Polka(Form::of(certificate)),
            LivenessMsg::SkipRoundCertificate(certificate) => Self::Skip(Form::of(certificate)),
        }
    }

    fn back(self) -> LivenessMsg<Chain> {
        match self {
            Self::Vote(vote) => LivenessMsg::Vote(cast(vote)),
            Self::Polka(form) => LivenessMsg::PolkaCertificate(form.back()),
            Self::Skip(form) => LivenessMsg::SkipRoundCertificate(form.back()),
        }
    }
}

#[derive(Encode, Decode)]
struct StreamForm {
    stream: Vec<u8>,
    sequence: u64,
    /// `None` ends the stream.
    part: Option<Part>,
}

impl Form<StreamMessage<Part>> for StreamForm {
    fn of(value: &StreamMessage<Part>) -> Self {
        Self {
            stream: value.stream_id.to_bytes().to_vec(),
            sequence: value.sequence,
            part: value.content.as_data().cloned(),
        }
    }

    fn back(self) -> StreamMessage<Part> {
        let content = self.part.map_or(StreamContent::Fin, StreamContent::Data);
        StreamMessage::new(StreamId::new(self.stream.into()), self.sequence, content)
    }
}

#[derive(Encode, Decode)]
struct ProofForm {
    public_key: Vec<u8>,
    peer_id: Vec<u8>,
    signature: ConsensusSignature,
}

impl Form<ValidatorProof<Chain>> for ProofForm {
    fn of(value: &ValidatorProof<Chain>) -> Self {
        Self {
            public_key: value.public_key.clone(),
            peer_id: value.peer_id.clone(),
            signature: value.signature,
        }
    }

    fn back(self) -> ValidatorProof<Chain> {
        ValidatorProof::new(self.public_key, self.peer_id, self.signature)
    }
}

#[cfg(test)]
mod tests;
