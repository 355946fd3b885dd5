//! Batches, open weights, conservation and shortfalls (L-5, L-14, L-19, L-24, L-27 in docs/spec/ledger.md).

mod common;

use acumen_chain_ledger::{
    Account, Breach, Changes, LedgerError, Params, Rejection, StateKey, StateRead as _, check, conserved,
    fee_with_tip, simulate,
};
use acumen_protocol::call::MAX_BATCH_CALLS;
use acumen_protocol::codec::Encode as _;
use acumen_protocol::weights::Weights;
use acumen_protocol::{Call, Nacu, TrackId, Uid};
use common::{Chain, account, acu, genesis, neuron, short};

const TRACK: TrackId = TrackId::ZERO;

fn pay(to: u8, amount: Nacu) -> Call {
    Call::Transfer { to: account(to), amount }
}

fn batch(calls: Vec<Call>) -> Call {
    Call::Batch { calls }
}

fn chain(params: Params) -> Chain {
    let mut genesis = genesis(params);
    genesis.neurons = vec![neuron(1, acu(100)), neuron(2, acu(100))];
    Chain::new(&genesis)
}

#[test]
fn l14_a_batch_is_applied_whole_or_not_at_all() {
    let mut chain = chain(short());
    let before = chain.free(3);
    let events = chain.done(3, batch(vec![pay(50, acu(1)), pay(51, acu(2)), pay(50, acu(3))]));
    assert_eq!((chain.free(50), chain.free(51)), (acu(4).get(), acu(2).get()));
    assert_eq!(events.len(), 4, "three transfers and the transaction's own: {events:?}");
    let mid = chain.free(3);
    let failed = chain.run(3, batch(vec![pay(52, acu(1)), pay(53, Nacu::ZERO), pay(54, acu(1))]));
    assert_eq!(failed, Some(Rejection::InBatch { index: 1, reason: Box::new(Rejection::ZeroAmount) }));
    assert_eq!((chain.free(52), chain.free(54)), (0, 0));
    assert!(before > mid && mid > chain.free(3), "the fee is paid all the same");
}

#[test]
fn l14_batches_are_bounded_and_flat_and_pay_a_base_for_each_call() {
    let mut chain = chain(short());
    for calls in
        [vec![], vec![batch(vec![pay(50, acu(1))])], vec![pay(50, Nacu::new(1)); MAX_BATCH_CALLS + 1]]
    {
        assert!(matches!(chain.run(3, batch(calls)), Some(Rejection::Batch { .. })));
    }
    assert_eq!(chain.run(3, batch(vec![pay(50, Nacu::new(1)); MAX_BATCH_CALLS])), None);
    let params = chain.view().params().unwrap();
    let (one, two) = (batch(vec![pay(50, acu(1))]), batch(vec![pay(50, acu(1)); 2]));
    let fee = |call: &Call| fee_with_tip(&params, &chain.sign(3, call.clone())).get();
    let bytes = u64::try_from(pay(50, acu(1)).encoded_size()).unwrap() * params.fee_per_byte.get();
    assert_eq!(fee(&two) - fee(&one), params.fee_base.get() + bytes);
}

#[test]
fn l13_a_batch_of_a_hotkey_is_paid_by_its_owner() {
    let mut chain = chain(short());
    let commit = |tag| Call::CommitWeights { track: TRACK, commitment: acumen_protocol::Hash([tag; 32]) };
    let owner = chain.free(1);
    assert_eq!(chain.run(11, batch(vec![commit(1), commit(2)])), None);
    assert!(chain.free(1) < owner);
    let mixed = chain.sign(11, batch(vec![commit(1), pay(50, acu(1))]));
    let refused = check(&chain.state, &chain.context(), &mixed, 0).unwrap();
    assert!(matches!(refused, Err(Rejection::Balance { .. })), "a coldkey's call makes it a coldkey's batch");
}

#[test]
fn l24_open_weights_are_refused_while_commit_reveal_is_on() {
    let weights = Weights::new(vec![(Uid::new(1), 5)]).unwrap();
    let set = Call::SetWeights { track: TRACK, weights };
    let mut hidden = chain(short());
    assert_eq!(hidden.run(11, set.clone()), Some(Rejection::WeightsHidden));
    let mut open = chain(Params { commit_reveal: false, ..short() });
    assert_eq!(open.run(11, set), None);
    let key = StateKey::Weights { track: TRACK, uid: Uid::ZERO };
    assert!(open.state.get(&key.to_bytes()).unwrap().is_some());
    let unknown = Weights::new(vec![(Uid::new(9), 5)]).unwrap();
    let refused = open.run(11, Call::SetWeights { track: TRACK, weights: unknown });
    assert!(matches!(refused, Some(Rejection::UnknownUid { .. })));
}

#[test]
fn l27_a_reveal_is_bound_to_hotkey_track_epoch_row_and_salt() {
    let mut chain = chain(short());
    let weights = Weights::new(vec![(Uid::new(1), 5)]).unwrap();
    let other = Weights::new(vec![(Uid::ZERO, 5)]).unwrap();
    let copied = weights.commitment(&account(11), TRACK, chain.epoch(), &[3; 32]);
    for hotkey in [11, 12] {
        chain.done(hotkey, Call::CommitWeights { track: TRACK, commitment: copied });
    }
    chain.end_epoch();
    let reveal = |weights: &Weights, salt: u8| Call::RevealWeights {
        track: TRACK,
        weights: weights.clone(),
        salt: [salt; 32],
    };
    let mismatch = |refused| matches!(refused, Some(Rejection::CommitmentMismatch { .. }));
    assert!(mismatch(chain.run(12, reveal(&weights, 3))), "a copied commitment is worth nothing");
    assert!(mismatch(chain.run(11, reveal(&weights, 4))));
    assert!(mismatch(chain.run(11, reveal(&other, 3))));
    chain.end_epoch();
    assert!(matches!(chain.run(11, reveal(&weights, 3)), Some(Rejection::NoCommitment { .. })), "too late");
    chain.done(11, Call::CommitWeights { track: TRACK, commitment: copied });
    chain.end_epoch();
    assert!(mismatch(chain.run(11, reveal(&weights, 3))), "made for another epoch");
    let commitment = weights.commitment(&account(11), TRACK, chain.epoch(), &[3; 32]);
    chain.done(11, Call::CommitWeights { track: TRACK, commitment });
    chain.end_epoch();
    assert_eq!(chain.run(11, reveal(&weights, 3)), None);
}

#[test]
fn l19_a_shortfall_is_told_at_once_with_fee_and_amount() {
    let chain = chain(short());
    let has = Nacu::new(chain.free(3));
    let signed = chain.sign(3, pay(50, has));
    let fee = fee_with_tip(&chain.view().params().unwrap(), &signed);
    let needs = has.checked_add(fee).unwrap();
    let expected = Rejection::Balance { account: account(3), has, needs };
    assert_eq!(check(&chain.state, &chain.context(), &signed, 0).unwrap(), Err(expected.clone()));
    assert_eq!(simulate(&chain.state, &chain.context(), &signed).unwrap(), Err(expected));
    let poor = chain.sign(60, pay(50, acu(2)));
    let expected =
        Rejection::Balance { account: account(60), has: Nacu::ZERO, needs: acu(2).checked_add(fee).unwrap() };
    assert_eq!(check(&chain.state, &chain.context(), &poor, 0).unwrap(), Err(expected));
}

#[test]
fn l19_a_simulation_says_what_a_block_then_does() {
    let mut chain = chain(short());
    let signed = chain.sign(3, pay(50, acu(2)));
    let told = simulate(&chain.state, &chain.context(), &signed).unwrap().unwrap();
    assert_eq!(told.before.get(), chain.free(3));
    let outcome = chain.block(&[signed]);
    assert_eq!((told.fee, told.after.get()), (outcome.outcomes[0].fee, chain.free(3)));
    assert!(outcome.events.starts_with(&told.events));
}

#[test]
fn l5_a_block_that_makes_or_loses_a_unit_is_a_breach() {
    let mut chain = chain(short());
    chain.done(3, Call::Stake { hotkey: account(11), amount: acu(7) });
    let breach = |key: StateKey, value: Option<Vec<u8>>| match conserved(
        &chain.state,
        &Changes::from([(key.to_bytes(), value)]),
    ) {
        Err(LedgerError::Conservation(breach)) => breach,
        other => panic!("{other:?}"),
    };
    let account_of_3 = chain.view().account(account(3)).unwrap();
    let richer = Account { free: Nacu::new(account_of_3.free.get() + 1), ..account_of_3 };
    let found = breach(StateKey::Account(account(3)), Some(richer.encode()));
    assert!(matches!(found, Breach::Supply { owned: 1, issuance: 0, .. }), "{found}");
    assert!(matches!(breach(StateKey::Account(account(3)), None), Breach::Supply { .. }));
    let mut supply = chain.view().supply().unwrap();
    supply.burned = Nacu::new(supply.burned.get() + 1);
    assert!(matches!(breach(StateKey::Supply, Some(supply.encode())), Breach::Supply { burned: 1, .. }));
    let held = StateKey::Stake { hotkey: account(11), coldkey: account(3) };
    assert!(matches!(breach(held, None), Breach::Shares { pool: "stake", .. }));
    let mut info = chain.view().hotkey(account(11)).unwrap().unwrap();
    info.total_shares = 0;
    assert!(matches!(breach(StateKey::Hotkey(account(11)), Some(info.encode())), Breach::Pool { .. }));
    assert_eq!(conserved(&chain.state, &Changes::new()), Ok(()));
}
