//! What is put on the desk is there after a restart, until it is settled.

use acumen_protocol::vote::{Signed, Vote, VoteKind};
use acumen_protocol::{ConsensusKeypair, Height};

use super::*;

const GENESIS: Hash = Hash([4; 32]);

fn proof(node: u8, height: u64, genesis: &Hash) -> Equivocation {
    let key = ConsensusKeypair::from_seed(&[node; 32]);
    let signed = |block| {
        let (kind, height, voter) = (VoteKind::Prevote, Height::new(height), key.public());
        let message = Vote { kind, height, round: 0, block, voter };
        Signed { message, signature: message.sign(genesis, &key) }
    };
    Equivocation::votes(signed(None), signed(Some(Hash([1; 32]))))
}

#[test]
fn a_proof_lies_there_until_it_is_settled() {
    let dir = tempfile::tempdir().unwrap();
    let desk = Desk::open(dir.path(), &GENESIS);
    let (first, second) = (proof(1, 5, &GENESIS), proof(2, 6, &GENESIS));
    desk.put(first);
    desk.put(second);
    desk.put(proof(1, 7, &GENESIS));
    assert_eq!(desk.waiting(), [first, second], "one for each key");
    let mut again = Desk::open(dir.path(), &GENESIS).waiting();
    again.sort_by_key(Equivocation::height);
    assert_eq!(again, [first, second]);
    desk.settle(&first);
    assert_eq!(desk.waiting(), [second]);
    assert_eq!(Desk::open(dir.path(), &GENESIS).waiting(), [second]);
}

#[test]
fn a_file_that_proves_nothing_here_is_ignored() {
    let dir = tempfile::tempdir().unwrap();
    Desk::open(dir.path(), &GENESIS).put(proof(1, 5, &Hash([5; 32])));
    std::fs::write(dir.path().join("equivocation-1-0-x.hex"), "00zz").unwrap();
    assert_eq!(Desk::open(dir.path(), &GENESIS).waiting(), []);
}

#[test]
fn the_account_is_made_once_and_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("reporter.key");
    let made = load_or_create_account(&path).unwrap().account();
    assert_eq!(load_or_create_account(&path).unwrap().account(), made);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::write(&path, "no key").unwrap();
    assert!(matches!(load_or_create_account(&path), Err(NodeError::Key { .. })));
}
