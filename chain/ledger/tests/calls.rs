//! Each call's effect and refusals (L-10 to L-29 in docs/spec/ledger.md).

mod common;

use acumen_chain_ledger::{
    BlockError, Event, Params, Rejection, StateKey, StateRead as _, check, execute_block, fee_of,
};
use acumen_protocol::domain::Domain;
use acumen_protocol::weights::Weights;
use acumen_protocol::{
    Call, ConsensusKeypair, Endpoint, Hash, Height, Nacu, Nonce, TrackId, Transaction, Uid,
};
use common::{ACU, Chain, TREASURY, account, acu, genesis, key, short};

const TRACK: TrackId = TrackId::ZERO;

fn register(hotkey: u8) -> Call {
    Call::Register { track: TRACK, hotkey: account(hotkey), max_price: acu(100) }
}

fn chain() -> Chain {
    Chain::new(&genesis(short()))
}

#[test]
fn a_transfer_moves_the_amount_and_splits_the_fee() {
    let mut chain = chain();
    let transaction = chain.sign(1, Call::Transfer { to: account(9), amount: acu(5) });
    let fee = fee_of(&short(), transaction.size()).get();
    chain.block(&[transaction]);
    assert_eq!(chain.free(9), 5 * ACU);
    assert_eq!(chain.free(1), 9_995 * ACU - fee);
    assert_eq!(chain.free(TREASURY), fee / 2);
    assert_eq!(chain.view().supply().unwrap().burned.get(), fee - fee / 2);
}

#[test]
fn a_failed_transaction_pays_its_fee_and_does_nothing_else() {
    let mut chain = chain();
    let transaction = chain.sign(1, Call::Transfer { to: account(2), amount: acu(20_000) });
    let fee = fee_of(&short(), transaction.size());
    let outcome = chain.block(&[transaction]);
    assert!(matches!(outcome.outcomes[0].failure, Some(Rejection::Balance { .. })));
    assert!(matches!(outcome.events.as_slice(), [Event::Failed { .. }]));
    assert_eq!(chain.free(1), 10_000 * ACU - fee.get());
    assert_eq!(chain.free(2), 10_000 * ACU);
    assert_eq!(chain.view().account(account(1)).unwrap().nonce, Nonce::new(1));
}

#[test]
fn a_tip_is_paid_and_split_like_the_fee() {
    let mut chain = chain();
    let (sender, tip) = (account(1), Nacu::new(1_001));
    let call = Call::Transfer { to: account(2), amount: acu(1) };
    let transaction = Transaction {
        genesis: chain.genesis,
        sender,
        nonce: Nonce::ZERO,
        valid_until: Height::new(u64::MAX),
        tip,
        call,
    };
    let transaction = transaction.sign(&key(1)).verify(&chain.genesis).unwrap();
    let due = fee_of(&short(), transaction.size()).get() + tip.get();
    let before = chain.free(TREASURY);
    let outcome = chain.block(&[transaction]);
    assert_eq!(outcome.outcomes[0].fee.get(), due);
    assert_eq!(chain.free(1), 10_000 * ACU - ACU - due);
    assert_eq!(chain.free(TREASURY) - before, due / 2);
}

#[test]
fn inadmissible_transactions_refuse_the_block_and_the_pool_says_why() {
    let chain = chain();
    let call = || Call::Transfer { to: account(2), amount: acu(1) };
    let late = chain.sign_at(1, call(), 1);
    let poor = chain.sign_at(50, call(), 0);
    let expired = Transaction {
        genesis: chain.genesis,
        sender: account(1),
        nonce: Nonce::ZERO,
        valid_until: Height::ZERO,
        tip: Nacu::ZERO,
        call: call(),
    };
    let expired = expired.sign(&key(1)).verify(&chain.genesis).unwrap();
    for (transaction, gap) in [(&late, 0), (&poor, 0), (&expired, 5)] {
        let block = execute_block(&chain.state, chain.context(), std::slice::from_ref(transaction));
        assert!(matches!(block, Err(BlockError::Inadmissible { .. })), "{block:?}");
        let checked = check(&chain.state, &chain.context(), transaction, gap).unwrap();
        assert!(checked.is_err());
    }
    let wrong = check(&chain.state, &chain.context(), &late, 0).unwrap().unwrap_err();
    assert_eq!(wrong, Rejection::Nonce { expected: Nonce::ZERO, found: Nonce::new(1) });
    assert_eq!(check(&chain.state, &chain.context(), &late, 1).unwrap().map(drop), Ok(()));
}

#[test]
fn registration_burns_the_price_which_then_rises_and_decays() {
    let mut chain = chain();
    assert_eq!(chain.run(1, register(11)), None);
    let track = chain.view().track(TRACK).unwrap().unwrap();
    let decayed = acumen_scoring_consensus::registration::PriceRule::default().next_block(ACU);
    assert_eq!(track.price.get(), decayed * 126 / 100, "one block of decay, then the multiplier");
    let half = track.price_at(&short(), Height::new(chain.height.get() + 360));
    assert!(half.get().abs_diff(track.price.get() / 2) < 1_000, "{half}");
    assert_eq!(
        chain.run(1, register(11)).map(|r| matches!(r, Rejection::AlreadyRegistered { .. })),
        Some(true)
    );
    assert!(matches!(chain.run(2, register(11)), Some(Rejection::NotOwner { .. })));
    let cheap = Call::Register { track: TRACK, hotkey: account(12), max_price: Nacu::new(1) };
    assert!(matches!(chain.run(1, cheap), Some(Rejection::PriceTooHigh { .. })));
    assert!(chain.view().supply().unwrap().burned.get() > decayed * 99 / 100, "the price is gone");
}

/// Its coldkey pays: whoever has stolen a hotkey must not be able to tip away what its owner has.
#[test]
fn l13_a_hotkey_cannot_tip_away_its_owners_balance() {
    let mut chain = chain();
    chain.run(1, register(11));
    let tipped = |chain: &Chain, tip: u64| {
        let call = chain.bind(11, 31);
        let (genesis, sender, nonce) = (chain.genesis, account(11), Nonce::ZERO);
        let (valid_until, tip) = (Height::new(99), Nacu::new(tip));
        let transaction = Transaction { genesis, sender, nonce, valid_until, tip, call };
        transaction.sign(&key(11)).verify(&chain.genesis).unwrap()
    };
    let most = fee_of(&short(), tipped(&chain, ACU).size()).get() * 10;
    let refused = check(&chain.state, &chain.context(), &tipped(&chain, 5_000 * ACU), 0).unwrap();
    assert!(matches!(refused, Err(Rejection::HotkeyTip { .. })), "{refused:?}");
    assert!(execute_block(&chain.state, chain.context(), &[tipped(&chain, most + 1_000)]).is_err());
    assert_eq!(chain.block(&[tipped(&chain, most - 1_000)]).outcomes[0].failure, None);
}

#[test]
fn a_full_track_prunes_and_the_newcomer_inherits_nothing() {
    let params = Params { max_uids: 2, immunity_blocks: 1, min_non_immune: 0, ..short() };
    let mut chain = Chain::new(&genesis(params));
    chain.run(1, register(11));
    chain.run(1, register(12));
    let serve =
        Call::Serve { track: TRACK, endpoint: Endpoint::new("http://a:1", Hash::ZERO, None).unwrap() };
    assert_eq!(chain.run(11, serve.clone()), None);
    let weights = Weights::new(vec![(Uid::new(1), 1)]).unwrap();
    let commitment = weights.commitment(&account(11), TRACK, chain.epoch(), &[3; 32]);
    assert_eq!(chain.run(11, Call::CommitWeights { track: TRACK, commitment }), None);
    let reveal = Call::RevealWeights { track: TRACK, weights, salt: [3; 32] };
    assert_eq!(chain.run(11, reveal), None);
    assert_eq!(chain.run(11, Call::CommitWeights { track: TRACK, commitment }), None);
    let slot = |key: StateKey, chain: &Chain| chain.state.get(&key.to_bytes()).unwrap();
    let (track, uid) = (TRACK, Uid::ZERO);
    let inherited = [StateKey::Weights { track, uid }, StateKey::Commits { track, uid }];
    assert!(inherited.iter().all(|key| slot(*key, &chain).is_some()));
    assert_eq!(chain.run(2, register(13)), None);
    assert!(inherited.iter().all(|key| slot(*key, &chain).is_none()));
    assert_eq!(chain.view().uid_of(TRACK, account(11)).unwrap(), None);
    let newcomer = chain.view().neuron(TRACK, Uid::ZERO).unwrap();
    assert_eq!((newcomer.hotkey, newcomer.endpoint), (account(13), None));
    assert!(matches!(chain.run(11, serve), Some(Rejection::NotInTrack { .. })));
}

#[test]
fn an_immune_slot_outlives_a_better_earner() {
    let params = Params { max_uids: 2, immunity_blocks: 5, min_non_immune: 0, ..short() };
    let mut chain = Chain::new(&genesis(params));
    chain.run(1, register(11));
    chain.run(1, Call::Stake { hotkey: account(11), amount: acu(5) });
    chain.blocks_to(5);
    chain.run(1, register(12));
    assert!(chain.view().neuron(TRACK, Uid::ZERO).unwrap().emission > Nacu::ZERO);
    assert_eq!(chain.run(2, register(13)), None);
    assert_eq!(chain.view().uid_of(TRACK, account(13)).unwrap(), Some(Uid::ZERO));
    assert_eq!(chain.view().uid_of(TRACK, account(12)).unwrap(), Some(Uid::new(1)));
}

#[test]
fn stake_pays_out_what_it_is_worth() {
    let mut chain = Chain::new(&genesis(Params { tempo_blocks: 100, ..short() }));
    chain.run(1, register(11));
    assert_eq!(chain.run(2, Call::Stake { hotkey: account(11), amount: acu(100) }), None);
    let more = Call::Unstake { hotkey: account(11), amount: acu(101) };
    assert!(matches!(chain.run(2, more), Some(Rejection::StakeTooLow { .. })));
    assert_eq!(chain.run(2, Call::Unstake { hotkey: account(11), amount: acu(40) }), None);
    let pool = chain.view().hotkey(account(11)).unwrap().unwrap();
    assert_eq!(pool.total_stake, acu(60));
    let unknown = Call::Stake { hotkey: account(77), amount: acu(1) };
    assert!(matches!(chain.run(2, unknown), Some(Rejection::NotRegistered { .. })));
    assert_eq!(
        chain.run(2, Call::Stake { hotkey: account(11), amount: Nacu::ZERO }),
        Some(Rejection::ZeroAmount)
    );
}

#[test]
fn weights_are_revealed_in_the_next_epoch_only() {
    let mut chain = chain();
    chain.run(1, register(11));
    let weights = Weights::new(vec![(Uid::ZERO, 1)]).unwrap();
    let commitment = weights.commitment(&account(11), TRACK, chain.epoch(), &[3; 32]);
    let reveal = |salt| Call::RevealWeights { track: TRACK, weights: weights.clone(), salt: [salt; 32] };
    assert_eq!(chain.run(11, Call::CommitWeights { track: TRACK, commitment }), None);
    assert!(matches!(chain.run(11, reveal(3)), Some(Rejection::NoCommitment { .. })), "too early");
    chain.blocks_to(4);
    assert!(matches!(chain.run(11, reveal(4)), Some(Rejection::CommitmentMismatch { .. })));
    assert_eq!(chain.run(11, reveal(3)), None, "a failed reveal does not use the commitment up");
    assert!(matches!(chain.run(11, reveal(3)), Some(Rejection::NoCommitment { .. })), "once only");
    chain.run(11, Call::CommitWeights { track: TRACK, commitment });
    chain.blocks_to(12);
    assert!(matches!(chain.run(11, reveal(3)), Some(Rejection::NoCommitment { .. })), "too late");
}

#[test]
fn takes_and_consensus_keys_have_owners() {
    let mut chain = chain();
    chain.run(1, register(11));
    chain.run(2, register(12));
    let take = |take| Call::SetTake { hotkey: account(11), take };
    assert_eq!(chain.run(1, take(5)), None);
    assert!(matches!(chain.run(2, take(5)), Some(Rejection::NotOwner { .. })));
    assert!(matches!(chain.run(1, take(60_000)), Some(Rejection::TakeTooHigh { .. })));
    let node = ConsensusKeypair::from_seed(&[5; 32]);
    let proof = |tag| node.sign_in(Domain::ConsensusKey, &(chain.genesis, account(tag)));
    let calls = [11, 12].map(|tag| Call::RegisterConsensusKey { key: node.public(), proof: proof(tag) });
    let [mine, theirs] = calls;
    assert_eq!(chain.run(12, mine.clone()), Some(Rejection::ConsensusKeyProof));
    assert_eq!(chain.run(11, mine), None);
    assert!(matches!(chain.run(12, theirs), Some(Rejection::ConsensusKeyTaken { .. })));
    let stranger = Call::CommitWeights { track: TRACK, commitment: Hash::ZERO };
    let stranger = chain.sign(60, stranger);
    let checked = check(&chain.state, &chain.context(), &stranger, 0).unwrap();
    assert!(matches!(checked, Err(Rejection::NotRegistered { .. })));
}
