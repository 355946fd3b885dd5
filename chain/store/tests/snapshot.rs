//! A state goes from one store to another in pieces that are each verified alone.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use acumen_chain_ledger::genesis::{GenesisTrack, GenesisValidator};
use acumen_chain_ledger::{Changes, Genesis, Params, StateRead as _, tree};
use acumen_chain_store::{
    Options, Piece, PieceError, Prefix, Restore, RestoreError, Store, StoreError, StoredBlock,
};
use acumen_protocol::finality::SignedHeader;
use acumen_protocol::{AccountId, Block, Certificate, ConsensusKeypair, Hash, Header, Height, TimestampMs};
use proptest::prelude::*;

const OPTIONS: Options = Options { keep_states: 4, cache_bytes: 4 << 20 };

fn genesis() -> Genesis {
    let owner = AccountId([1; 32]);
    Genesis {
        chain: "snapshot".to_owned(),
        time_ms: 1,
        params: Params::default(),
        treasury: owner,
        balances: Vec::new(),
        tracks: vec![GenesisTrack { name: "bytes".to_owned(), owner, emission_share: 1 }],
        neurons: Vec::new(),
        validators: vec![GenesisValidator { key: ConsensusKeypair::from_seed(&[7; 32]).public(), power: 1 }],
    }
}

fn open(dir: &Path, options: Options) -> Store {
    Store::open(dir, &genesis(), options).unwrap()
}

fn commit(store: &Store, changes: Changes) -> StoredBlock {
    let tip = store.tip();
    let height = tip.height.next().unwrap();
    let prepared = store.prepare(changes).unwrap();
    let header = Header {
        height,
        parent: tip.id(),
        time: TimestampMs::new(height.get() + 1),
        transactions_root: Hash::ZERO,
        events_root: Hash::ZERO,
        state_root: prepared.root(),
        ..tip
    };
    let certificate = Certificate { height, round: 0, block: header.id(), signatures: Vec::new() };
    let stored = StoredBlock {
        block: Block { header, transactions: Vec::new() },
        certificate: Some(certificate),
        next_validators: None,
        events: Vec::new(),
        audit: None,
    };
    store.commit(&stored, prepared).unwrap();
    stored
}

fn key(number: u64) -> Vec<u8> {
    format!("account {number}").into_bytes()
}

/// A store with `count` accounts, a few of them changed and deleted again.
fn filled(dir: &Path, count: u64) -> Store {
    let store = open(dir, OPTIONS);
    commit(&store, (0..count).map(|n| (key(n), Some(n.to_le_bytes().repeat(30)))).collect());
    commit(&store, (0..count).step_by(7).map(|n| (key(n), Some(vec![1; 40]))).collect());
    commit(&store, (0..count).step_by(11).map(|n| (key(n), None)).collect());
    store
}

/// Pieces of `store` until nothing is missing, or `limit` of them.
fn transfer(store: &Store, restore: &Restore, limit: usize) -> usize {
    let height = restore.target().block.header.height;
    let mut moved = 0;
    while moved < limit {
        let Some((prefix, _)) = restore.missing(1).unwrap().into_iter().next() else { break };
        let piece = store.piece(height, &prefix).unwrap().expect("the tree has a node there");
        restore.put(&prefix, &piece).unwrap();
        moved += 1;
    }
    moved
}

fn values(store: &Store) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut values = BTreeMap::new();
    let collected = store.state().unwrap().walk(&[], &mut |key, value| {
        values.insert(key.to_vec(), value.to_vec());
        Ok(())
    });
    collected.unwrap();
    values
}

#[test]
fn a_state_arrives_whole_and_the_chain_goes_on_from_it() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let source = filled(from.path(), 3_000);
    let tip = source.stored(source.tip().height).unwrap().unwrap();
    assert!(Restore::is_needed(to.path()));
    let restore = Restore::begin(to.path(), tip.clone(), OPTIONS).unwrap();
    assert!(transfer(&source, &restore, usize::MAX) > 16, "one answer does not hold it");
    assert!(Restore::is_needed(to.path()), "nothing is in place before the end");
    let change = SignedHeader {
        header: Header { height: Height::new(2), ..tip.block.header },
        certificate: None,
        next_validators: None,
    };
    restore.finish(&genesis(), std::slice::from_ref(&change)).unwrap();
    assert!(!Restore::is_needed(to.path()));

    let restored = open(to.path(), OPTIONS);
    assert_eq!(restored.tip(), source.tip());
    assert_eq!(values(&restored), values(&source));
    assert_eq!(restored.recompute_root().unwrap(), source.tip().state_root);
    assert_eq!(restored.stored(Height::new(1)).unwrap(), None, "blocks before it are not there");
    assert_eq!(restored.headers(Height::new(1), 9).unwrap()[0], change);
    assert_eq!(restored.headers(Height::new(1), 9).unwrap().len(), 2);
    // Both go on in the same way, well beyond what is pruned, with insertions, changes and deletions.
    for round in 0..8_u64 {
        let mut changes: Changes = (0..50).map(|n| (key(n * 13 + round), Some(vec![9; 9]))).collect();
        changes.extend((0..50).map(|n| (key(20_000 + n + 50 * round), Some(vec![1]))));
        changes.extend((0..20).map(|n| (key(n * 31 + round), None)));
        let (a, b) = (commit(&source, changes.clone()), commit(&restored, changes));
        assert_eq!(a, b);
        for number in [0, 5, 13, 31, 20_000, 99_999] {
            let proven = restored.prove(b.block.header.height, &[key(number)]).unwrap().remove(0);
            tree::verify(&b.block.header.state_root, &key(number), proven.value.as_deref(), &proven.proof)
                .unwrap();
        }
    }
    assert_eq!(restored.recompute_root().unwrap(), source.recompute_root().unwrap());
    drop(restored);
    assert_eq!(open(to.path(), OPTIONS).tip(), source.tip(), "and is found again");
}

#[test]
fn what_was_interrupted_goes_on_and_a_restored_node_can_serve() {
    let dirs = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let source = filled(dirs[0].path(), 3_000);
    let tip = source.stored(source.tip().height).unwrap().unwrap();
    let mut restore = Restore::begin(dirs[1].path(), tip.clone(), OPTIONS).unwrap();
    let mut interruptions = 0;
    while transfer(&source, &restore, 3) == 3 {
        drop(restore);
        restore = Restore::resume(dirs[1].path(), OPTIONS).unwrap().expect("it is there");
        assert_eq!(restore.target(), &tip);
        interruptions += 1;
    }
    assert!(interruptions > 3);
    restore.finish(&genesis(), &[]).unwrap();
    assert!(Restore::resume(dirs[1].path(), OPTIONS).unwrap().is_none());
    let second = open(dirs[1].path(), OPTIONS);
    let restore = Restore::begin(dirs[2].path(), tip, OPTIONS).unwrap();
    transfer(&second, &restore, usize::MAX);
    restore.finish(&genesis(), &[]).unwrap();
    assert_eq!(values(&open(dirs[2].path(), OPTIONS)), values(&source));
}

/// Killed after everything was written and before the file had its name.
#[test]
fn what_was_whole_and_not_yet_in_place_is_not_asked_for_again() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let source = filled(from.path(), 3_000);
    let tip = source.stored(source.tip().height).unwrap().unwrap();
    let restore = Restore::begin(to.path(), tip.clone(), OPTIONS).unwrap();
    transfer(&source, &restore, usize::MAX);
    restore.finish(&genesis(), &[]).unwrap();
    std::fs::rename(to.path().join("chain.redb"), to.path().join("chain.partial.redb")).unwrap();

    let again = Restore::resume(to.path(), OPTIONS).unwrap().expect("it is there");
    assert_eq!((again.target(), again.missing(1).unwrap()), (&tip, Vec::new()));
    again.finish(&genesis(), &[]).unwrap();
    let restored = open(to.path(), OPTIONS);
    assert_eq!(restored.tip(), source.tip());
    assert_eq!(restored.recompute_root().unwrap(), source.tip().state_root);
    commit(&restored, [(key(1), Some(vec![3]))].into_iter().collect());
}

#[test]
fn an_unfinished_state_cannot_be_used() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let source = filled(from.path(), 3_000);
    let tip = source.stored(source.tip().height).unwrap().unwrap();
    let restore = Restore::begin(to.path(), tip, OPTIONS).unwrap();
    transfer(&source, &restore, 2);
    let error = restore.finish(&genesis(), &[]).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert!(Restore::is_needed(to.path()));
}

#[test]
fn a_wrong_piece_changes_nothing_and_a_right_one_still_enters() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let source = filled(from.path(), 3_000);
    let tip = source.stored(source.tip().height).unwrap().unwrap();
    let height = tip.block.header.height;
    let restore = Restore::begin(to.path(), tip, OPTIONS).unwrap();
    let mut tried = 0;
    while let Some((prefix, _)) = restore.missing(1).unwrap().into_iter().next() {
        let right = source.piece(height, &prefix).unwrap().unwrap();
        for wrong in lies(&right) {
            let before = (restore.keys().unwrap(), restore.missing(100).unwrap());
            assert!(matches!(restore.put(&prefix, &wrong), Err(RestoreError::Piece(_))), "{prefix:?}");
            assert_eq!((restore.keys().unwrap(), restore.missing(100).unwrap()), before);
            tried += 1;
        }
        restore.put(&prefix, &right).unwrap();
        restore.put(&prefix, &right).unwrap();
    }
    assert!(tried > 50, "{tried}");
    restore.finish(&genesis(), &[]).unwrap();
    assert_eq!(values(&open(to.path(), OPTIONS)), values(&source));
}

type Leaves = Vec<(Vec<u8>, Vec<u8>)>;

/// What a lying peer could make of a piece.
fn lies(piece: &Piece) -> Vec<Piece> {
    match piece {
        Piece::Leaves(leaves) if leaves.is_empty() => Vec::new(),
        Piece::Leaves(leaves) => {
            let changed = |change: fn(&mut Leaves)| {
                let mut leaves = leaves.clone();
                change(&mut leaves);
                Piece::Leaves(leaves)
            };
            vec![
                changed(|leaves| leaves[0].1.push(0)),
                changed(|leaves| leaves[0].0.push(0)),
                changed(|leaves| leaves.truncate(leaves.len() - 1)),
                changed(|leaves| leaves.push(leaves[0].clone())),
                changed(|leaves| leaves.reverse()),
                changed(|leaves| leaves.push((b"new".to_vec(), b"money".to_vec()))),
                Piece::Leaves(Vec::new()),
                Piece::Branches(vec![None; 16]),
            ]
            .into_iter()
            .filter(|wrong| wrong != piece)
            .collect()
        }
        Piece::Branches(branches) => {
            let mut flipped = branches.clone();
            flipped.iter_mut().flatten().next().unwrap().hash.0[0] ^= 1;
            let mut swapped = branches.clone();
            swapped.swap(0, 1);
            let mut missing = branches.clone();
            missing[3] = None;
            let mut long = branches.clone();
            long.push(None);
            [flipped, swapped, missing, long, Vec::new()].into_iter().map(Piece::Branches).collect()
        }
    }
}

#[test]
fn pruned_states_are_not_served_and_an_archive_serves_all() {
    let (small, archive) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let pruned = open(small.path(), OPTIONS);
    let kept = open(archive.path(), Options { keep_states: u64::MAX, ..OPTIONS });
    let mut roots = vec![kept.tip().state_root];
    for round in 0..20_u64 {
        let changes: Changes = (0..10)
            .map(|n| (key(n), (!(n + round).is_multiple_of(3)).then(|| round.to_le_bytes().to_vec())))
            .collect();
        commit(&pruned, changes.clone());
        roots.push(commit(&kept, changes).block.header.state_root);
    }
    for (height, root) in (0..).zip(&roots) {
        let piece = kept.piece(Height::new(height), &Prefix::root()).unwrap().unwrap();
        assert_eq!(piece.verify(&Prefix::root(), root), Ok(()), "height {height}");
        let asked = pruned.piece(Height::new(height), &Prefix::root());
        if height < 16 {
            assert!(matches!(asked, Err(StoreError::NotKept { .. })), "height {height}");
        } else {
            assert_eq!(asked.unwrap(), Some(piece), "height {height}");
        }
    }
    assert!(matches!(kept.piece(Height::new(99), &Prefix::root()), Err(StoreError::NotKept { .. })));
    let nowhere = Prefix::new(vec![1; 64]).unwrap();
    assert_eq!(kept.piece(Height::new(20), &nowhere).unwrap(), None);
}

#[test]
fn a_large_value_travels_alone() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let source = open(from.path(), OPTIONS);
    let changes = (0..40).map(|n| (key(n), Some(vec![7; 300 << 10]))).collect();
    let tip = commit(&source, changes);
    let restore = Restore::begin(to.path(), tip, OPTIONS).unwrap();
    assert!(transfer(&source, &restore, usize::MAX) > 20);
    restore.finish(&genesis(), &[]).unwrap();
    assert_eq!(values(&open(to.path(), OPTIONS)), values(&source));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// The pieces' hash is the tree's, at every node of a random state (jmt's is the independent one).
    #[test]
    fn pieces_hash_as_the_tree_does(
        state in prop::collection::btree_map(prop::collection::vec(any::<u8>(), 1..3), prop::collection::vec(any::<u8>(), 0..4), 1..120)
    ) {
        let changes: Changes = state.into_iter().map(|(key, value)| (key, Some(value))).collect();
        let root = tree::root_of(&changes).unwrap();
        let mut leaves: Vec<(Vec<u8>, Vec<u8>)> = changes.into_iter().map(|(key, value)| (key, value.unwrap())).collect();
        leaves.sort_by_key(|(key, _)| tree::key_hash(key));
        prop_assert_eq!(Piece::Leaves(leaves.clone()).verify(&Prefix::root(), &root), Ok(()));
        let missing = Piece::Leaves(leaves[1..].to_vec()).verify(&Prefix::root(), &root);
        let refused = matches!(missing, Err(PieceError::Hash { .. }));
        prop_assert!(refused);
    }
}

#[test]
fn no_byte_of_a_piece_can_be_changed() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path(), 40);
    let (height, root) = (store.tip().height, store.tip().state_root);
    let Some(Piece::Leaves(leaves)) = store.piece(height, &Prefix::root()).unwrap() else { panic!() };
    let mut places: VecDeque<(usize, usize, bool)> = VecDeque::new();
    for (index, (key, value)) in leaves.iter().enumerate() {
        places.extend((0..key.len()).map(|at| (index, at, true)));
        // A value is hashed as a whole: every ninth byte stands for the rest.
        places.extend((0..value.len()).step_by(9).map(|at| (index, at, false)));
    }
    assert!(places.len() > 500);
    for (index, at, in_key) in places {
        let mut changed = leaves.clone();
        let (key, value) = &mut changed[index];
        if in_key {
            key[at] ^= 1;
        } else {
            value[at] ^= 1;
        }
        assert!(Piece::Leaves(changed).verify(&Prefix::root(), &root).is_err(), "key {index}, byte {at}");
    }
}
