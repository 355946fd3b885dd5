//! The epoch end to end: two validators judge three miners (L-30 to L-39 in docs/spec/ledger.md).

mod common;

use acumen_chain_ledger::genesis::GenesisNeuron;
use acumen_chain_ledger::{Changes, EpochRecord, Params, StateKey};
use acumen_protocol::codec::Encode as _;
use acumen_protocol::weights::Weights;
use acumen_protocol::{Call, Epoch, Height, Nacu, TrackId, Uid};
use common::{Chain, OWNER, account, acu, genesis, short};

const TRACK: TrackId = TrackId::ZERO;

/// Validators have uids 0 and 1 (hotkeys 11, 12), miners 2 to 4.
fn subnet(params: Params) -> Chain {
    let mut genesis = genesis(params);
    let neuron = |(index, stake): (u8, u64)| GenesisNeuron {
        track: 0,
        hotkey: account(11 + index),
        coldkey: account(1 + index),
        stake: acu(stake),
    };
    genesis.neurons = [(0, 3_000), (1, 2_000), (2, 0), (3, 0), (4, 0)].into_iter().map(neuron).collect();
    Chain::new(&genesis)
}

fn weights() -> Weights {
    Weights::new(vec![(Uid::new(2), 300), (Uid::new(3), 100)]).unwrap()
}

/// Commits in one epoch and reveals in the next, by both validators.
fn judge(chain: &mut Chain) {
    for hotkey in [11, 12] {
        let commitment = weights().commitment(&account(hotkey), TRACK, chain.epoch(), &[1; 32]);
        assert_eq!(chain.run(hotkey, Call::CommitWeights { track: TRACK, commitment }), None);
    }
    let tempo = chain.view().params().unwrap().tempo_blocks;
    let next = chain.height.get().div_ceil(tempo) * tempo;
    chain.blocks_to(next);
    for hotkey in [11, 12] {
        let reveal = Call::RevealWeights { track: TRACK, weights: weights(), salt: [1; 32] };
        assert_eq!(chain.run(hotkey, reveal), None);
    }
    chain.blocks_to(next + tempo);
}

fn record(chain: &Chain, epoch: u64) -> Option<EpochRecord> {
    chain.view().get(&StateKey::EpochRecord { track: TRACK, epoch: Epoch::new(epoch) }).unwrap()
}

#[test]
fn miners_are_paid_by_consensus_and_everything_adds_up() {
    let mut chain = subnet(short());
    let before = chain.view().supply().unwrap();
    judge(&mut chain);
    let (first, second) = (record(&chain, 1).unwrap(), record(&chain, 2).unwrap());
    assert_eq!(first.issuance.get(), before.issuance.get() + first.minted.get() - first.burned.get());
    assert_eq!(second.issuance.get(), first.issuance.get() + second.minted.get() - second.burned.get());
    assert_eq!(first.incentive, [0; 5], "nothing was revealed yet");
    assert!(first.server_emission.iter().all(|paid| *paid == Nacu::ZERO));
    assert!(first.validator_emission[0] > first.validator_emission[1], "by stake where nobody has incentive");
    assert_eq!(second.minted, Nacu::new(4_000_000_000), "one token for each block");
    let share = |uid: usize| u64::from(second.incentive[uid]);
    assert!(share(2).abs_diff(3 * share(3)) <= 4, "{:?}", second.incentive);
    assert_eq!(share(4), 0);
    let miners: u64 = second.server_emission.iter().map(|paid| paid.get()).sum();
    assert!(miners.abs_diff(1_640_000_000) < 100_000, "41 % of 4 tokens: {miners}");
    assert!(second.owner_emission.get().abs_diff(720_000_000) < 100_000, "18 %: {}", second.owner_emission);
    let owner = chain.free(OWNER);
    assert_eq!(owner, first.owner_emission.get() + second.owner_emission.get());
    let miner = chain.view().hotkey(account(13)).unwrap().unwrap();
    assert_eq!(miner.total_stake, second.server_emission[2]);
}

#[test]
fn delegators_share_dividends_after_the_take() {
    let mut chain = subnet(short());
    assert_eq!(chain.run(6, Call::Stake { hotkey: account(11), amount: acu(3_000) }), None);
    chain.blocks_to(4);
    let paid = record(&chain, 1).unwrap().validator_emission[0].get();
    let pool = chain.view().hotkey(account(11)).unwrap().unwrap();
    let worth = |tag| pool.value_of(chain.view().stake(account(11), account(tag)).unwrap().shares).get();
    let take = paid * 11_796 / 65_535;
    let each = (paid - take) / 2;
    assert!(worth(6).abs_diff(acu(3_000).get() + each) <= 1, "{} of {each}", worth(6));
    assert!(worth(1).abs_diff(acu(3_000).get() + each + take) <= 1);
    assert!(worth(1) + worth(6) <= pool.total_stake.get());
}

/// A vote may lower the limit below takes that were set, or announced, before.
#[test]
fn l55_a_take_above_a_lowered_limit_is_cut() {
    let mut chain = subnet(short());
    chain.done(1, Call::SetTake { hotkey: account(11), take: 9_000 });
    let lower = Params { max_take: 500, default_take: 0, ..short() };
    chain.state.apply(Changes::from([(StateKey::Params.to_bytes(), Some(lower.encode()))]));
    chain.done(6, Call::Stake { hotkey: account(11), amount: acu(3_000) });
    chain.blocks_to(4);
    let paid = record(&chain, 1).unwrap().validator_emission[0].get();
    let pool = chain.view().hotkey(account(11)).unwrap().unwrap();
    let worth = pool.value_of(chain.view().stake(account(11), account(6)).unwrap().shares).get();
    let each = (paid - paid * 500 / 65_535) / 2;
    assert!(worth.abs_diff(acu(3_000).get() + each) <= 1, "{worth} of {each}");
    assert_eq!(pool.take, 500);
}

/// Whoever fails to register, again and again, must not make everybody count through months of blocks.
#[test]
fn l20_the_price_is_at_most_an_epoch_old() {
    let mut chain = subnet(short());
    let register = |hotkey| Call::Register { track: TRACK, hotkey: account(hotkey), max_price: acu(9) };
    chain.done(6, register(61));
    let at_once = chain.view().track(TRACK).unwrap().unwrap();
    chain.blocks_to(30);
    let track = chain.view().track(TRACK).unwrap().unwrap();
    assert_eq!(track.price_height, Height::new(28));
    let later = Height::new(31);
    assert_eq!(track.price_at(&short(), later), at_once.price_at(&short(), later), "the same price");
}

#[test]
fn earnings_below_the_threshold_make_no_validator() {
    let mut chain = subnet(Params { stake_threshold: acu(1_000), ..short() });
    judge(&mut chain);
    judge(&mut chain);
    let last = record(&chain, 4).unwrap();
    assert!(last.stake[2] > Nacu::ZERO);
    assert_eq!(last.permits, [true, true, false, false, false]);
}

#[test]
fn an_empty_track_mints_nothing() {
    let mut chain = Chain::new(&genesis(short()));
    chain.blocks_to(8);
    assert_eq!(record(&chain, 2).unwrap().minted, Nacu::ZERO);
    assert_eq!(chain.view().supply().unwrap().minted, Nacu::ZERO);
}

#[test]
fn only_the_newest_records_are_kept() {
    let mut chain = subnet(Params { epoch_records: 2, ..short() });
    chain.blocks_to(16);
    let kept: Vec<bool> = (1..=4).map(|epoch| record(&chain, epoch).is_some()).collect();
    assert_eq!(kept, [false, false, true, true]);
}

#[test]
fn l22_l29_a_newcomer_inherits_neither_weights_nor_bonds() {
    let params = Params { max_uids: 4, immunity_blocks: 1, min_non_immune: 0, ..short() };
    let mut genesis = genesis(params);
    let neuron = |(index, stake): (u8, u64)| GenesisNeuron {
        track: 0,
        hotkey: account(11 + index),
        coldkey: account(1 + index),
        stake: acu(stake),
    };
    genesis.neurons = [(0, 3_000), (1, 2_000), (2, 0), (3, 0)].into_iter().map(neuron).collect();
    let mut chain = Chain::new(&genesis);
    judge(&mut chain);
    let bond_on = |chain: &Chain, uid: u16| {
        let key = StateKey::Bonds { track: TRACK, uid: Uid::ZERO };
        let row: Vec<(u16, u16)> = chain.view().get(&key).unwrap().unwrap_or_default();
        row.iter().find(|(to, _)| *to == uid).map_or(0, |(_, bond)| *bond)
    };
    assert!(bond_on(&chain, 3) > 0 && record(&chain, 2).unwrap().incentive[3] > 0);
    let newcomer = Call::Register { track: TRACK, hotkey: account(50), max_price: acu(100) };
    assert_eq!(chain.run(5, newcomer), None);
    assert_eq!(
        chain.view().uid_of(TRACK, account(50)).unwrap(),
        Some(Uid::new(3)),
        "the worst earner's slot"
    );
    chain.blocks_to(12);
    let third = record(&chain, 3).unwrap();
    assert_eq!(third.hotkeys[3], account(50));
    assert_eq!((third.incentive[3], third.server_emission[3]), (0, Nacu::ZERO), "weights meant another");
    assert_eq!(bond_on(&chain, 3), 0, "and so did bonds");
    assert!(third.incentive[2] > 0);
    judge(&mut chain);
    assert!(record(&chain, 5).unwrap().incentive[3] > 0, "weights committed since count");
}
