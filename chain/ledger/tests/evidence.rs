//! Proven equivocation (L-60 to L-66 in docs/spec/ledger.md).

mod common;

use acumen_chain_ledger::rejection::EvidenceFault;
use acumen_chain_ledger::{BlockBuilder, Event, KeyRecord, Params, Rejection, StateKey, check, simulate};
use acumen_protocol::vote::{Equivocation, Proposal, Signed, Vote, VoteKind};
use acumen_protocol::{Call, Hash, Height, Nacu};
use common::{Chain, account, acu, genesis, neuron, node_key, short};

fn params() -> Params {
    Params {
        validator_min_stake: acu(100),
        bootstrap_validators: 2,
        bootstrap_stake: acu(100),
        initial_block_emission: Nacu::ZERO,
        unbonding_epochs: 2,
        jail_epochs: 1,
        ..short()
    }
}

/// Hotkeys 11 and 12 with 1,000 ACU each decide with nodes 21 and 22.
fn chain() -> Chain {
    let mut genesis = genesis(params());
    genesis.neurons = vec![neuron(1, acu(1_000)), neuron(2, acu(1_000))];
    let mut chain = Chain::new(&genesis);
    for (hotkey, node) in [(11, 21), (12, 22)] {
        let bind = chain.bind(hotkey, node);
        chain.done(hotkey, bind);
    }
    chain.end_epoch();
    assert_eq!(chain.set().len(), 2);
    chain
}

fn vote(genesis: &Hash, node: u8, height: u64, block: Option<u8>) -> Signed<Vote> {
    let key = node_key(node);
    let (kind, height, round) = (VoteKind::Precommit, Height::new(height), 0);
    let message = Vote { kind, height, round, block: block.map(|tag| Hash([tag; 32])), voter: key.public() };
    Signed { message, signature: message.sign(genesis, &key) }
}

fn report(evidence: Equivocation) -> Call {
    Call::ReportEquivocation { evidence: Box::new(evidence) }
}

fn votes(chain: &Chain, node: u8, height: u64) -> Equivocation {
    let genesis = &chain.genesis;
    Equivocation::votes(vote(genesis, node, height, Some(1)), vote(genesis, node, height, None))
}

#[test]
fn l60_l61_l62_two_votes_cost_stake_and_the_key() {
    let mut chain = chain();
    chain.done(1, Call::Unstake { hotkey: account(11), amount: acu(400) });
    let call = report(votes(&chain, 21, 5));
    let (burned, reporter) = (chain.view().supply().unwrap().burned, chain.free(5));
    let events = chain.done(5, call.clone());
    assert_eq!(chain.set().len(), 2, "within the epoch nothing changes");
    let info = chain.view().hotkey(account(11)).unwrap().unwrap();
    assert_eq!((info.total_stake, info.unbonding_stake), (acu(570), acu(380)), "5 % of both");
    assert_eq!(info.consensus_key, None);
    let reward = Nacu::new(acu(50).get() / 20);
    assert!(events.contains(&Event::Equivocated {
        key: node_key(21).public(),
        hotkey: Some(account(11)),
        height: Height::new(5),
        round: 0,
        staked: acu(30),
        unbonding: acu(20),
        reward,
    }));
    assert!(chain.free(5) > reporter + reward.get() - acu(1).get());
    let gone = chain.view().supply().unwrap().burned.get() - burned.get();
    assert!(gone >= acu(50).get() - reward.get());
    assert!(matches!(chain.run(5, call), Some(Rejection::KeyRetired { .. })), "once only");
    let again = report(votes(&chain, 21, 6));
    assert!(matches!(chain.run(5, again), Some(Rejection::KeyRetired { .. })), "whatever else it signed");
    chain.end_epoch();
    assert_eq!(chain.set(), vec![(node_key(22).public(), acu(1_000).get())]);
    chain.blocks_to(16);
    assert_eq!(chain.view().unbonding(account(11), account(1)).unwrap().parts.len(), 0);
}

#[test]
fn l60_two_proposals_are_evidence_too() {
    let mut chain = chain();
    let key = node_key(22);
    let signed = |tag| {
        let message = Proposal {
            height: Height::new(5),
            round: 3,
            block: Hash([tag; 32]),
            pol_round: None,
            proposer: key.public(),
        };
        Signed { message, signature: message.sign(&chain.genesis, &key) }
    };
    let call = report(Equivocation::proposals(signed(2), signed(1)));
    assert_eq!(chain.run(5, call), None);
}

#[test]
fn l63_what_proves_nothing_is_refused() {
    let mut chain = chain();
    let genesis = chain.genesis;
    let (a, b) = (vote(&genesis, 21, 5, Some(1)), vote(&genesis, 21, 5, Some(2)));
    let fault = |call, chain: &mut Chain| match chain.run(5, call) {
        Some(Rejection::Evidence { reason }) => reason,
        other => panic!("{other:?}"),
    };
    let same = report(Equivocation::Votes(a, a));
    assert_eq!(fault(same, &mut chain), EvidenceFault::NoConflict);
    let disorder = report(Equivocation::Votes(b, a));
    assert_eq!(fault(disorder, &mut chain), EvidenceFault::NoConflict);
    let other_round = Signed { message: Vote { round: 1, ..b.message }, ..b };
    assert_eq!(fault(report(Equivocation::Votes(a, other_round)), &mut chain), EvidenceFault::NoConflict);
    let forged = Signed { signature: a.signature, ..b };
    assert_eq!(fault(report(Equivocation::Votes(a, forged)), &mut chain), EvidenceFault::Signature);
    let elsewhere = |tag| vote(&Hash::ZERO, 21, 5, Some(tag));
    let other_chain = report(Equivocation::Votes(elsewhere(1), elsewhere(2)));
    assert_eq!(fault(other_chain, &mut chain), EvidenceFault::Signature);
    let stranger = report(votes(&chain, 99, 5));
    assert!(matches!(chain.run(5, stranger), Some(Rejection::UnknownConsensusKey { .. })));
    assert_eq!(chain.view().hotkey(account(11)).unwrap().unwrap().total_stake, acu(1_000));
}

#[test]
fn l64_evidence_counts_as_long_as_stake_of_then_is_there() {
    let mut chain = chain();
    let old = report(votes(&chain, 21, 4));
    let ahead = report(votes(&chain, 21, 20));
    chain.blocks_to(12);
    assert!(matches!(chain.run(5, ahead), Some(Rejection::EvidenceAge { .. })));
    assert!(
        matches!(chain.run(5, old), Some(Rejection::EvidenceAge { .. })),
        "block 4 is of epoch 1, this is 4"
    );
    let just = report(votes(&chain, 21, 5));
    assert_eq!(chain.run(5, just), None, "block 5 is of epoch 2");
}

#[test]
fn l65_the_key_is_gone_for_good_and_the_hotkey_for_a_while() {
    let mut chain = chain();
    let call = report(votes(&chain, 21, 5));
    chain.done(5, call);
    let bind = chain.bind(11, 31);
    let until = Height::new(13);
    let refused = chain.run(11, bind.clone());
    assert_eq!(refused, Some(Rejection::Jailed { hotkey: account(11), until }), "one whole epoch more");
    chain.blocks_to(12);
    let old = chain.bind(11, 21);
    assert!(matches!(chain.run(11, old), Some(Rejection::KeyRetired { .. })));
    assert_eq!(chain.run(11, bind), None);
    chain.end_epoch();
    assert_eq!(chain.set().len(), 2);
}

#[test]
fn l65_an_old_key_finds_its_stake() {
    let mut chain = chain();
    let bind = chain.bind(11, 31);
    chain.done(11, bind);
    let call = report(votes(&chain, 21, 5));
    chain.done(5, call);
    let info = chain.view().hotkey(account(11)).unwrap().unwrap();
    assert_eq!((info.total_stake, info.consensus_key), (acu(950), None), "the new key goes as well");
}

#[test]
fn l66_a_validator_of_genesis_loses_its_seat_if_another_has_one() {
    let mut genesis = genesis(params());
    let second = acumen_chain_ledger::genesis::GenesisValidator { key: node_key(8).public(), power: 3 };
    genesis.validators.push(second);
    let mut chain = Chain::new(&genesis);
    let call = report(votes(&chain, 7, 1));
    chain.done(5, call);
    let record: KeyRecord = chain.view().get(&StateKey::ConsensusKey(node_key(7).public())).unwrap().unwrap();
    assert!(record.hotkey.is_none() && record.offence.is_some());
    chain.end_epoch();
    assert_eq!(chain.set(), [(node_key(8).public(), 3)]);
    let call = report(votes(&chain, 8, 5));
    chain.done(5, call);
    chain.end_epoch();
    assert_eq!(chain.set(), [(node_key(8).public(), 3)], "the last one stays: the chain goes on");
}

#[test]
fn l60_what_a_key_signs_while_it_decides_nothing_costs_nothing() {
    let mut chain = chain();
    let early = report(votes(&chain, 22, 4));
    let (key, height) = (node_key(22).public(), Height::new(4));
    assert_eq!(chain.run(5, early), Some(Rejection::NotInSet { key, height }), "it decides from block 5 on");
    let bind = chain.bind(11, 31);
    chain.done(11, bind);
    let height = chain.height;
    let bound = report(votes(&chain, 31, height.get()));
    let key = node_key(31).public();
    assert_eq!(chain.run(5, bound), Some(Rejection::NotInSet { key, height }), "bound, not elected");
    chain.end_epoch();
    let gone = report(votes(&chain, 21, chain.height.get() + 1));
    let refused = chain.run(5, gone);
    assert!(matches!(refused, Some(Rejection::NotInSet { .. })), "its last block is behind it");
    let last = report(votes(&chain, 21, 8));
    assert_eq!(chain.run(5, last), None, "what it decided last still counts");
}

/// A delegate with little of its own would otherwise take 5 % of what each of many slashes costs its delegators.
#[test]
fn l62_many_keys_of_one_hotkey_cost_one_slash() {
    let mut chain = chain();
    for node in [31, 32] {
        let bind = chain.bind(11, node);
        chain.done(11, bind);
        chain.end_epoch();
    }
    let first_of = [(21, 5), (31, 9), (32, 13)];
    let reports = first_of.map(|(node, height)| report(votes(&chain, node, height)));
    chain.done(1, Call::Batch { calls: reports.to_vec() });
    let info = chain.view().hotkey(account(11)).unwrap().unwrap();
    assert_eq!((info.total_stake, info.consensus_key), (acu(950), None));
    for (node, _) in first_of {
        let key = StateKey::ConsensusKey(node_key(node).public());
        let record: KeyRecord = chain.view().get(&key).unwrap().unwrap();
        assert!(record.offence.is_some(), "each key is gone");
    }
}

#[test]
fn l18_a_report_that_convicts_costs_nothing_and_no_other() {
    let mut chain = chain();
    let call = report(votes(&chain, 21, 5));
    let (poor, too) = (chain.sign(70, call.clone()), chain.sign(71, call.clone()));
    let told = simulate(&chain.state, &chain.context(), &poor).unwrap().unwrap();
    assert_eq!((told.fee, told.before), (Nacu::ZERO, Nacu::ZERO));
    let mut builder = BlockBuilder::new(&chain.state, chain.context()).unwrap();
    assert_eq!(builder.push(&poor).unwrap(), Ok(()));
    let refused = builder.push(&too).unwrap();
    assert!(matches!(refused, Err(Rejection::Balance { .. })), "the second one convicts nobody: {refused:?}");
    let outcome = chain.block(&[poor]);
    assert_eq!((outcome.outcomes[0].fee, &outcome.outcomes[0].failure), (Nacu::ZERO, &None));
    assert_eq!(Nacu::new(chain.free(70)), Nacu::new(acu(50).get() / 20), "5 % of 50 ACU");
    let late = check(&chain.state, &chain.context(), &chain.sign(73, call.clone()), 0).unwrap();
    assert!(matches!(late, Err(Rejection::KeyRetired { .. })), "told why, not to find money: {late:?}");
    let before = chain.free(5);
    assert!(matches!(chain.run(5, call), Some(Rejection::KeyRetired { .. })));
    assert!(chain.free(5) < before, "one that fails pays");
    let batch = Call::Batch { calls: vec![report(votes(&chain, 22, 5))] };
    let again = chain.sign(72, batch);
    let refused = check(&chain.state, &chain.context(), &again, 0).unwrap();
    assert!(matches!(refused, Err(Rejection::Balance { .. })), "in a batch it pays like everything else");
    let early = chain.sign_at(72, report(votes(&chain, 22, 5)), 1);
    let refused = check(&chain.state, &chain.context(), &early, 8).unwrap();
    assert!(matches!(refused, Err(Rejection::Balance { .. })), "so it does before its turn");
}

/// What a light client makes of two certificates of one round: a proof against each voter of both.
#[test]
fn lc5_a_fork_costs_everybody_who_signed_both_sides() {
    let mut chain = chain();
    let reports = [21, 22].map(|node| report(votes(&chain, node, 5)));
    chain.done(5, Call::Batch { calls: reports.to_vec() });
    for hotkey in [11, 12] {
        let info = chain.view().hotkey(account(hotkey)).unwrap().unwrap();
        assert_eq!((info.total_stake, info.consensus_key), (acu(950), None));
    }
    chain.end_epoch();
    assert_eq!(chain.set().len(), 2, "nobody else qualifies: the set stays, and the chain goes on");
}
