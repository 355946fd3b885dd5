//! The same blocks give the same state root on every machine: with 1 thread and with 8, unoptimised and optimised (L-2).
//! The root below is committed; `cargo test --release -p acumen-chain-ledger --test golden` compares the optimised build.

mod common;

use acumen_chain_ledger::{Changes, Params, tree};
use acumen_protocol::call::Action;
use acumen_protocol::vote::{Equivocation, Signed, Vote, VoteKind};
use acumen_protocol::weights::Weights;
use acumen_protocol::{Call, Endpoint, Hash, Height, Nacu, TrackId, Uid};
use common::{Chain, account, acu, genesis, neuron, node_key};

/// Change it only with a change of the ledger's rules, and say so in the change log.
const ROOT: &str = "0x6f0a6210cc9b172c7c1458e85c3570f58085ad8c3d7db462ce6076fb2d630d1e";

const TRACK: TrackId = TrackId::ZERO;
const HOTKEYS: std::ops::RangeInclusive<u8> = 11..=42;

/// 32 neurons, four tempos of weights, stake, unbonding, takes, a slash, a vote, a pruning.
fn story() -> Hash {
    let params = Params {
        tempo_blocks: 5,
        max_uids: 32,
        max_validators: 8,
        immunity_blocks: 3,
        min_non_immune: 1,
        stake_threshold: acu(10),
        bootstrap_validators: 1,
        bootstrap_stake: acu(1),
        validator_min_stake: acu(50),
        unbonding_epochs: 1,
        voting_epochs: 0,
        timelock_epochs: 1,
        ..Params::default()
    };
    let mut genesis = genesis(params);
    genesis.neurons = HOTKEYS
        .map(|hotkey| {
            let coldkey = account(1 + (hotkey - 11) % 6);
            acumen_chain_ledger::genesis::GenesisNeuron {
                hotkey: account(hotkey),
                coldkey,
                ..neuron(1, acu(u64::from(hotkey) * u64::from(hotkey)))
            }
        })
        .collect();
    let mut chain = Chain::new(&genesis);
    for epoch in 0..4_u8 {
        judge(&mut chain, epoch);
        events_of(&mut chain, epoch);
        chain.end_epoch();
    }
    let mut values = Changes::new();
    for (key, value) in chain.state.iter() {
        values.insert(key.to_vec(), Some(value.to_vec()));
    }
    tree::root_of(&values).unwrap()
}

fn row(hotkey: u8, epoch: u8) -> Weights {
    let weight = |uid: u16| (u16::from(hotkey) * 977 + uid * 331 + u16::from(epoch) * 53) % 1_000;
    Weights::new((0..32).map(|uid| (Uid::new(uid), weight(uid))).collect()).unwrap()
}

/// Everybody commits, and reveals what was committed in the epoch before.
fn judge(chain: &mut Chain, epoch: u8) {
    let commits: Vec<_> = HOTKEYS
        .map(|hotkey| {
            let commitment =
                row(hotkey, epoch).commitment(&account(hotkey), TRACK, chain.epoch(), &[epoch; 32]);
            chain.sign(hotkey, Call::CommitWeights { track: TRACK, commitment })
        })
        .collect();
    chain.block(&commits);
    if let Some(before) = epoch.checked_sub(1) {
        let reveal =
            |hotkey| Call::RevealWeights { track: TRACK, weights: row(hotkey, before), salt: [before; 32] };
        let reveals: Vec<_> = HOTKEYS.map(|hotkey| chain.sign(hotkey, reveal(hotkey))).collect();
        chain.block(&reveals);
    }
}

fn events_of(chain: &mut Chain, epoch: u8) {
    let calls: Vec<(u8, Call)> = match epoch {
        0 => {
            let endpoint = Endpoint::new("http://a:1", Hash([5; 32]), None).unwrap();
            let (one, two) = (chain.bind(11, 71), chain.bind(42, 72));
            vec![(11, one), (42, two), (12, Call::Serve { track: TRACK, endpoint })]
        }
        1 => {
            let action = Action::SetParameter { name: "kappa".to_owned(), value: "30000".to_owned() };
            let hotkey = account(42);
            let owner = 1 + (42 - 11) % 6;
            let vote = Call::Vote { hotkey, proposal: 1, approve: true };
            let stake = Call::Stake { hotkey: account(15), amount: acu(321) };
            let calls = vec![Call::Propose { hotkey, action }, vote, stake];
            vec![(owner, Call::Batch { calls })]
        }
        2 => vec![
            (5, Call::Unstake { hotkey: account(15), amount: Nacu::new(9_876_543_211) }),
            (5, Call::SetTake { hotkey: account(15), take: 77 }),
            (6, Call::Register { track: TRACK, hotkey: account(60), max_price: acu(100) }),
        ],
        _ => vec![(3, offence(chain))],
    };
    for (signer, call) in calls {
        chain.done(signer, call);
    }
}

fn offence(chain: &Chain) -> Call {
    let key = node_key(72);
    let signed = |tag| {
        let (kind, height, round) = (VoteKind::Precommit, Height::new(17), 0);
        let message = Vote { kind, height, round, block: Some(Hash([tag; 32])), voter: key.public() };
        Signed { message, signature: message.sign(&chain.genesis, &key) }
    };
    Call::ReportEquivocation { evidence: Box::new(Equivocation::votes(signed(1), signed(2))) }
}

#[test]
fn l2_the_root_is_the_same_for_1_and_8_threads_and_the_committed_one() {
    for threads in [1, 8] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let root = pool.install(story);
        assert_eq!(root.to_string(), ROOT, "with {threads} threads");
    }
}
