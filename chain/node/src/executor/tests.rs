//! Blocks from a pool with transactions that nobody can pay, and on a state whose books are broken: what cannot stand in
//! a block takes no room in one, and ends neither the proposer nor whoever votes.

use acumen_chain_bft::{Application as _, Candidate, Origin};
use acumen_chain_ledger::genesis::{GenesisBalance, GenesisNeuron, GenesisTrack, GenesisValidator};
use acumen_chain_ledger::{Changes, Genesis, Hotkey, Params};
use acumen_chain_store::{Options, Undecided};
use acumen_protocol::vote::{Signed, Vote, VoteKind};
use acumen_protocol::{Call, ConsensusKeypair, Equivocation, Keypair, Nacu, Nonce, Transaction};

use super::*;
use crate::mempool::{Limits, PoolError};

const TAKE: u16 = 100;

fn key(tag: u8) -> Keypair {
    Keypair::from_seed(&[tag; 32])
}

fn account(tag: u8) -> AccountId {
    key(tag).account()
}

fn node_key() -> ConsensusKeypair {
    ConsensusKeypair::from_seed(&[7; 32])
}

/// One validator; hotkeys 11 to 14, all of coldkey 1; a block holds what the pool holds.
fn executor(dir: &std::path::Path) -> Executor {
    let balance = |tag| GenesisBalance { account: account(tag), amount: Nacu::from_acu(10).unwrap() };
    let neuron = |tag| GenesisNeuron {
        track: 0,
        hotkey: account(tag),
        coldkey: account(1),
        stake: Nacu::from_acu(100).unwrap(),
    };
    let genesis = Genesis {
        chain: "test".to_owned(),
        time_ms: 1,
        params: Params::default(),
        treasury: account(90),
        balances: (1..=6).map(balance).collect(),
        tracks: vec![GenesisTrack { name: "bytes".to_owned(), owner: account(91), emission_share: 1 }],
        neurons: (11..=14).map(neuron).collect(),
        validators: vec![GenesisValidator { key: node_key().public(), power: 1 }],
    };
    let store = Store::open(dir, &genesis, Options { keep_states: 8, cache_bytes: 1 << 20 }).unwrap();
    let limits = Limits { transactions: 1_000, bytes: 1 << 22, per_sender: 64 };
    Executor::new(store, Mempool::new(limits), Metrics::new())
}

fn sign(executor: &Executor, tag: u8, nonce: u64, tip: u64, call: Call) -> SignedTransaction {
    let (genesis, valid_until, tip) = (executor.genesis(), Height::new(1_000), Nacu::new(tip));
    Transaction { genesis, sender: account(tag), nonce: Nonce::new(nonce), valid_until, tip, call }
        .sign(&key(tag))
}

fn pay(to: u8, amount: u64) -> Call {
    Call::Transfer { to: account(to), amount: Nacu::new(amount) }
}

fn commit_weights() -> Call {
    Call::CommitWeights { track: TrackId::ZERO, commitment: Hash([5; 32]) }
}

fn balance(executor: &Executor, tag: u8) -> u64 {
    View::new(&executor.store().state().unwrap()).account(account(tag)).unwrap().free.get()
}

/// The next block, decided by the only validator.
fn decide(executor: &Executor) -> Block {
    let block = executor.assemble_next(&node_key().public(), TimestampMs::ZERO).unwrap();
    commit(executor, &block);
    block
}

fn commit(executor: &Executor, block: &Block) {
    let proposer = node_key().public();
    let undecided = Undecided { round: 0, pol_round: None, proposer, own: true, block: block.clone() };
    executor.store().record_proposal(&undecided).unwrap();
    executor.commit(certificate(executor, block)).unwrap();
}

fn certificate(executor: &Executor, block: &Block) -> Certificate {
    let (height, id) = (block.header.height, block.header.id());
    let set = executor.validators().unwrap();
    let message =
        Vote { kind: VoteKind::Precommit, height, round: 0, block: Some(id), voter: node_key().public() };
    let vote = Signed { message, signature: message.sign(&executor.genesis(), &node_key()) };
    assert_eq!(set.validators().len(), 1);
    Certificate { height, round: 0, block: id, signatures: vec![(vote.message.voter, vote.signature)] }
}

#[test]
fn what_an_owner_can_no_longer_pay_for_takes_no_place() {
    let dir = tempfile::tempdir().unwrap();
    let executor = executor(dir.path());
    // Four hotkeys of one owner, with the highest tips that they may offer; everybody else pays the least fee.
    for (hotkey, nonce) in (11..=14).flat_map(|hotkey| (0..20).map(move |nonce| (hotkey, nonce))) {
        executor.submit(sign(&executor, hotkey, nonce, 100_000, commit_weights())).unwrap();
    }
    executor.submit(sign(&executor, 2, 0, 0, pay(3, 5))).unwrap();
    // The owner's balance goes elsewhere, in a block of another proposer.
    let all = balance(&executor, 1) - 10_000_000;
    let moved = sign(&executor, 1, 0, 0, pay(4, all));
    let block = {
        let other = tempfile::tempdir().unwrap();
        let other = self::executor(other.path());
        other.submit(moved).unwrap();
        other.assemble_next(&node_key().public(), TimestampMs::ZERO).unwrap()
    };
    executor.validate(&block).unwrap();
    commit(&executor, &block);
    let waiting = executor.pool().len();
    assert!((2..60).contains(&waiting), "what the owner cannot pay has gone, and nothing else: {waiting}");
    let next = decide(&executor);
    assert!(next.transactions.iter().any(|tx| tx.unverified().sender == account(2)));
    assert_eq!(executor.pool().len(), 0, "all that waited could be included");
}

#[test]
fn a_sender_that_moves_everything_ends_its_turn_only() {
    let dir = tempfile::tempdir().unwrap();
    let executor = executor(dir.path());
    let all = balance(&executor, 1) - 10_000_000;
    executor.submit(sign(&executor, 1, 0, 1_000_000, pay(4, all))).unwrap();
    for nonce in 1..60 {
        executor.submit(sign(&executor, 1, nonce, 1_000_000, pay(4, 1))).unwrap();
    }
    for nonce in 0..3 {
        executor.submit(sign(&executor, 2, nonce, 0, pay(3, 5))).unwrap();
    }
    let block = decide(&executor);
    let of = |tag| block.transactions.iter().filter(|tx| tx.unverified().sender == account(tag)).count();
    assert!(of(1) < 10 && of(2) == 3, "{} {}", of(1), of(2));
    assert!(executor.pool().is_empty(), "what the block refused is gone, and what nobody can pay behind it");
}

fn set_take(executor: &Executor, nonce: u64) -> SignedTransaction {
    sign(executor, 1, nonce, 0, Call::SetTake { hotkey: account(14), take: TAKE })
}

/// Makes hotkey 14 a pool with stake and without shares, as no ledger may leave one.
fn break_books(executor: &Executor) {
    let state = executor.store().state().unwrap();
    let info = View::new(&state).hotkey(account(14)).unwrap().unwrap();
    let mut broken = Overlay::new(&state);
    broken.put(&StateKey::Hotkey(account(14)), &Hotkey { total_shares: 0, ..info });
    let changes: Changes = broken.into_raw();
    let block = executor.assemble_next(&node_key().public(), TimestampMs::ZERO).unwrap();
    let prepared = executor.store().prepare(changes).unwrap();
    let header = Header { state_root: prepared.root(), ..block.header };
    let block = Block { header, transactions: Vec::new() };
    let certificate = Some(certificate(executor, &block));
    let stored = StoredBlock { block, certificate, next_validators: None, events: Vec::new(), audit: None };
    executor.store().commit(&stored, prepared).unwrap();
}

#[test]
fn a_transaction_that_would_break_the_books_is_refused_and_ends_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let executor = executor(dir.path());
    // It waits already when the books break.
    executor.submit(set_take(&executor, 0)).unwrap();
    executor.submit(sign(&executor, 2, 0, 0, pay(3, 5))).unwrap();
    let harmless = executor.assemble_next(&node_key().public(), TimestampMs::ZERO).unwrap();
    assert_eq!(harmless.transactions.len(), 2);
    break_books(&executor);
    let refused = executor.submit(set_take(&executor, 0)).unwrap_err();
    assert!(
        matches!(&refused, PoolError::Internal { reason } if reason.contains("not conserved")),
        "{refused}"
    );
    // Somebody proposes it all the same: no vote, nothing committed, and the node goes on.
    let tip = executor.store().tip();
    let header = Header {
        height: tip.height.next().unwrap(),
        parent: tip.id(),
        time: tip.time.next().unwrap(),
        ..harmless.header
    };
    let block = Block { header, transactions: vec![set_take(&executor, 0)] };
    let candidate = Candidate { round: 0, pol_round: None, proposer: node_key().public(), block };
    assert!(!executor.assess(&candidate, Origin::Proposal).unwrap());
    let decided = executor.assess(&candidate, Origin::Decided).unwrap_err();
    assert!(is_breach(&decided), "a decided block that breaks the books ends the node: {decided}");
    let block = decide(&executor);
    assert_eq!(block.transactions.len(), 1, "the others' stand in it");
    assert!(executor.pool().is_empty());
}

#[test]
fn a_second_report_is_refused_before_its_proof_is_judged() {
    let dir = tempfile::tempdir().unwrap();
    let executor = executor(dir.path());
    decide(&executor);
    let signed = |block| {
        let (kind, height, voter) = (VoteKind::Prevote, Height::new(1), node_key().public());
        let message = Vote { kind, height, round: 0, block, voter };
        Signed { message, signature: message.sign(&executor.genesis(), &node_key()) }
    };
    let mut evidence = Equivocation::votes(signed(None), signed(Some(Hash([1; 32]))));
    let call = |evidence| Call::ReportEquivocation { evidence: Box::new(evidence) };
    executor.submit(sign(&executor, 2, 0, 0, call(evidence))).unwrap();
    // A proof that does not even hold: nobody looks at it.
    if let Equivocation::Votes(first, second) = &mut evidence {
        second.signature = first.signature;
    }
    let again = executor.submit(sign(&executor, 3, 0, 0, call(evidence))).unwrap_err();
    assert_eq!(again, PoolError::Reported { key: node_key().public() });
}
