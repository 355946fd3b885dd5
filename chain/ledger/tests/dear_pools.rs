//! Stake in fewer shares than base units, which earnings and rounding lead to: nobody can leave base units without an
//! owner, and nobody gains by others' rounding (L-15 to L-17).

mod common;

use acumen_chain_ledger::{Event, Rejection, execute_block, simulate};
use acumen_protocol::{Call, Nacu};
use common::{ACU, Chain, account, acu, genesis, neuron, short};

/// Hotkey 11 with 10 ACU in `shares` shares, all of coldkey 1.
fn dear(shares: u128) -> Chain {
    let mut genesis = genesis(short());
    genesis.neurons = vec![neuron(1, acu(10))];
    let mut chain = Chain::new(&genesis);
    chain.make_dear(1, shares);
    chain
}

fn unstake(amount: u64) -> Call {
    Call::Unstake { hotkey: account(11), amount: Nacu::new(amount) }
}

fn stake(amount: u64) -> Call {
    Call::Stake { hotkey: account(11), amount: Nacu::new(amount) }
}

fn on(chain: &Chain, coldkey: u8) -> (u64, u128) {
    let info = chain.view().hotkey(account(11)).unwrap().unwrap();
    let shares = chain.view().stake(account(11), account(coldkey)).unwrap().shares;
    (info.value_of(shares).get(), shares)
}

#[test]
fn l16_the_only_staker_may_take_off_all_but_one_base_unit() {
    let mut chain = dear(7);
    let events = chain.done(1, unstake(10 * ACU - 1));
    let paid = |event: &Event| matches!(event, Event::UnbondingStarted { amount, .. } if *amount == acu(10));
    assert!(events.iter().any(paid), "the fewest shares worth that are all of them: {events:?}");
    assert_eq!(on(&chain, 1), (0, 0));
    let waiting = chain.view().unbonding(account(11), account(1)).unwrap().parts.len();
    assert_eq!(waiting, 1, "it is on its way");
}

#[test]
fn l16_whole_shares_are_sold_for_what_they_are_worth() {
    let mut chain = dear(10);
    chain.done(1, unstake(1));
    assert_eq!(on(&chain, 1), (9 * ACU, 9));
    chain.done(1, unstake(2 * ACU));
    assert_eq!(on(&chain, 1), (7 * ACU, 7));
}

#[test]
fn l15_whole_shares_are_bought_for_what_they_cost() {
    let mut chain = dear(10);
    let before = chain.free(2);
    let refused = chain.run(2, stake(ACU - 1));
    let (hotkey, amount) = (account(11), Nacu::new(ACU - 1));
    assert_eq!(refused, Some(Rejection::StakeTooSmall { hotkey, amount }));
    let events = chain.done(2, stake(2 * ACU - 1));
    assert!(events.contains(&Event::Staked { coldkey: account(2), hotkey, amount: acu(1) }), "{events:?}");
    assert_eq!((on(&chain, 1), on(&chain, 2)), ((10 * ACU, 10), (ACU, 1)));
    assert!(before - chain.free(2) < ACU + ACU / 100, "one share and two fees");
}

#[test]
fn an_amount_that_nobody_has_is_refused_whatever_a_share_is_worth() {
    for shares in [1, (10 * u128::from(ACU)) << 64] {
        let chain = dear(shares);
        for call in [stake(u64::MAX), unstake(u64::MAX)] {
            let signed = chain.sign(2, call);
            let told = simulate(&chain.state, &chain.context(), &signed).unwrap().unwrap_err();
            assert!(matches!(told, Rejection::Balance { .. } | Rejection::StakeTooLow { .. }), "{told}");
            let outcome = execute_block(&chain.state, chain.context(), &[signed]).unwrap();
            assert!(outcome.outcomes[0].failure.is_some());
        }
    }
}

#[test]
fn l17_pumping_a_share_with_deposits_and_exits_raises_its_worth_by_dust_only() {
    let mut chain = dear(1);
    chain.done(2, stake(20 * ACU - 1));
    chain.done(2, unstake(1));
    assert_eq!(on(&chain, 1), (10 * ACU, 1), "what was paid in for one share came out with it");
}
