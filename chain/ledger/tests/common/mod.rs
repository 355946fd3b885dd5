//! A chain in memory for tests: keys, a genesis, blocks.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use acumen_chain_ledger::genesis::{GenesisBalance, GenesisNeuron, GenesisTrack, GenesisValidator};
use acumen_chain_ledger::{
    BlockContext, BlockOutcome, Event, Genesis, Hotkey, MemoryState, Overlay, Params, Rejection, Stake,
    StateKey, View, audit, execute_block,
};
use acumen_protocol::domain::Domain;
use acumen_protocol::transaction::VerifiedTransaction;
use acumen_protocol::{
    AccountId, Call, ConsensusKeypair, ConsensusPublic, Epoch, Hash, Height, Keypair, Nacu, Nonce,
    TimestampMs, Transaction,
};

pub const ACU: u64 = Nacu::PER_ACU;

pub fn key(tag: u8) -> Keypair {
    Keypair::from_seed(&[tag; 32])
}

pub fn account(tag: u8) -> AccountId {
    key(tag).account()
}

pub fn acu(amount: u64) -> Nacu {
    Nacu::from_acu(amount).unwrap()
}

pub fn node_key(tag: u8) -> ConsensusKeypair {
    ConsensusKeypair::from_seed(&[tag; 32])
}

/// A neuron of track 0: hotkey `10 + tag`, owned by coldkey `tag`.
pub fn neuron(tag: u8, stake: Nacu) -> GenesisNeuron {
    GenesisNeuron { track: 0, hotkey: account(10 + tag), coldkey: account(tag), stake }
}

pub const TREASURY: u8 = 90;
pub const OWNER: u8 = 91;

pub fn genesis(params: Params) -> Genesis {
    let balance = |tag| GenesisBalance { account: account(tag), amount: acu(10_000) };
    Genesis {
        chain: "test".to_owned(),
        time_ms: 1_000,
        params,
        treasury: account(TREASURY),
        balances: (1..=6).map(balance).collect(),
        tracks: vec![GenesisTrack { name: "bytes".to_owned(), owner: account(OWNER), emission_share: 1 }],
        neurons: Vec::new(),
        validators: vec![GenesisValidator { key: ConsensusKeypair::from_seed(&[7; 32]).public(), power: 1 }],
    }
}

pub fn short() -> Params {
    Params { tempo_blocks: 4, stake_threshold: Nacu::ZERO, max_uids: 8, ..Params::default() }
}

pub struct Chain {
    pub state: MemoryState,
    pub genesis: Hash,
    pub height: Height,
}

impl Chain {
    pub fn new(genesis: &Genesis) -> Self {
        let state = MemoryState::from(genesis.state().unwrap());
        Self { state, genesis: genesis.hash().unwrap(), height: Height::ZERO }
    }

    pub fn view(&self) -> View<'_> {
        View::new(&self.state)
    }

    /// Makes the stake on hotkey `10 + tag`, all of it coldkey `tag`'s, count so many shares only: what earnings lead to
    /// that raise the worth of a share above a base unit.
    pub fn make_dear(&mut self, tag: u8, shares: u128) {
        let (hotkey, coldkey) = (account(10 + tag), account(tag));
        let info = self.view().hotkey(hotkey).unwrap().unwrap();
        assert_eq!(self.view().stake(hotkey, coldkey).unwrap().shares, info.total_shares, "the only staker");
        let mut changes = Overlay::new(&self.state);
        changes.put(&StateKey::Hotkey(hotkey), &Hotkey { total_shares: shares, ..info });
        changes.put(&StateKey::Stake { hotkey, coldkey }, &Stake { shares });
        let changes = changes.into_raw();
        self.state.apply(changes);
    }

    /// The epoch of the next block.
    pub fn epoch(&self) -> Epoch {
        self.view().params().unwrap().epoch_of(self.height.next().unwrap())
    }

    pub fn free(&self, tag: u8) -> u64 {
        self.view().account(account(tag)).unwrap().free.get()
    }

    pub fn context(&self) -> BlockContext {
        let height = self.height.next().unwrap();
        BlockContext { genesis: self.genesis, height, time: TimestampMs::new(1_000 + height.get()) }
    }

    pub fn sign_at(&self, tag: u8, call: Call, nonce: u64) -> VerifiedTransaction {
        self.sign_with(&key(tag), call, nonce)
    }

    pub fn sign_with(&self, key: &Keypair, call: Call, nonce: u64) -> VerifiedTransaction {
        let sender = key.account();
        let valid_until = Height::new(u64::MAX);
        let nonce = Nonce::new(nonce);
        let tip = Nacu::ZERO;
        let transaction = Transaction { genesis: self.genesis, sender, nonce, valid_until, tip, call };
        transaction.sign(key).verify(&self.genesis).unwrap()
    }

    pub fn sign(&self, tag: u8, call: Call) -> VerifiedTransaction {
        let nonce = self.view().account(account(tag)).unwrap().nonce;
        self.sign_at(tag, call, nonce.get())
    }

    /// One block, applied and audited.
    pub fn block(&mut self, transactions: &[VerifiedTransaction]) -> BlockOutcome {
        let outcome = execute_block(&self.state, self.context(), transactions).unwrap();
        self.state.apply(outcome.changes.clone());
        self.height = self.height.next().unwrap();
        audit(&self.state).unwrap();
        outcome
    }

    /// One block with one transaction; its failure.
    pub fn run(&mut self, tag: u8, call: Call) -> Option<Rejection> {
        let transaction = self.sign(tag, call);
        self.block(&[transaction]).outcomes.remove(0).failure
    }

    /// One block with one transaction that succeeds; its events.
    pub fn done(&mut self, tag: u8, call: Call) -> Vec<Event> {
        let transaction = self.sign(tag, call);
        let outcome = self.block(&[transaction]);
        assert_eq!(outcome.outcomes[0].failure, None);
        outcome.events
    }

    /// Empty blocks up to the end of the present epoch; the events of its last one.
    pub fn end_epoch(&mut self) -> Vec<Event> {
        let tempo = self.view().params().unwrap().tempo_blocks;
        let last = (self.height.get() / tempo + 1) * tempo;
        self.blocks_to(last - 1);
        self.block(&[]).events
    }

    /// The call by which hotkey `tag` binds the consensus key of `node`.
    pub fn bind(&self, tag: u8, node: u8) -> Call {
        let node = node_key(node);
        let proof = node.sign_in(Domain::ConsensusKey, &(self.genesis, account(tag)));
        Call::RegisterConsensusKey { key: node.public(), proof }
    }

    /// The set that decides the next block: (key, power).
    pub fn set(&self) -> Vec<(ConsensusPublic, u64)> {
        let set = self.view().validators().unwrap();
        set.validators().iter().map(|voter| (voter.key, voter.power)).collect()
    }

    pub fn blocks_to(&mut self, height: u64) {
        while self.height.get() < height {
            self.block(&[]);
        }
    }
}
