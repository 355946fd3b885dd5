//! What was saved is there after a crash, for its owner only.

use std::os::unix::fs::PermissionsExt as _;

use acumen_protocol::AccountId;

use super::*;

const HOTKEY: Hotkey = Hotkey(AccountId([1; 32]));
const GENESIS: Hash = Hash([2; 32]);

fn commitment() -> Commitment {
    let weights = Weights::new(vec![(Uid::new(1), 7), (Uid::new(4), 65_535)]).unwrap();
    Commitment::new(Epoch::new(3), &weights, [9; 32])
}

#[test]
fn secret_scores_and_reveal_survive() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let secret = *store.secret();
    let mut state = store.load(HOTKEY, GENESIS).unwrap();
    state.commitments.push(commitment());
    state.attempt = (3, 1);
    store.save(&state).unwrap();
    drop(store);
    // A crash while the next state was being written leaves a torn neighbour, which nobody reads.
    std::fs::write(folder.path().join("state.new"), b"{\"version\":1,\"hot").unwrap();
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(*store.secret(), secret);
    let back = store.load(HOTKEY, GENESIS).unwrap();
    assert_eq!(back, state);
    let (weights, salt) = back.commitments[0].opening().unwrap();
    assert_eq!((weights.entries().len(), salt), (2, [9; 32]));
    assert_eq!(back.commitments[0].progress().epoch, Epoch::new(3));
}

#[test]
fn secret_and_state_are_for_their_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    store.save(&store.load(HOTKEY, GENESIS).unwrap()).unwrap();
    for name in ["secret", "state.json"] {
        let mode = std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let other = tempfile::tempdir().unwrap();
    assert_ne!(Store::open(other.path()).unwrap().secret(), store.secret());
}

#[test]
fn one_folder_is_for_one_process_one_hotkey_and_one_chain() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    assert!(matches!(Store::open(folder.path()), Err(Error::Locked { .. })));
    store.save(&store.load(HOTKEY, GENESIS).unwrap()).unwrap();
    let other = Hotkey(AccountId([3; 32]));
    assert!(matches!(store.load(other, GENESIS), Err(Error::OtherOwner { what: "hotkey", .. })));
    assert!(matches!(store.load(HOTKEY, Hash([4; 32])), Err(Error::OtherOwner { .. })));
}

#[test]
fn damage_is_said_and_nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    std::fs::write(folder.path().join("state.json"), b"{\"version\":1").unwrap();
    assert!(matches!(store.load(HOTKEY, GENESIS), Err(Error::Damaged { .. })));
    drop(store);
    std::fs::write(folder.path().join("secret"), b"0x12").unwrap();
    assert!(matches!(Store::open(folder.path()), Err(Error::Damaged { .. })));
}
