//! No base unit is made or lost (L-3), over random sequences of calls and epochs.

mod common;

use acumen_chain_ledger::{Params, View, audit};
use acumen_protocol::weights::Weights;
use acumen_protocol::{Call, Nacu, TrackId, Uid};
use common::{Chain, account, genesis, short};
use proptest::prelude::*;

const TRACK: TrackId = TrackId::ZERO;

fn weights(seed: u16) -> Weights {
    Weights::new((0..4).map(|uid| (Uid::new(uid), seed.rotate_left(u32::from(uid) * 4))).collect()).unwrap()
}

/// One random step: who signs what.
fn step() -> impl Strategy<Value = (u8, Call)> {
    let amount = prop_oneof![0..5_u64, 0..20_000_000_000_000_u64].prop_map(Nacu::new);
    let (coldkey, hotkey) = (1..=6_u8, 11..=20_u8);
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
            let commitment = weights(seed % 4).commitment(&account(s), TRACK, &[0; 32]);
            (s, Call::CommitWeights { track: TRACK, commitment })
        }),
        (hotkey, any::<u16>()).prop_map(|(s, seed)| {
            (s, Call::RevealWeights { track: TRACK, weights: weights(seed % 4), salt: [0; 32] })
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_unit_is_accounted_for(steps in prop::collection::vec(step(), 1..80)) {
        let params = Params { max_uids: 4, immunity_blocks: 2, min_non_immune: 1, ..short() };
        let mut chain = Chain::new(&genesis(params));
        let start = View::new(&chain.state).supply().unwrap().issuance.get();
        for (sender, call) in steps {
            let transaction = chain.sign(sender, call);
            let admissible =
                acumen_chain_ledger::BlockBuilder::new(&chain.state, chain.context()).unwrap().push(&transaction);
            let transactions = admissible.unwrap().map(|()| transaction);
            chain.block(&transactions.into_iter().collect::<Vec<_>>());
            let found = audit(&chain.state).unwrap();
            prop_assert_eq!(found.balances_total.get(), start + found.minted.get() - found.burned.get());
        }
    }
}
