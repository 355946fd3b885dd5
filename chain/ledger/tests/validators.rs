//! Who decides blocks (L-40 to L-45 in docs/spec/ledger.md).

mod common;

use acumen_chain_ledger::{Event, Params, Rejection};
use acumen_protocol::{Call, Nacu};
use common::{Chain, account, acu, genesis, neuron, node_key, short};

/// Two qualify for a handover, three have seats.
fn params() -> Params {
    Params {
        consensus_validators: 3,
        validator_min_stake: acu(100),
        bootstrap_validators: 2,
        bootstrap_stake: acu(500),
        initial_block_emission: Nacu::ZERO,
        ..short()
    }
}

/// Hotkeys 11 to 14 with the given stake, and a genesis validator (node 7) that nobody has bound.
fn chain(params: Params, stakes: [u64; 4]) -> Chain {
    let mut genesis = genesis(params);
    genesis.neurons = (1..=4).zip(stakes).map(|(tag, stake)| neuron(tag, acu(stake))).collect();
    Chain::new(&genesis)
}

fn key(node: u8) -> acumen_protocol::ConsensusPublic {
    node_key(node).public()
}

fn sorted(
    mut set: Vec<(acumen_protocol::ConsensusPublic, u64)>,
) -> Vec<(acumen_protocol::ConsensusPublic, u64)> {
    set.sort();
    set
}

#[test]
fn l43_genesis_decides_until_enough_stake_qualifies() {
    let mut chain = chain(params(), [450, 99, 60, 0]);
    let genesis_set = chain.set();
    let bind = chain.bind(11, 21);
    assert_eq!(chain.run(11, bind), None);
    let bind = chain.bind(12, 22);
    assert_eq!(chain.run(12, bind), None);
    chain.end_epoch();
    assert_eq!(chain.set(), genesis_set, "one qualifies, two are needed");
    chain.done(6, Call::Stake { hotkey: account(12), amount: acu(1) });
    let events = chain.end_epoch();
    let stake = acu(550);
    assert!(events.contains(&Event::HandedOver { validators: 2, stake }), "{events:?}");
    assert_eq!(chain.set(), sorted(vec![(key(21), acu(450).get()), (key(22), acu(100).get())]));
    let hash = chain.view().validators().unwrap().hash();
    let (left, power) = (vec![key(7)], stake.get());
    let mut joined = vec![key(21), key(22)];
    joined.sort();
    assert!(events.contains(&Event::ValidatorsChanged { joined, left, validators: 2, power, hash }));
}

#[test]
fn l42_the_set_changes_with_an_epoch_only_and_is_announced_one_block_ahead() {
    let mut chain = chain(Params { bootstrap_stake: acu(1), ..params() }, [450, 200, 0, 0]);
    for (hotkey, node) in [(11, 21), (12, 22)] {
        let bind = chain.bind(hotkey, node);
        chain.done(hotkey, bind);
    }
    let genesis_set = chain.set();
    assert_eq!(chain.height.get(), 2);
    assert_eq!(chain.block(&[]).next_validators, chain.view().validators().unwrap());
    assert_eq!(chain.set(), genesis_set, "within the epoch nothing changes");
    let last = chain.block(&[]);
    assert_eq!(chain.height.get(), 4);
    assert_eq!(last.next_validators, chain.view().validators().unwrap(), "block 5 is decided by the new set");
    assert_ne!(chain.set(), genesis_set);
    let before = chain.set();
    chain.done(5, Call::Stake { hotkey: account(11), amount: acu(7) });
    chain.blocks_to(7);
    assert_eq!(chain.set(), before);
    chain.block(&[]);
    assert_eq!(chain.view().validators().unwrap().power(&key(21)), Some(acu(457).get()), "own and delegated");
}

#[test]
fn l40_l41_most_stake_first_and_ties_go_to_the_smaller_key() {
    let mut chain = chain(Params { bootstrap_stake: acu(1), ..params() }, [200, 200, 200, 300]);
    for (hotkey, node) in [(11, 21), (12, 22), (13, 23), (14, 24)] {
        let bind = chain.bind(hotkey, node);
        chain.done(hotkey, bind);
    }
    chain.end_epoch();
    let mut tied = [key(21), key(22), key(23)];
    tied.sort();
    let expected: Vec<_> =
        tied[..2].iter().map(|key| (*key, acu(200).get())).chain([(key(24), acu(300).get())]).collect();
    assert_eq!(chain.set(), sorted(expected));
}

#[test]
fn l44_the_set_is_never_empty() {
    let mut chain = chain(Params { unbonding_epochs: 0, ..params() }, [300, 300, 0, 0]);
    for (hotkey, node) in [(11, 21), (12, 22)] {
        let bind = chain.bind(hotkey, node);
        chain.done(hotkey, bind);
    }
    chain.end_epoch();
    let set = chain.set();
    assert_eq!(set.len(), 2);
    chain.done(1, Call::Unstake { hotkey: account(11), amount: acu(300) });
    chain.end_epoch();
    assert_eq!(
        chain.set(),
        vec![(key(22), acu(300).get())],
        "below the handover's threshold it goes on by stake"
    );
    chain.done(2, Call::Unstake { hotkey: account(12), amount: acu(250) });
    let events = chain.end_epoch();
    assert_eq!(chain.set(), vec![(key(22), acu(300).get())], "nobody qualifies: the present set stays");
    assert!(!events.iter().any(|event| matches!(event, Event::ValidatorsChanged { .. })));
}

#[test]
fn l45_a_hotkey_may_change_its_key_but_not_take_anothers() {
    let mut chain = chain(Params { bootstrap_stake: acu(1), ..params() }, [300, 300, 0, 0]);
    for (hotkey, node) in [(11, 21), (12, 22), (11, 23)] {
        let bind = chain.bind(hotkey, node);
        chain.done(hotkey, bind);
    }
    let bind = chain.bind(12, 21);
    assert_eq!(
        chain.run(12, bind),
        Some(Rejection::ConsensusKeyTaken { hotkey: account(11) }),
        "an old key stays its hotkey's, so that its offences find their stake"
    );
    chain.end_epoch();
    assert_eq!(chain.set(), sorted(vec![(key(23), acu(300).get()), (key(22), acu(300).get())]));
    let bind = chain.bind(12, 7);
    chain.done(12, bind);
    chain.end_epoch();
    assert!(chain.view().validators().unwrap().power(&key(7)).is_some(), "a key of genesis can be bound");
}
