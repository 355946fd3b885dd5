//! `kill -9` while blocks are written: nothing acknowledged is lost, nothing is half there.
//!
//! The test runs itself as a child process (by an environment variable) that commits blocks and prints each height once
//! it is durable; the parent kills it after a chosen number of lines.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use acumen_chain_ledger::genesis::{GenesisTrack, GenesisValidator};
use acumen_chain_ledger::{Changes, Genesis, Params, StateRead as _};
use acumen_chain_store::{MAX_UNDECIDED, Options, Store, StoreError, StoredBlock, Undecided};
use acumen_protocol::{AccountId, Block, Certificate, ConsensusKeypair, Hash, Header, Height, TimestampMs};

const CHILD: &str = "ACUMEN_STORE_TEST_DIR";

fn genesis(name: &str) -> Genesis {
    let owner = AccountId([1; 32]);
    Genesis {
        chain: name.to_owned(),
        time_ms: 1,
        params: Params::default(),
        treasury: owner,
        balances: Vec::new(),
        tracks: vec![GenesisTrack { name: "bytes".to_owned(), owner, emission_share: 1 }],
        neurons: Vec::new(),
        validators: vec![GenesisValidator { key: ConsensusKeypair::from_seed(&[7; 32]).public(), power: 1 }],
    }
}

const OPTIONS: Options = Options { keep_states: 8, cache_bytes: 1 << 20 };

fn open(dir: &Path) -> Store {
    Store::open(dir, &genesis("a"), OPTIONS).unwrap()
}

/// What the block at `height` writes: one key of its own, one that always changes, one that comes and goes, and every
/// third block nothing at all.
fn changes(height: u64) -> Changes {
    let mut changes = Changes::new();
    if height.is_multiple_of(3) {
        return changes;
    }
    changes.insert(format!("own-{height}").into_bytes(), Some(vec![7; 300]));
    changes.insert(b"height".to_vec(), Some(height.to_be_bytes().to_vec()));
    changes.insert(b"flicker".to_vec(), height.is_multiple_of(2).then(|| vec![1]));
    changes
}

fn next_block(store: &Store) -> StoredBlock {
    let tip = store.tip();
    let height = tip.height.next().unwrap();
    let prepared = store.prepare(changes(height.get())).unwrap();
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
    let block = Block { header, transactions: Vec::new() };
    let stored = StoredBlock {
        block,
        certificate: Some(certificate),
        next_validators: None,
        events: Vec::new(),
        audit: None,
    };
    store.record_proposal(&own(0, &stored.block)).unwrap();
    store.commit(&stored, prepared).unwrap();
    stored
}

#[test]
fn child_writes_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let store = open(Path::new(&dir));
    loop {
        let block = next_block(&store);
        println!("\ndurable {}", block.block.header.height);
    }
}

/// Starts a child and kills it after it has acknowledged `count` blocks; the last height acknowledged.
fn killed_after(dir: &Path, count: usize) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_writes_until_it_is_killed", "--nocapture"])
        .env(CHILD, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let heights = lines.filter_map(|line| line.strip_prefix("durable ").and_then(|text| text.parse().ok()));
    let last = heights.take(count).last().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    last
}

#[test]
fn kill_9_loses_nothing_and_halves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    for count in [1, 2, 3, 5, 8, 13, 1, 4] {
        let acknowledged = killed_after(dir.path(), count);
        let store = open(dir.path());
        let tip = store.tip();
        assert!(tip.height.get() >= acknowledged, "block {acknowledged} was acknowledged and is lost");
        let mut parent = store.stored(Height::ZERO).unwrap().unwrap().block.header.id();
        for height in 1..=tip.height.get() {
            let block = store.stored(Height::new(height)).unwrap().expect("heights are contiguous");
            assert_eq!(block.block.header.parent, parent);
            parent = block.block.header.id();
        }
        assert_eq!(store.stored(tip.height.next().unwrap()).unwrap(), None);
        assert_eq!(store.recompute_root().unwrap(), tip.state_root);
        let state = store.state().unwrap();
        for height in (1..=tip.height.get()).filter(|height| height % 3 != 0) {
            assert!(state.get(format!("own-{height}").as_bytes()).unwrap().is_some());
        }
        assert!(state.get(format!("own-{}", tip.height.get() + 1).as_bytes()).unwrap().is_none());
    }
}

#[test]
fn recent_states_can_be_proven_and_old_ones_are_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let headers: Vec<Header> = (0..40).map(|_| next_block(&store).block.header).collect();
    let tip = store.tip().height.get();
    for height in tip - OPTIONS.keep_states..=tip {
        let keys = [b"height".to_vec(), b"flicker".to_vec(), b"nothing".to_vec()];
        let proven = store.prove(Height::new(height), &keys).unwrap();
        let root = &headers[usize::try_from(height - 1).unwrap()].state_root;
        for (key, found) in keys.iter().zip(&proven) {
            acumen_chain_ledger::tree::verify(root, key, found.value.as_deref(), &found.proof).unwrap();
            let other = acumen_chain_ledger::tree::verify(root, key, Some(b"forged"), &found.proof);
            assert!(other.is_err());
        }
        let written = if height.is_multiple_of(3) { height - 1 } else { height };
        assert_eq!(proven[0].value, Some(written.to_be_bytes().to_vec()));
        assert_eq!(proven[2].value, None);
    }
    let old = store.prove(Height::new(tip - OPTIONS.keep_states - 1), &[]);
    assert!(matches!(old, Err(StoreError::NotKept { .. })), "{old:?}");
}

#[test]
fn the_directory_has_one_user_and_one_chain() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let second = Store::open(dir.path(), &genesis("a"), OPTIONS).unwrap_err();
    assert!(matches!(second, StoreError::InUse { .. }), "{second}");
    drop(store);
    let other = Store::open(dir.path(), &genesis("b"), OPTIONS).unwrap_err();
    assert!(matches!(other, StoreError::OtherChain { .. }), "{other}");
    assert_eq!(open(dir.path()).tip().height, Height::ZERO);
}

/// A block that this node has built for a round.
fn own(round: u32, block: &Block) -> Undecided {
    Undecided { round, pol_round: None, proposer: block.header.proposer, own: true, block: block.clone() }
}

fn unfinished(store: &Store, time: u64) -> Block {
    let tip = store.tip();
    let header = Header { height: Height::new(1), parent: tip.id(), time: TimestampMs::new(time), ..tip };
    Block { header, transactions: Vec::new() }
}

#[test]
fn a_second_own_proposal_of_a_round_is_refused_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (block, second) = (unfinished(&store, 5), unfinished(&store, 6));
    assert!(store.record_proposal(&own(0, &block)).unwrap());
    assert!(store.record_proposal(&own(0, &block)).unwrap());
    assert!(matches!(store.record_proposal(&own(0, &second)), Err(StoreError::SecondProposal { .. })));
    drop(store);
    let again = open(dir.path());
    assert_eq!(again.own_proposal(0).unwrap(), Some(block.clone()));
    assert_eq!(again.own_proposal(1).unwrap(), Some(block), "one block will do for all rounds");
    assert!(matches!(again.record_proposal(&own(0, &second)), Err(StoreError::SecondProposal { .. })));
    assert!(again.record_proposal(&own(1, &second)).unwrap(), "another round may be about another block");
    assert_eq!(again.own_proposal(1).unwrap(), Some(second));
}

#[test]
fn undecided_blocks_are_found_again_bounded_and_forgotten_with_their_height() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let foreign = |time| Undecided { own: false, ..own(0, &unfinished(&store, time)) };
    let limit = u64::try_from(MAX_UNDECIDED).unwrap();
    for time in 0..limit {
        assert!(store.record_proposal(&foreign(5 + time)).unwrap());
    }
    assert!(!store.record_proposal(&foreign(1_000)).unwrap(), "one too many");
    for round in 0..100 {
        assert!(store.record_proposal(&Undecided { round, ..foreign(5) }).unwrap(), "one that is there");
    }
    let another = Undecided { proposer: ConsensusKeypair::from_seed(&[8; 32]).public(), ..foreign(1_000) };
    assert!(store.record_proposal(&another).unwrap(), "another proposer has places of its own");
    for time in [1_000, 2_000] {
        store.record_decided(&foreign(time)).unwrap();
    }
    assert!(store.has_undecided(&foreign(2_000).block.header.id()).unwrap(), "what is decided has room");
    assert!(
        store.record_proposal(&own(3, &unfinished(&store, 1_001))).unwrap(),
        "an own one always has room"
    );
    // The same block, heard of from another node, stays this node's own.
    let heard = Undecided { own: false, ..own(3, &unfinished(&store, 1_001)) };
    assert!(store.record_proposal(&heard).unwrap());
    assert!(store.own_proposal(3).unwrap().is_some());
    drop(store);
    let store = open(dir.path());
    assert_eq!(store.undecided().unwrap().len(), MAX_UNDECIDED + 3);
    let decided = next_block(&store);
    assert!(store.undecided().unwrap().is_empty());
    let late = store.record_proposal(&own(0, &decided.block));
    assert!(matches!(late, Err(StoreError::NotNext { .. })), "{late:?}");
}
