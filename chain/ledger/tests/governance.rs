//! Proposals, votes, time locks, tracks (L-70 to L-77 in docs/spec/ledger.md).

mod common;

use acumen_chain_ledger::genesis::GenesisBalance;
use acumen_chain_ledger::rejection::ProposalFault;
use acumen_chain_ledger::{
    EpochRecord, Event, Governance, Params, Proposal, ProposalStatus, Rejection, StateKey, StateRead as _,
};
use acumen_protocol::call::Action;
use acumen_protocol::weights::Weights;
use acumen_protocol::{Call, Epoch, Nacu, TrackId, Uid};
use common::{Chain, account, acu, genesis, neuron, short};

fn params() -> Params {
    Params {
        stake_threshold: acu(10),
        voting_epochs: 1,
        timelock_epochs: 1,
        proposal_price: acu(3),
        unbonding_epochs: 0,
        initial_block_emission: Nacu::ZERO,
        ..short()
    }
}

/// Hotkeys 11, 12, 13 with 500, 300 and 200 ACU, 14 with 1.
fn chain() -> Chain {
    let mut genesis = genesis(params());
    genesis.neurons =
        [(1, 500), (2, 300), (3, 200), (4, 1)].map(|(tag, stake)| neuron(tag, acu(stake))).to_vec();
    Chain::new(&genesis)
}

fn set(name: &str, value: &str) -> Action {
    Action::SetParameter { name: name.to_owned(), value: value.to_owned() }
}

fn propose(tag: u8, action: Action) -> Call {
    Call::Propose { hotkey: account(10 + tag), action }
}

fn vote(tag: u8, proposal: u64, approve: bool) -> Call {
    Call::Vote { hotkey: account(10 + tag), proposal, approve }
}

fn status(chain: &Chain, id: u64) -> ProposalStatus {
    chain.view().get::<Proposal>(&StateKey::Proposal(id)).unwrap().unwrap().status
}

#[test]
fn l70_l72_l73_a_change_is_voted_on_waits_and_is_in_force() {
    let mut chain = chain();
    let burned = chain.view().supply().unwrap().burned.get();
    let events = chain.done(1, propose(1, set("fee_base", "7")));
    let closes = Epoch::new(2);
    assert!(events.contains(&Event::Proposed { proposal: 1, hotkey: account(11), closes }), "{events:?}");
    assert!(chain.view().supply().unwrap().burned.get() >= burned + acu(3).get());
    chain.done(1, vote(1, 1, true));
    chain.done(2, vote(2, 1, false));
    chain.blocks_to(7);
    assert_eq!(status(&chain, 1), ProposalStatus::Open);
    let events = chain.block(&[]).events;
    let (approve, refuse, total) = (acu(500), acu(300), acu(1_001));
    assert!(events.contains(&Event::ProposalDecided { proposal: 1, adopted: true, approve, refuse, total }));
    assert_eq!(chain.view().params().unwrap().fee_base, Params::default().fee_base, "the time lock runs");
    assert!(matches!(chain.run(3, vote(3, 1, false)), Some(Rejection::ProposalClosed { .. })));
    chain.blocks_to(11);
    let events = chain.block(&[]).events;
    assert!(events.contains(&Event::ProposalEnacted { proposal: 1 }));
    assert_eq!(chain.view().params().unwrap().fee_base, Nacu::new(7));
    assert_eq!(status(&chain, 1), ProposalStatus::Enacted);
}

#[test]
fn l71_stake_counts_once_where_it_is_when_the_vote_closes() {
    let mut chain = chain();
    chain.done(1, propose(1, set("fee_base", "7")));
    chain.done(1, vote(1, 1, true));
    chain.done(1, Call::Unstake { hotkey: account(11), amount: acu(400) });
    chain.done(1, Call::Stake { hotkey: account(13), amount: acu(400) });
    chain.done(3, vote(3, 1, false));
    chain.blocks_to(8);
    let proposal: Proposal = chain.view().get(&StateKey::Proposal(1)).unwrap().unwrap();
    let tally = proposal.tally.unwrap();
    assert_eq!((tally.approve, tally.refuse, tally.total), (acu(100), acu(600), acu(1_001)));
    assert_eq!(proposal.status, ProposalStatus::Refused);
}

#[test]
fn l72_without_a_quorum_or_a_majority_nothing_happens() {
    let mut chain = chain();
    let signed = |chain: &Chain, tag, call| chain.sign(tag, call);
    let proposals: Vec<_> = [(1, "7"), (2, "8"), (3, "9")]
        .map(|(tag, fee)| signed(&chain, tag, propose(tag, set("fee_base", fee))))
        .to_vec();
    chain.block(&proposals);
    let votes = [(2, vote(2, 2, true)), (3, vote(3, 3, true)), (1, vote(1, 3, false))];
    let votes: Vec<_> = votes.into_iter().map(|(tag, call)| signed(&chain, tag, call)).collect();
    chain.block(&votes);
    chain.blocks_to(8);
    for (id, (approve, refuse)) in [(1, (0, 0)), (2, (300, 0)), (3, (200, 500))] {
        let proposal: Proposal = chain.view().get(&StateKey::Proposal(id)).unwrap().unwrap();
        let tally = proposal.tally.unwrap();
        assert_eq!((tally.approve, tally.refuse), (acu(approve), acu(refuse)));
        assert_eq!(proposal.status, ProposalStatus::Refused, "{id}: 300 of 1,001 are no third");
    }
    assert_eq!(chain.view().params().unwrap(), params());
}

#[test]
fn l74_every_value_is_checked() {
    let mut chain = chain();
    let fault = |action, chain: &mut Chain| match chain.run(1, propose(1, action)) {
        Some(Rejection::Proposal { reason }) => reason,
        other => panic!("{other:?}"),
    };
    let name = |name: &str| name.to_owned();
    assert_eq!(
        fault(set("tempo_blocks", "9"), &mut chain),
        ProposalFault::Fixed { name: name("tempo_blocks") }
    );
    assert_eq!(fault(set("x", "9"), &mut chain), ProposalFault::Unknown { name: name("x") });
    for value in ["-1", "1.5", "\"7\"", "x", "", "65536", "[1]"] {
        let found = fault(set("kappa", value), &mut chain);
        assert_eq!(found, ProposalFault::Value { name: name("kappa") }, "{value}");
    }
    for (parameter, value) in [("max_uids", "0"), ("slash_ppm", "1000001"), ("default_take", "65535")] {
        let found = fault(set(parameter, value), &mut chain);
        assert_eq!(found, ProposalFault::Bounds { name: name(parameter) });
    }
    let unnamed = Action::CreateTrack { name: String::new(), owner: account(1), emission_share: 1 };
    assert_eq!(fault(unnamed, &mut chain), ProposalFault::TrackName);
    let unknown = Action::SetTrackShare { track: TrackId::new(9), emission_share: 1 };
    assert_eq!(fault(unknown, &mut chain), ProposalFault::UnknownTrack { track: TrackId::new(9) });
    assert_eq!(chain.run(1, propose(1, set("liquid_alpha", r#"{"low":1,"high":2,"steepness":3}"#))), None);
}

#[test]
fn l74_what_has_become_impossible_is_void() {
    let mut chain = chain();
    chain.done(1, propose(1, set("default_take", "100")));
    chain.done(1, vote(1, 1, true));
    chain.blocks_to(12);
    assert_eq!(chain.view().params().unwrap().default_take, 100);
    chain.done(1, propose(1, set("max_take", "200")));
    chain.done(2, propose(2, set("default_take", "11000")));
    let votes: Vec<_> = [2, 3].map(|id| chain.sign_at(1, vote(1, id, true), 3 + id - 2)).to_vec();
    chain.block(&votes);
    chain.blocks_to(23);
    let events = chain.block(&[]).events;
    assert!(events.contains(&Event::ProposalEnacted { proposal: 2 }));
    assert!(events.contains(&Event::ProposalVoid { proposal: 3 }), "{events:?}");
    let params = chain.view().params().unwrap();
    assert_eq!((params.max_take, params.default_take), (200, 100));
    assert_eq!(status(&chain, 3), ProposalStatus::Void);
}

#[test]
fn l75_only_owners_of_stake_have_a_say() {
    let mut chain = chain();
    assert!(matches!(chain.run(2, propose(1, set("fee_base", "7"))), Some(Rejection::NotOwner { .. })));
    assert!(matches!(chain.run(4, propose(4, set("fee_base", "7"))), Some(Rejection::TooLittleStake { .. })));
    chain.done(1, propose(1, set("fee_base", "7")));
    let second = chain.run(1, propose(1, set("fee_base", "8")));
    assert_eq!(second, Some(Rejection::ProposalPending { hotkey: account(11), proposal: 1 }));
    assert!(matches!(chain.run(4, vote(4, 1, true)), Some(Rejection::TooLittleStake { .. })));
    assert!(matches!(chain.run(1, vote(1, 2, true)), Some(Rejection::ProposalClosed { proposal: 2 })));
}

#[test]
fn l76_l77_tracks_are_opened_and_share_the_emission() {
    let mut genesis = genesis(Params { initial_block_emission: acu(1), ..params() });
    genesis.neurons = [(1, 500), (2, 300)].map(|(tag, stake)| neuron(tag, acu(stake))).to_vec();
    let mut chain = Chain::new(&genesis);
    let action = Action::CreateTrack { name: "vision".to_owned(), owner: account(6), emission_share: 3 };
    chain.done(1, propose(1, action));
    chain.done(1, vote(1, 1, true));
    chain.blocks_to(11);
    let events = chain.block(&[]).events;
    let track = TrackId::new(1);
    assert!(events.contains(&Event::TrackCreated { track }));
    let max_price = acu(100);
    for (tag, hotkey) in [(1, 11), (2, 12), (3, 33)] {
        chain.done(tag, Call::Register { track, hotkey: account(hotkey), max_price });
    }
    // Another matrix: what counts in one track says nothing in the other.
    chain.end_epoch();
    let weights = Weights::new(vec![(Uid::new(2), 1)]).unwrap();
    for hotkey in [11, 12] {
        let commitment = weights.commitment(&account(hotkey), track, chain.epoch(), &[1; 32]);
        chain.done(hotkey, Call::CommitWeights { track, commitment });
    }
    chain.end_epoch();
    for hotkey in [11, 12] {
        let elsewhere = Call::RevealWeights { track: TrackId::ZERO, weights: weights.clone(), salt: [1; 32] };
        assert!(
            matches!(chain.run(hotkey, elsewhere), Some(Rejection::NoCommitment { .. })),
            "bound to its track"
        );
        chain.done(hotkey, Call::RevealWeights { track, weights: weights.clone(), salt: [1; 32] });
    }
    chain.end_epoch();
    let epoch = chain.view().params().unwrap().epoch_of(chain.height);
    let record =
        |track| chain.view().get::<EpochRecord>(&StateKey::EpochRecord { track, epoch }).unwrap().unwrap();
    let (bytes, vision) = (record(TrackId::ZERO), record(track));
    assert_eq!(vision.incentive, [0, 0, u16::MAX]);
    assert_eq!(bytes.incentive, [0, 0]);
    let paid = |record: &EpochRecord| {
        let parts = record.server_emission.iter().chain(&record.validator_emission);
        parts.map(|part| part.get()).sum::<u64>() + record.owner_emission.get()
    };
    assert_eq!(paid(&bytes) + paid(&vision), vision.minted.get(), "conserved over the tracks");
    assert_eq!(paid(&vision), 3 * paid(&bytes), "shares 1 and 3 of four tokens");
}

#[test]
fn l75_a_delegator_speaks_for_its_own_stake() {
    let mut chain = chain();
    chain.done(4, Call::Stake { hotkey: account(11), amount: acu(100) });
    chain.done(5, Call::Stake { hotkey: account(11), amount: acu(50) });
    chain.done(6, Call::Stake { hotkey: account(11), amount: acu(9) });
    chain.done(1, propose(1, set("fee_base", "7")));
    chain.blocks_to(4);
    chain.done(1, vote(1, 1, true));
    let events = chain.done(4, vote(1, 1, false));
    let (hotkey, coldkey) = (account(11), account(4));
    assert!(events.contains(&Event::DelegatorVoted { proposal: 1, hotkey, coldkey, approve: false }));
    let refused = chain.run(6, vote(1, 1, false));
    assert!(matches!(refused, Some(Rejection::TooLittleStake { .. })), "9 ACU are below the threshold");
    assert!(matches!(chain.run(2, vote(1, 1, false)), Some(Rejection::NotOwner { .. })), "nothing on it");
    chain.block(&[]);
    let tally = chain.view().get::<Proposal>(&StateKey::Proposal(1)).unwrap().unwrap().tally.unwrap();
    assert_eq!((tally.approve, tally.refuse), (acu(559), acu(100)), "659 are staked on hotkey 11");
    let prefix = StateKey::delegator_ballots_of(1);
    chain.state.walk(&prefix, &mut |_, _| panic!("ballots are forgotten")).unwrap();
}

#[test]
fn l75_a_delegator_that_leaves_takes_its_vote_along() {
    let mut chain = chain();
    chain.done(4, Call::Stake { hotkey: account(12), amount: acu(100) });
    chain.done(1, propose(1, set("fee_base", "7")));
    chain.done(4, vote(2, 1, false));
    chain.done(4, Call::Unstake { hotkey: account(12), amount: acu(100) });
    chain.done(4, Call::Stake { hotkey: account(13), amount: acu(100) });
    chain.done(3, vote(3, 1, true));
    chain.blocks_to(8);
    let tally = chain.view().get::<Proposal>(&StateKey::Proposal(1)).unwrap().unwrap().tally.unwrap();
    assert_eq!((tally.approve, tally.refuse), (acu(300), Nacu::ZERO), "counted once, where it is");
}

/// Hotkeys 11 to 26, with 10 to 25 ACU behind them, have filled all places; 27 has 18 ACU, 28 has 30, 29 has 10.
fn filled() -> Chain {
    let mut genesis = genesis(Params { max_uids: 32, ..params() });
    let balance = |tag| GenesisBalance { account: account(tag), amount: acu(1_000) };
    genesis.balances = (1..=19).map(balance).collect();
    let stake = |tag: u8| match tag {
        1..=16 => 9 + u64::from(tag),
        17 => 18,
        18 => 30,
        _ => 10,
    };
    genesis.neurons = (1..=19).map(|tag| neuron(tag, acu(stake(tag)))).collect();
    let mut chain = Chain::new(&genesis);
    let fill: Vec<_> = (1..=16).map(|tag| chain.sign(tag, propose(tag, set("fee_base", "7")))).collect();
    assert!(chain.block(&fill).outcomes.iter().all(|outcome| outcome.failure.is_none()));
    chain
}

#[test]
fn l70_sixteen_proposals_do_not_lock_out_who_has_more_stake() {
    let mut chain = filled();
    chain.done(1, vote(1, 1, true));
    let refused = chain.run(19, propose(19, set("fee_base", "8")));
    assert_eq!(refused, Some(Rejection::TooManyProposals { live: 16 }), "as much as the least is not enough");
    let events = chain.done(17, propose(17, set("fee_base", "8")));
    assert!(events.contains(&Event::ProposalVoid { proposal: 1 }), "{events:?}");
    assert_eq!((status(&chain, 1), status(&chain, 17)), (ProposalStatus::Void, ProposalStatus::Open));
    let prefix = StateKey::ballots_of(1);
    chain.state.walk(&prefix, &mut |_, _| panic!("ballots are forgotten")).unwrap();
    assert_eq!(chain.run(1, vote(1, 1, true)), Some(Rejection::ProposalClosed { proposal: 1 }));
    let live = chain.view().get::<Governance>(&StateKey::Governance).unwrap().unwrap().live;
    assert_eq!(live, (2..=17).collect::<Vec<_>>(), "never more than sixteen");
}

#[test]
fn l70_what_was_adopted_keeps_its_place() {
    let mut chain = filled();
    // All of them are adopted; the vote closes with block 8, the time lock ends with 12.
    let mut votes = Vec::new();
    for id in 1..=16_u64 {
        for tag in [14_u8, 15, 16, 17, 18] {
            let nonce = chain.view().account(account(tag)).unwrap().nonce.get() + id - 1;
            votes.push(chain.sign_at(tag, vote(tag, id, true), nonce));
        }
    }
    assert!(chain.block(&votes).outcomes.iter().all(|outcome| outcome.failure.is_none()));
    chain.blocks_to(8);
    assert_eq!(status(&chain, 1), ProposalStatus::Adopted);
    let refused = chain.run(18, propose(18, set("fee_base", "8")));
    assert_eq!(refused, Some(Rejection::TooManyProposals { live: 16 }));
    chain.blocks_to(12);
    assert_eq!(status(&chain, 16), ProposalStatus::Enacted);
    chain.done(18, propose(18, set("fee_base", "8")));
}
