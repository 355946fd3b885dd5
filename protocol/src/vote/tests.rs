//! What a vote binds, and what proves an equivocation.

use super::*;
use crate::Certificate;

const GENESIS: Hash = Hash([1; 32]);

fn key(tag: u8) -> ConsensusKeypair {
    ConsensusKeypair::from_seed(&[tag; 32])
}

fn vote(tag: u8, block: Option<u8>) -> Vote {
    let block = block.map(|byte| Hash([byte; 32]));
    Vote { kind: VoteKind::Precommit, height: Height::new(5), round: 2, block, voter: key(tag).public() }
}

fn proposal(block: u8) -> Proposal {
    let proposer = key(1).public();
    Proposal { height: Height::new(5), round: 2, block: Hash([block; 32]), pol_round: None, proposer }
}

fn signed(vote: Vote, signer: u8) -> Signed<Vote> {
    Signed { message: vote, signature: vote.sign(&GENESIS, &key(signer)) }
}

fn announced(proposal: Proposal) -> Signed<Proposal> {
    Signed { message: proposal, signature: proposal.sign(&GENESIS, &key(1)) }
}

#[test]
fn a_precommit_is_what_certificates_collect() {
    let vote = vote(1, Some(7));
    let collected = Certificate::vote(&key(1), &GENESIS, vote.height, vote.round, &Hash([7; 32]));
    assert_eq!(vote.sign(&GENESIS, &key(1)), collected);
}

#[test]
fn the_preimage_is_pinned() {
    let bytes = Domain::Vote.preimage(&(&GENESIS, &vote(1, Some(7))));
    let golden = [
        [&[13 << 2], b"acumen/vote/1".as_slice(), &[1; 32], &[1], &[5, 0, 0, 0, 0, 0, 0, 0], &[2, 0, 0, 0]]
            .concat(),
        [&[1], [7; 32].as_slice(), &key(1).public().0].concat(),
    ];
    assert_eq!(bytes, golden.concat());
}

#[test]
fn a_signature_holds_for_one_vote_only() {
    let good = vote(1, Some(7));
    let signature = good.sign(&GENESIS, &key(1));
    assert!(good.verify(&GENESIS, &signature));
    assert!(!good.verify(&Hash([2; 32]), &signature));
    let changes: [fn(&mut Vote); 5] = [
        |vote| vote.kind = VoteKind::Prevote,
        |vote| vote.height = Height::new(6),
        |vote| vote.round = 3,
        |vote| vote.block = None,
        |vote| vote.voter = key(2).public(),
    ];
    for change in changes {
        let mut other = good;
        change(&mut other);
        assert!(!other.verify(&GENESIS, &signature), "{other:?}");
    }
    let announced = proposal(7);
    let signature = announced.sign(&GENESIS, &key(1));
    assert!(announced.verify(&GENESIS, &signature));
    assert!(!Proposal { pol_round: Some(1), ..announced }.verify(&GENESIS, &signature));
}

#[test]
fn two_blocks_in_one_step_convict() {
    for other in [Some(8), None] {
        let proof = Equivocation::votes(signed(vote(1, Some(7)), 1), signed(vote(1, other), 1));
        assert_eq!(proof.verify(&GENESIS), Ok(()));
        assert_eq!((proof.offender(), proof.height(), proof.round()), (key(1).public(), Height::new(5), 2));
        assert!(matches!(proof.verify(&Hash([2; 32])), Err(EquivocationError::BadSignature { .. })));
    }
    let proof = Equivocation::proposals(announced(proposal(8)), announced(proposal(7)));
    assert_eq!(proof.verify(&GENESIS), Ok(()));
    assert_eq!(proof.offender(), key(1).public());
}

#[test]
fn nothing_else_convicts() {
    let good = vote(1, Some(7));
    let others = [
        good,
        Vote { kind: VoteKind::Prevote, ..vote(1, Some(8)) },
        Vote { height: Height::new(6), ..vote(1, Some(8)) },
        Vote { round: 3, ..vote(1, Some(8)) },
    ];
    for other in others {
        let proof = Equivocation::votes(signed(good, 1), signed(other, 1));
        assert_eq!(proof.verify(&GENESIS), Err(EquivocationError::NoConflict), "{other:?}");
    }
    let strangers = Equivocation::votes(signed(good, 1), signed(vote(2, Some(8)), 2));
    assert_eq!(strangers.verify(&GENESIS), Err(EquivocationError::NoConflict));
    let framed = Equivocation::votes(signed(good, 1), signed(vote(1, Some(8)), 2));
    assert!(matches!(framed.verify(&GENESIS), Err(EquivocationError::BadSignature { .. })));
    let reversed = Equivocation::Votes(signed(vote(1, Some(8)), 1), signed(good, 1));
    assert_eq!(reversed.verify(&GENESIS), Err(EquivocationError::Disorder));
    // The same block announced again with another round of its proof is no contradiction.
    let again = Proposal { pol_round: Some(1), ..proposal(7) };
    let harmless = Equivocation::proposals(announced(proposal(7)), announced(again));
    assert_eq!(harmless.verify(&GENESIS), Err(EquivocationError::NoConflict));
}
