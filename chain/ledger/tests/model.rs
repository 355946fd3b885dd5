//! The ledger against a naive model in big integers, written from docs/spec/ledger.md without the ledger's code: after
//! every block of 10,000 random sequences both hold the same amounts, to the last base unit (L-3, L-12 to L-18, L-35,
//! L-50 to L-56, L-61).

mod common;
#[path = "model/naive.rs"]
mod naive;
#[path = "model/pool.rs"]
mod pool;

use acumen_chain_ledger::genesis::GenesisValidator;
use acumen_chain_ledger::{BlockBuilder, BlockOutcome, MemoryState, Params, View};
use acumen_protocol::vote::{Equivocation, Signed, Vote, VoteKind};
use acumen_protocol::{Call, Hash, Height, Nacu, TrackId};
use common::{Chain, account, acu, genesis, neuron, node_key, short};
use naive::Model;
use proptest::prelude::*;

const TRACK: TrackId = TrackId::ZERO;

/// What somebody does, in small numbers so that steps meet.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Transfer { from: u8, to: u8, amount: u64 },
    Stake { from: u8, hotkey: u8, amount: u64 },
    Unstake { from: u8, hotkey: u8, amount: u64 },
    Register { from: u8, hotkey: u8 },
    SetTake { from: u8, hotkey: u8, take: u16 },
    Bind { hotkey: u8 },
    Report { from: u8, hotkey: u8 },
    Batch { from: u8, calls: Vec<Self> },
    NextBlock,
}

impl Step {
    /// Who signs; nobody a new block.
    pub(crate) fn signer(&self) -> Option<u8> {
        match self {
            Self::Transfer { from, .. }
            | Self::Stake { from, .. }
            | Self::Unstake { from, .. }
            | Self::Register { from, .. }
            | Self::SetTake { from, .. }
            | Self::Report { from, .. }
            | Self::Batch { from, .. } => Some(*from),
            Self::Bind { hotkey } => Some(*hotkey),
            Self::NextBlock => None,
        }
    }

    fn call(&self, chain: &Chain) -> Call {
        match self {
            Self::Transfer { to, amount, .. } => {
                Call::Transfer { to: account(*to), amount: Nacu::new(*amount) }
            }
            Self::Stake { hotkey, amount, .. } => {
                Call::Stake { hotkey: account(*hotkey), amount: Nacu::new(*amount) }
            }
            Self::Unstake { hotkey, amount, .. } => {
                Call::Unstake { hotkey: account(*hotkey), amount: Nacu::new(*amount) }
            }
            Self::Register { hotkey, .. } => {
                Call::Register { track: TRACK, hotkey: account(*hotkey), max_price: acu(1) }
            }
            Self::SetTake { hotkey, take, .. } => Call::SetTake { hotkey: account(*hotkey), take: *take },
            Self::Bind { hotkey } => chain.bind(*hotkey, hotkey + 10),
            Self::Report { hotkey, .. } => report(chain, hotkey + 10),
            Self::Batch { calls, .. } => {
                Call::Batch { calls: calls.iter().map(|step| step.call(chain)).collect() }
            }
            Self::NextBlock => unreachable!("no call"),
        }
    }
}

fn report(chain: &Chain, node: u8) -> Call {
    let key = node_key(node);
    let signed = |block| {
        let (kind, round) = (VoteKind::Prevote, 1);
        let message = Vote { kind, height: chain.context().height, round, block, voter: key.public() };
        Signed { message, signature: message.sign(&chain.genesis, &key) }
    };
    let evidence = Box::new(Equivocation::votes(signed(None), signed(Some(Hash([9; 32])))));
    Call::ReportEquivocation { evidence }
}

fn step() -> impl Strategy<Value = Step> {
    let amount = || prop_oneof![0..3_u64, 0..20_000_000_000_u64, 0..300_000_000_000_u64];
    let (cold, hot) = (|| 1..=4_u8, || 11..=14_u8);
    let single = prop_oneof![
        4 => (cold(), 1..=5_u8, amount()).prop_map(|(from, to, amount)| Step::Transfer { from, to, amount }),
        6 => (cold(), hot(), amount()).prop_map(|(from, hotkey, amount)| Step::Stake { from, hotkey, amount }),
        6 => (cold(), hot(), amount()).prop_map(|(from, hotkey, amount)| Step::Unstake { from, hotkey, amount }),
        2 => (cold(), hot()).prop_map(|(from, hotkey)| Step::Register { from, hotkey }),
        2 => (cold(), hot(), 0..14_000_u16).prop_map(|(from, hotkey, take)| Step::SetTake { from, hotkey, take }),
        1 => (cold(), hot()).prop_map(|(from, hotkey)| Step::Report { from, hotkey }),
    ];
    let batched = (cold(), prop::collection::vec(single.clone(), 1..4)).prop_map(|(from, calls)| {
        Step::Batch { from, calls: calls.into_iter().map(|step| step.signed_by(from)).collect() }
    });
    let bind = hot().prop_map(|hotkey| Step::Bind { hotkey });
    prop_oneof![14 => single, 2 => batched, 2 => bind, 8 => Just(Step::NextBlock)]
}

impl Step {
    /// The calls of a batch have its signer.
    fn signed_by(mut self, signer: u8) -> Self {
        match &mut self {
            Self::Transfer { from, .. }
            | Self::Stake { from, .. }
            | Self::Unstake { from, .. }
            | Self::Register { from, .. }
            | Self::SetTake { from, .. }
            | Self::Report { from, .. } => *from = signer,
            _ => {}
        }
        self
    }
}

fn params() -> Params {
    Params {
        // Odd fees, so that halving one leaves a unit; a price that stands still.
        fee_base: Nacu::new(100_001),
        fee_per_byte: Nacu::new(3),
        price_half_life_blocks: 0,
        price_multiplier_ppm: 1_000_000,
        initial_price: acu(1),
        unbonding_epochs: 1,
        take_notice_epochs: 1,
        jail_epochs: 0,
        slash_ppm: 333_333,
        reporter_ppm: 70_007,
        tempo_blocks: 2,
        ..short()
    }
}

/// The chain with 300 ACU for each coldkey and a stake on each of its hotkeys, in so many shares.
fn start(dear: &[(u8, u32)]) -> Chain {
    let mut genesis = genesis(params());
    for balance in &mut genesis.balances {
        balance.amount = acu(300);
    }
    // Nodes 21 to 24 decide from the start, so that what they sign counts before a hotkey has bound them, and after.
    let keys = (21..=24).map(|node| node_key(node).public());
    genesis.validators.extend(keys.map(|key| GenesisValidator { key, power: 1 }));
    genesis.neurons = (1..=3).map(|tag| neuron(tag, acu(10 * u64::from(tag)))).collect();
    let mut chain = Chain::new(&genesis);
    dear.iter().for_each(|(tag, shares)| chain.make_dear(*tag, (*shares).into()));
    chain
}

/// Pools of which a share is worth 10 ACU, about 3 ACU, and 30,000 base units: fewer shares than base units.
const DEAR: [(u8, u32); 3] = [(1, 1), (2, 7), (3, 1_000_003)];

/// Runs the steps on both sides; says where they part.
fn run(chain: &mut Chain, model: &mut Model, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut waiting = Vec::new();
    for step in steps.iter().chain([&Step::NextBlock]) {
        if step.signer().is_some() {
            waiting.push(step.clone());
            continue;
        }
        let outcome = block(chain, model, &std::mem::take(&mut waiting))?;
        model.end_block(chain.height.get(), &outcome.events, View::new(&chain.state));
        model.compare(View::new(&chain.state))?;
    }
    Ok(())
}

fn block(chain: &mut Chain, model: &mut Model, steps: &[Step]) -> Result<BlockOutcome, TestCaseError> {
    let state: MemoryState = chain.state.clone();
    let mut builder = BlockBuilder::new(&state, chain.context()).unwrap();
    let mut nonces = [0_u64; 256];
    for step in steps {
        let signer = step.signer().unwrap();
        let nonce = chain.view().account(account(signer)).unwrap().nonce.get() + nonces[usize::from(signer)];
        let signed = chain.sign_at(signer, step.call(chain), nonce);
        let taken = builder.push(&signed).unwrap();
        let expected = model.apply(step, signed.size(), chain.height.get() + 1);
        prop_assert_eq!(taken.is_ok(), expected.is_some(), "admissible? {:?}: {:?}", step, taken);
        nonces[usize::from(signer)] += u64::from(taken.is_ok());
        model.expect.extend(expected);
    }
    let outcome = builder.finish().unwrap();
    let applied: Vec<bool> = outcome.outcomes.iter().map(|outcome| outcome.failure.is_none()).collect();
    prop_assert_eq!(&applied, &std::mem::take(&mut model.expect), "{:?} {:?}", steps, outcome.outcomes);
    chain.state.apply(outcome.changes.clone());
    chain.height = Height::new(chain.height.get() + 1);
    Ok(outcome)
}

/// A quarter of the 10,000 sequences, so that the cores share them.
fn quarter(seed: u8, dear: &[(u8, u32)]) {
    let config = ProptestConfig { cases: 2_500, failure_persistence: None, ..ProptestConfig::default() };
    let rng =
        proptest::test_runner::TestRng::from_seed(proptest::test_runner::RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = proptest::test_runner::TestRunner::new_with_rng(config, rng);
    let begin = start(dear);
    let result = runner.run(&prop::collection::vec(step(), 1..16), |steps| {
        let mut chain = Chain { state: begin.state.clone(), genesis: begin.genesis, height: begin.height };
        let mut model = Model::new(&params(), dear, View::new(&chain.state));
        run(&mut chain, &mut model, &steps)
    });
    result.unwrap();
}

#[test]
fn l3_the_first_quarter_of_10000_sequences() {
    quarter(1, &[]);
}

#[test]
fn l3_the_second_quarter_of_10000_sequences() {
    quarter(2, &[]);
}

#[test]
fn l3_the_third_quarter_of_10000_sequences_with_dear_shares() {
    quarter(3, &DEAR);
}

#[test]
fn l3_the_last_quarter_of_10000_sequences_with_dear_shares() {
    quarter(4, &DEAR);
}
