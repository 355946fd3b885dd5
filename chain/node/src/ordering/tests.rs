//! What is kept of blocks that are not decided, and what is executed for them.

use acumen_chain_ledger::genesis::{GenesisTrack, GenesisValidator};
use acumen_chain_ledger::{Genesis, Params};
use acumen_chain_store::{MAX_UNDECIDED, Options, Store};
use acumen_protocol::{AccountId, ConsensusKeypair, Vote, VoteKind};

use super::*;
use crate::mempool::{Limits, Mempool};
use crate::metrics::Metrics;

fn key(tag: u8) -> ConsensusKeypair {
    ConsensusKeypair::from_seed(&[tag; 32])
}

/// Four validators with keys 1 to 4.
fn executor(dir: &std::path::Path) -> Executor {
    let owner = AccountId([1; 32]);
    let genesis = Genesis {
        chain: "ordering".to_owned(),
        time_ms: 1,
        params: Params::default(),
        treasury: owner,
        balances: Vec::new(),
        tracks: vec![GenesisTrack { name: "bytes".to_owned(), owner, emission_share: 1 }],
        neurons: Vec::new(),
        validators: (1..=4).map(|tag| GenesisValidator { key: key(tag).public(), power: 1 }).collect(),
    };
    let store = Store::open(dir, &genesis, Options { keep_states: 8, cache_bytes: 1 << 20 }).unwrap();
    let limits = Limits { transactions: 10, bytes: 1 << 20, per_sender: 10 };
    Executor::new(store, Mempool::new(limits), Metrics::new())
}

/// A correct block of validator `tag`; `time` tells it from others.
fn candidate(executor: &Executor, tag: u8, round: u32, time: u64) -> Candidate {
    let proposer = key(tag).public();
    let block = executor.assemble_next(&proposer, TimestampMs::new(1_000 + time)).unwrap();
    Candidate { round, pol_round: None, proposer, block }
}

fn certificate(executor: &Executor, block: &Block, round: u32) -> Certificate {
    let header = &block.header;
    let mut signatures: Vec<_> = (1..=3)
        .map(|tag| {
            let (height, block, voter) = (header.height, Some(header.id()), key(tag).public());
            let vote = Vote { kind: VoteKind::Precommit, height, round, block, voter };
            (voter, vote.sign(&executor.genesis(), &key(tag)))
        })
        .collect();
    signatures.sort_by_key(|(voter, _)| *voter);
    Certificate { height: header.height, round, block: header.id(), signatures }
}

#[test]
fn who_proposes_too_many_blocks_uses_up_nobody_elses_places() {
    let dir = tempfile::tempdir().unwrap();
    let executor = executor(dir.path());
    let many = u32::try_from(MAX_UNDECIDED).unwrap() + 1;
    let offered: Vec<Candidate> =
        (0..many).map(|round| candidate(&executor, 1, round, u64::from(round))).collect();
    let kept: Vec<bool> = offered.iter().map(|one| executor.assess(one, Origin::Proposal).unwrap()).collect();
    assert_eq!(kept.iter().filter(|kept| **kept).count(), MAX_UNDECIDED);
    let last = offered.last().unwrap();
    assert_eq!(kept.last(), Some(&false), "one too many");
    let other = candidate(&executor, 2, many, 500);
    assert!(executor.assess(&other, Origin::Proposal).unwrap(), "another's turn is its own");
    assert!(executor.propose(many + 1, &key(4).public()).unwrap().header.proposer == key(4).public());
    // Others have voted for the one that was refused here: a later proposer proposes it again, or it is decided.
    let again =
        Candidate { round: many + 2, pol_round: Some(many - 1), proposer: key(3).public(), ..last.clone() };
    assert!(executor.assess(&again, Origin::Proposal).unwrap());
    let next = candidate(&executor, 1, many, 600);
    assert!(!executor.assess(&next, Origin::Proposal).unwrap());
    assert!(executor.assess(&next, Origin::Decided).unwrap(), "what is decided is always kept");
    Application::commit(&executor, certificate(&executor, &next.block, many)).unwrap();
    assert_eq!(executor.store().tip().id(), next.block.header.id());
    assert!(Application::candidates(&executor).unwrap().is_empty());
}

#[test]
fn a_block_takes_one_place_in_however_many_rounds_it_is_proposed() {
    let dir = tempfile::tempdir().unwrap();
    let executor = executor(dir.path());
    let first = candidate(&executor, 1, 0, 1);
    for round in 0..200 {
        let again = Candidate { round, ..first.clone() };
        assert!(executor.assess(&again, Origin::Proposal).unwrap(), "round {round}");
    }
    assert_eq!(Application::candidates(&executor).unwrap(), [first]);
    assert!(executor.assess(&candidate(&executor, 1, 200, 2), Origin::Proposal).unwrap());
}

#[test]
fn one_node_has_one_block_for_all_its_turns_at_a_height() {
    let dir = tempfile::tempdir().unwrap();
    let (own, built) = (key(1).public(), {
        let executor = executor(dir.path());
        let built = executor.propose(3, &key(1).public()).unwrap();
        assert_eq!(executor.propose(7, &key(1).public()).unwrap(), built);
        built
    });
    let executor = executor(dir.path());
    assert_eq!(executor.propose(11, &own).unwrap(), built, "also after a restart");
    assert_eq!(executor.propose(3, &own).unwrap(), built);
}
