//! What goes out comes back, and nothing else comes in.

use acumen_protocol::codec::Encode as _;
use acumen_protocol::{Certificate, ConsensusKeypair, Height, VoteKind};
use arc_malachitebft_app_channel::app::types::core::{RoundCertificate, RoundCertificateType, VoteType};
use arc_malachitebft_app_channel::app::types::sync::{Request, Response};
use arc_malachitebft_sync::{ValueRequest, ValueResponse};

use super::*;

fn key(tag: u8) -> ConsensusKeypair {
    ConsensusKeypair::from_seed(&[tag; 32])
}

fn vote(block: Option<u8>) -> Signed<Vote> {
    let block = block.map(|byte| Hash([byte; 32]));
    let message =
        Vote { kind: VoteKind::Precommit, height: Height::new(5), round: 2, block, voter: key(1).public() };
    Signed { message, signature: message.sign(&Hash([1; 32]), &key(1)) }
}

fn proposal() -> SignedMessage<Chain, Announcement> {
    let message = Proposal {
        height: Height::new(5),
        round: 2,
        block: Hash([7; 32]),
        pol_round: Some(1),
        proposer: key(1).public(),
    };
    SignedMessage::new(message.into(), message.sign(&Hash([1; 32]), &key(1)))
}

/// Both ways, and neither shortened nor lengthened.
fn round_trip<T: PartialEq + std::fmt::Debug>(value: &T)
where
    Scale: Codec<T>,
{
    let bytes = Scale.encode(value).unwrap();
    assert_eq!(Scale.decode(bytes.clone()).unwrap(), *value);
    assert!(Scale.decode(bytes.slice(..bytes.len() - 1)).is_err());
    assert!(Scale.decode([bytes.as_ref(), &[0]].concat().into()).is_err());
}

#[test]
fn votes_and_proposals_come_back() {
    for block in [None, Some(7)] {
        round_trip(&SignedConsensusMsg::<Chain>::Vote(cast(vote(block))));
        round_trip(&LivenessMsg::<Chain>::Vote(cast(vote(block))));
    }
    round_trip(&SignedConsensusMsg::<Chain>::Proposal(proposal()));
    round_trip(&ProposedValue::<Chain> {
        height: At(5),
        round: Round::new(2),
        valid_round: Round::Nil,
        proposer: Voter(key(1).public()),
        value: BlockId(Hash([7; 32])),
        validity: Validity::Invalid,
    });
}

#[test]
fn certificates_come_back() {
    let (votes, id) = (vec![cast(vote(Some(7)))], BlockId(Hash([7; 32])));
    let mut polka = PolkaCertificate::<Chain>::new(At(5), Round::new(2), id, Vec::new());
    let mut prevote = vote(Some(7));
    prevote.message.kind = VoteKind::Prevote;
    polka.polka_signatures =
        PolkaCertificate::<Chain>::new(At(5), Round::new(2), id, vec![cast(prevote)]).polka_signatures;
    assert_eq!(polka.polka_signatures.len(), 1);
    round_trip(&polka);
    round_trip(&LivenessMsg::<Chain>::PolkaCertificate(polka));
    for kind in [RoundCertificateType::Skip, RoundCertificateType::Precommit] {
        let skip = RoundCertificate::<Chain>::new_from_votes(At(5), Round::new(2), kind, votes.clone());
        assert_eq!(skip.round_signatures[0].vote_type, VoteType::Precommit);
        round_trip(&LivenessMsg::<Chain>::SkipRoundCertificate(skip));
    }
}

#[test]
fn parts_and_answers_come_back() {
    for content in [StreamContent::Data(Part::Piece(vec![1, 2, 3])), StreamContent::Fin] {
        round_trip(&StreamMessage::new(StreamId::new(vec![1; 16].into()), 3, content));
    }
    round_trip(&Request::<Chain>::ValueRequest(ValueRequest::new(At(3)..=At(9))));
    let signatures = vec![(key(1).public(), vote(Some(7)).signature)];
    let block = crate::fuzz::candidate(5, 0, 1).block;
    let certificate = Certificate { height: Height::new(5), round: 2, block: block.header.id(), signatures };
    let value = sync::decided(block.encode(), certificate.clone());
    assert_eq!(super::certificate(&value.certificate.trim_vote_extensions()), certificate);
    round_trip(&Response::<Chain>::ValueResponse(ValueResponse::new(At(5), vec![value])));
    // Another block than the certificate's, and none.
    for wrong in [crate::fuzz::candidate(5, 0, 2).block.encode(), vec![1, 2, 3], Vec::new()] {
        let value = sync::decided(wrong, certificate.clone());
        let answer = Response::<Chain>::ValueResponse(ValueResponse::new(At(5), vec![value]));
        let bytes = Scale.encode(&answer).unwrap();
        assert!(Codec::<Response<Chain>>::decode(&Scale, bytes).is_err());
    }
}

#[test]
fn what_is_signed_is_what_certificates_show() {
    let signed = vote(Some(7));
    let bytes = Scale.encode(&SignedConsensusMsg::<Chain>::Vote(cast(signed))).unwrap();
    assert_eq!(bytes.as_ref(), [vec![0], signed.encode()].concat());
}
