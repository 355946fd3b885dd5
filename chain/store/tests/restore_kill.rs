//! `kill -9` while a state is received: the next process goes on, and what is put in place is whole.
//!
//! The test runs itself as a child process (by environment variables) that receives pieces and prints a line once each is
//! durable; the parent kills it after a chosen number of lines.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use acumen_chain_ledger::Genesis;
use acumen_chain_ledger::genesis::{GenesisTrack, GenesisValidator};
use acumen_chain_store::{Options, Restore, Store, StoredBlock};
use acumen_protocol::{AccountId, Block, Certificate, ConsensusKeypair, Header, Height, TimestampMs};

const FROM: &str = "ACUMEN_RESTORE_TEST_FROM";
const TO: &str = "ACUMEN_RESTORE_TEST_TO";
const OPTIONS: Options = Options { keep_states: 8, cache_bytes: 4 << 20 };

fn genesis() -> Genesis {
    let owner = AccountId([1; 32]);
    Genesis {
        chain: "killed".to_owned(),
        time_ms: 1,
        params: acumen_chain_ledger::Params::default(),
        treasury: owner,
        balances: Vec::new(),
        tracks: vec![GenesisTrack { name: "bytes".to_owned(), owner, emission_share: 1 }],
        neurons: Vec::new(),
        validators: vec![GenesisValidator { key: ConsensusKeypair::from_seed(&[7; 32]).public(), power: 1 }],
    }
}

/// Block 1, with so much in it that its state needs some twenty pieces.
fn commit_one(store: &Store) {
    let tip = store.tip();
    let changes = (0..24_u8).map(|tag| (vec![0xff, tag], Some(vec![tag; 100 << 10]))).collect();
    let prepared = store.prepare(changes).unwrap();
    let (height, parent, time) = (Height::new(1), tip.id(), TimestampMs::new(2));
    let header = Header { height, parent, time, state_root: prepared.root(), ..tip };
    let certificate = Certificate { height, round: 0, block: header.id(), signatures: Vec::new() };
    let block = StoredBlock {
        block: Block { header, transactions: Vec::new() },
        certificate: Some(certificate),
        next_validators: None,
        events: Vec::new(),
        audit: None,
    };
    store.commit(&block, prepared).unwrap();
}

#[test]
fn child_receives_until_it_is_killed() {
    let (Some(from), Some(to)) = (std::env::var_os(FROM), std::env::var_os(TO)) else { return };
    let (to, genesis) = (Path::new(&to), genesis());
    if !Restore::is_needed(to) {
        println!("\nfinished");
        return;
    }
    let source = Store::open(Path::new(&from), &genesis, OPTIONS).unwrap();
    let restore = match Restore::resume(to, OPTIONS).unwrap() {
        Some(restore) => restore,
        None => Restore::begin(to, source.stored(Height::new(1)).unwrap().unwrap(), OPTIONS).unwrap(),
    };
    while let Some((prefix, _)) = restore.missing(1).unwrap().into_iter().next() {
        restore.put(&prefix, &source.piece(Height::new(1), &prefix).unwrap().unwrap()).unwrap();
        println!("\npiece {}", restore.keys().unwrap());
    }
    restore.finish(&genesis, &[]).unwrap();
    println!("\nfinished");
}

/// Kills a child after `count` pieces; the keys that it had then, or `None` if it has finished.
fn killed_after(from: &Path, to: &Path, count: usize) -> Option<u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_receives_until_it_is_killed", "--nocapture"])
        .env(FROM, from)
        .env(TO, to)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let told = lines.filter(|line| line == "finished" || line.starts_with("piece "));
    let last = told.take(count).last().expect("the child says something");
    child.kill().unwrap();
    child.wait().unwrap();
    last.strip_prefix("piece ").map(|keys| keys.parse().unwrap())
}

#[test]
fn kill_9_loses_no_piece_and_puts_nothing_half_in_place() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let genesis = genesis();
    commit_one(&Store::open(from.path(), &genesis, OPTIONS).unwrap());
    let (mut known, mut kills) = (0, 0);
    while let Some(keys) = killed_after(from.path(), to.path(), 1 + kills % 4) {
        assert!(keys >= known, "{known} keys were durable and {keys} are there");
        known = keys;
        kills += 1;
    }
    assert!(kills >= 5, "{kills}");
    let (source, restored) = (
        Store::open(from.path(), &genesis, OPTIONS).unwrap(),
        Store::open(to.path(), &genesis, OPTIONS).unwrap(),
    );
    assert_eq!(restored.tip(), source.tip());
    assert_eq!(restored.recompute_root().unwrap(), source.tip().state_root);
}
