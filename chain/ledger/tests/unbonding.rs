//! Stake on its way back, and takes with notice (L-50 to L-57 in docs/spec/ledger.md).

mod common;

use acumen_chain_ledger::{Event, Params, Rejection, StateKey};
use acumen_protocol::{AccountId, Call, Epoch, Height, Nacu};
use common::{Chain, account, acu, genesis, neuron, short};

fn params() -> Params {
    Params { unbonding_epochs: 2, initial_block_emission: Nacu::ZERO, ..short() }
}

fn chain(params: Params) -> Chain {
    let mut genesis = genesis(params);
    genesis.neurons = vec![neuron(1, acu(1_000)), neuron(2, acu(1_000))];
    Chain::new(&genesis)
}

fn unstake(hotkey: u8, amount: Nacu) -> Call {
    Call::Unstake { hotkey: account(hotkey), amount }
}

#[test]
fn l50_l51_stake_taken_off_is_paid_with_the_last_block_of_its_epoch() {
    let mut chain = chain(params());
    let before = chain.free(1);
    let events = chain.done(1, unstake(11, acu(100)));
    let (coldkey, hotkey, amount, due) = (account(1), account(11), acu(100), Height::new(12));
    assert!(events.contains(&Event::UnbondingStarted { coldkey, hotkey, amount, due }), "{events:?}");
    chain.done(1, unstake(11, acu(50)));
    chain.blocks_to(4);
    chain.done(1, unstake(11, acu(7)));
    let info = chain.view().hotkey(hotkey).unwrap().unwrap();
    assert_eq!((info.total_stake, info.unbonding_stake), (acu(843), acu(157)));
    let parts = chain.view().unbonding(hotkey, coldkey).unwrap().parts;
    let dues: Vec<u64> = parts.iter().map(|part| part.due.get()).collect();
    assert_eq!(dues, [12, 16], "one part for each epoch");
    let fees = before - chain.free(1);
    chain.blocks_to(11);
    assert_eq!(chain.free(1), before - fees, "nothing before its time");
    let events = chain.block(&[]).events;
    assert!(events.contains(&Event::Unbonded { coldkey, hotkey, amount: acu(150) }), "{events:?}");
    chain.blocks_to(16);
    assert_eq!(chain.free(1), before - fees + acu(157).get());
    assert!(chain.view().unbonding(hotkey, coldkey).unwrap().parts.is_empty());
    let info = chain.view().hotkey(hotkey).unwrap().unwrap();
    assert_eq!((info.unbonding_stake, info.unbonding_shares), (Nacu::ZERO, 0));
}

#[test]
fn l50_without_an_unbonding_time_it_is_paid_at_once() {
    let mut chain = chain(Params { unbonding_epochs: 0, ..params() });
    let before = chain.free(1);
    let events = chain.done(1, unstake(11, acu(100)));
    assert!(events.iter().any(|event| matches!(event, Event::Unstaked { .. })));
    assert!(chain.free(1) > before + acu(99).get());
}

#[test]
fn l52_payouts_of_a_block_are_bounded_and_none_is_lost() {
    const STAKERS: u64 = 1_100;
    let mut genesis = genesis(params());
    genesis.neurons = vec![neuron(1, acu(1_000))];
    let keys: Vec<acumen_protocol::Keypair> = (0..STAKERS)
        .map(|index| {
            let mut seed = [77; 32];
            seed[..8].copy_from_slice(&index.to_le_bytes());
            acumen_protocol::Keypair::from_seed(&seed)
        })
        .collect();
    let hotkey = account(11);
    genesis.balances.extend(
        keys.iter().map(|key| acumen_chain_ledger::genesis::GenesisBalance {
            account: key.account(),
            amount: acu(2),
        }),
    );
    let mut chain = Chain::new(&genesis);
    for (nonce, call) in
        [(0, Call::Stake { hotkey, amount: acu(1) }), (1, Call::Unstake { hotkey, amount: acu(1) })]
    {
        let signed: Vec<_> = keys.iter().map(|key| chain.sign_with(key, call.clone(), nonce)).collect();
        chain.block(&signed);
    }
    chain.blocks_to(11);
    let paid = |events: &[Event]| events.iter().filter(|e| matches!(e, Event::Unbonded { .. })).count();
    assert_eq!(paid(&chain.block(&[]).events), 1_024);
    assert_eq!(paid(&chain.block(&[]).events), 76);
    assert!(keys.iter().all(|key| chain.view().account(key.account()).unwrap().free > acu(1)));
}

#[test]
fn l53_the_index_lists_stake_and_what_is_on_its_way() {
    let mut chain = chain(params());
    let positions = |chain: &Chain, tag| {
        chain.view().get::<Vec<AccountId>>(&StateKey::Positions(account(tag))).unwrap().unwrap_or_default()
    };
    assert_eq!(positions(&chain, 1), [account(11)], "from genesis");
    chain.done(3, Call::Stake { hotkey: account(11), amount: acu(5) });
    chain.done(3, Call::Stake { hotkey: account(12), amount: acu(5) });
    let mut both = [account(11), account(12)];
    both.sort();
    assert_eq!(positions(&chain, 3), both);
    chain.done(3, unstake(12, acu(5)));
    assert_eq!(positions(&chain, 3), both, "it is on its way still");
    chain.blocks_to(12);
    assert_eq!(positions(&chain, 3), [account(11)]);
}

#[test]
fn l55_l56_a_higher_take_counts_after_its_notice_a_lower_one_at_once() {
    let params = Params { take_notice_epochs: 1, initial_block_emission: acu(1), ..params() };
    let mut chain = chain(params);
    let set = |take| Call::SetTake { hotkey: account(11), take };
    let take =
        |chain: &Chain, epoch| chain.view().hotkey(account(11)).unwrap().unwrap().take_in(Epoch::new(epoch));
    assert!(chain.done(1, set(100)).contains(&Event::TakeSet { hotkey: account(11), take: 100 }));
    let (hotkey, from) = (account(11), Epoch::new(3));
    let events = chain.done(1, set(5_000));
    assert!(events.contains(&Event::TakeAnnounced { hotkey, take: 5_000, from }), "{events:?}");
    assert_eq!([1, 2, 3].map(|epoch| take(&chain, epoch)), [100, 100, 5_000]);
    chain.blocks_to(8);
    assert_eq!(chain.view().hotkey(hotkey).unwrap().unwrap().take, 100, "epoch 2 was paid with the old one");
    chain.blocks_to(12);
    let info = chain.view().hotkey(hotkey).unwrap().unwrap();
    assert_eq!((info.take, info.pending_take), (5_000, None));
    chain.done(1, set(9_000));
    chain.done(1, set(4_000));
    assert_eq!(take(&chain, 99), 4_000, "lowering takes the announcement back");
    assert!(matches!(chain.run(1, set(60_000)), Some(Rejection::TakeTooHigh { .. })));
}
