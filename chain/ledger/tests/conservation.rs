//! No base unit is made or lost (L-3), over random sequences of calls and epochs.

mod common;

use acumen_chain_ledger::genesis::GenesisNeuron;
use acumen_chain_ledger::{
    BlockBuilder, BlockError, Breach, Hotkey, LedgerError, Params, View, audit, check, execute_block,
    simulate,
};
use acumen_protocol::weights::Weights;
use acumen_protocol::{Call, Epoch, Nacu, TrackId, Uid};
use common::{Chain, account, acu, genesis, short};
use proptest::prelude::*;

const TRACK: TrackId = TrackId::ZERO;

fn weights(seed: u16) -> Weights {
    Weights::new((0..4).map(|uid| (Uid::new(uid), seed.rotate_left(u32::from(uid) * 4))).collect()).unwrap()
}

/// One random step: who signs what.
fn step() -> impl Strategy<Value = (u8, Call)> {
    let amount = prop_oneof![0..5_u64, 0..50_000_000_000_u64, 0..20_000_000_000_000_u64].prop_map(Nacu::new);
    let (coldkey, hotkey) = (1..=4_u8, 11..=15_u8);
    let hot = hotkey.clone().prop_map(account);
    prop_oneof![
        (coldkey.clone(), 1..=9_u8, amount.clone())
            .prop_map(|(s, to, amount)| (s, Call::Transfer { to: account(to), amount })),
        (coldkey.clone(), hot.clone(), amount.clone())
            .prop_map(|(s, hotkey, amount)| (s, Call::Stake { hotkey, amount })),
        (coldkey.clone(), hot.clone(), amount)
            .prop_map(|(s, hotkey, amount)| (s, Call::Unstake { hotkey, amount })),
        (coldkey.clone(), hot.clone()).prop_map(|(s, hotkey)| {
            (s, Call::Register { track: TRACK, hotkey, max_price: Nacu::new(u64::MAX) })
        }),
        (coldkey, hot, any::<u16>()).prop_map(|(s, hotkey, take)| (s, Call::SetTake { hotkey, take })),
        (hotkey.clone(), any::<u16>()).prop_map(|(s, seed)| {
            let epoch = Epoch::new(1 + u64::from(seed / 4 % 3));
            let commitment = weights(seed % 4).commitment(&account(s), TRACK, epoch, &[0; 32]);
            (s, Call::CommitWeights { track: TRACK, commitment })
        }),
        (hotkey, any::<u16>()).prop_map(|(s, seed)| {
            (s, Call::RevealWeights { track: TRACK, weights: weights(seed % 4), salt: [0; 32] })
        }),
    ]
}

/// The pools of stake that exist from the start.
fn pools(chain: &Chain) -> Vec<Hotkey> {
    (11..=13).map(|tag| chain.view().hotkey(account(tag)).unwrap().unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_unit_is_accounted_for(steps in prop::collection::vec(step(), 1..80)) {
        let params = Params { max_uids: 4, immunity_blocks: 2, min_non_immune: 1, ..short() };
        // Odd fees, so that halving one leaves a unit.
        let params = Params { fee_base: Nacu::new(100_001), fee_per_byte: Nacu::new(2), ..params };
        let mut genesis = genesis(params);
        let neuron = |tag: u8| GenesisNeuron { track: 0, hotkey: account(10 + tag), coldkey: account(tag), stake: acu(100) };
        genesis.neurons = (1..=3).map(neuron).collect();
        let mut chain = Chain::new(&genesis);
        let start = View::new(&chain.state).supply().unwrap().issuance.get();
        for (sender, call) in steps {
            let before = pools(&chain);
            let transaction = chain.sign(sender, call);
            let admissible =
                acumen_chain_ledger::BlockBuilder::new(&chain.state, chain.context()).unwrap().push(&transaction);
            let transactions = admissible.unwrap().map(|()| transaction);
            chain.block(&transactions.into_iter().collect::<Vec<_>>());
            for (old, new) in before.iter().zip(pools(&chain)) {
                let (was, is) = (u128::from(old.total_stake.get()), u128::from(new.total_stake.get()));
                let emptied = old.total_shares == 0 || new.total_shares == 0;
                prop_assert!(emptied || is * old.total_shares >= was * new.total_shares, "a share lost worth");
            }
            let found = audit(&chain.state).unwrap();
            prop_assert_eq!(found.balances_total.get(), start + found.minted.get() - found.burned.get());
        }
    }
}

/// The owner's set-take writes hotkey 12's record, whose pool has stake and no shares: no ledger leaves such a state, but
/// if one ever did, a call must not end whoever applies it.
#[test]
fn a_call_that_breaks_the_books_is_left_out_and_the_block_goes_on() {
    let mut genesis = genesis(short());
    genesis.neurons = (1..=2).map(|tag| common::neuron(tag, acu(100))).collect();
    let mut chain = Chain::new(&genesis);
    chain.make_dear(2, 0);
    let set_take = |chain: &Chain| chain.sign(2, Call::SetTake { hotkey: account(12), take: 1 });
    let is_breach = |error: &LedgerError| matches!(error, LedgerError::Conservation(Breach::Pool { .. }));
    let (broken, good) = (set_take(&chain), chain.sign(1, Call::Transfer { to: account(3), amount: acu(1) }));

    let context = chain.context();
    assert!(is_breach(&simulate(&chain.state, &context, &broken).unwrap_err()));
    assert!(is_breach(&check(&chain.state, &context, &broken, 0).unwrap_err()));
    let whole = execute_block(&chain.state, context, &[good.clone(), broken.clone()]).unwrap_err();
    assert!(matches!(whole, BlockError::Ledger(error) if is_breach(&error)));

    let mut builder = BlockBuilder::new(&chain.state, context).unwrap();
    builder.push(&good).unwrap().unwrap();
    assert!(is_breach(&builder.push(&broken).unwrap_err()));
    let outcome = builder.finish().unwrap();
    assert_eq!(outcome, execute_block(&chain.state, context, &[good]).unwrap(), "as if it had never come");
}
