//! Round trips, and what is refused.

use acumen_protocol::{
    AccountId, Call, ConsensusKeypair, ConsensusValidator, Keypair, Nacu, Nonce, TimestampMs, Transaction,
};

use super::*;

fn block() -> FinalizedBlock {
    let key = ConsensusKeypair::from_seed(&[1; 32]);
    let set = ValidatorSet::new(vec![ConsensusValidator { key: key.public(), power: 1 }]).unwrap();
    let header = Header {
        height: Height::new(1),
        parent: Hash([1; 32]),
        time: TimestampMs::new(5),
        proposer: key.public(),
        transactions_root: Hash([2; 32]),
        events_root: Hash([3; 32]),
        state_root: Hash([4; 32]),
        validators_hash: set.hash(),
        next_validators_hash: set.hash(),
    };
    let (height, id) = (header.height, header.id());
    let signature = Certificate::vote(&key, &Hash([9; 32]), height, 0, &id);
    let certificate =
        Certificate { height, round: 0, block: id, signatures: vec![(key.public(), signature)] };
    let sender = Keypair::from_seed(&[2; 32]);
    let transaction = Transaction {
        genesis: Hash([9; 32]),
        sender: sender.account(),
        nonce: Nonce::ZERO,
        valid_until: Height::new(9),
        tip: Nacu::ZERO,
        call: Call::Transfer { to: AccountId([3; 32]), amount: Nacu::new(1) },
    };
    FinalizedBlock {
        signed: SignedHeader { header, certificate: Some(certificate), next_validators: Some(set) },
        transactions: vec![transaction.sign(&sender)],
        events: vec![vec![1, 2]],
    }
}

#[test]
fn blocks_round_trip() {
    let block = block();
    assert_eq!(FinalizedBlock::try_from(wire::GetBlockResponse::from(block.clone())), Ok(block));
}

#[test]
fn what_the_domain_cannot_hold_is_refused() {
    let changes: [fn(&mut wire::GetBlockResponse); 7] = [
        |b| b.header = None,
        |b| b.header.as_mut().unwrap().certificate = None,
        |b| b.header.as_mut().unwrap().header_scale.push(0),
        |b| b.header.as_mut().unwrap().next_validators_scale = vec![0],
        |b| b.header.as_mut().unwrap().certificate.as_mut().unwrap().block.truncate(31),
        |b| b.header.as_mut().unwrap().certificate.as_mut().unwrap().signatures[0].voter.push(0),
        |b| b.transactions_scale[0].truncate(10),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut message = wire::GetBlockResponse::from(block());
        change(&mut message);
        assert!(FinalizedBlock::try_from(message).is_err(), "{index}");
    }
}
