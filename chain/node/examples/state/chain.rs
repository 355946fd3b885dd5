//! A chain of one validator, driven block by block through the node's executor.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use acumen_chain_bft::{Application as _, Candidate, Origin};
use acumen_chain_ledger::Params;
use acumen_chain_ledger::genesis::{Genesis, GenesisBalance, GenesisTrack, GenesisValidator};
use acumen_chain_node::{Config, Executor, Node};
use acumen_protocol::vote::{Vote, VoteKind};
use acumen_protocol::{
    AccountId, Block, Call, Certificate, ConsensusKeypair, Hash, Height, Keypair, Nacu, Nonce,
    SignedTransaction, Transaction,
};
use rayon::prelude::*;

use crate::Outcome;

/// Accounts with a key: each has its own nonces.
pub(crate) const SENDERS: usize = 2_000;

/// An account that only receives.
pub(crate) fn receiver(index: usize) -> AccountId {
    AccountId(Hash::of(&index.to_le_bytes()).0)
}

fn sender(index: usize) -> Keypair {
    let mut seed = [1; 32];
    seed[..8].copy_from_slice(&index.to_le_bytes());
    Keypair::from_seed(&seed)
}

fn key() -> ConsensusKeypair {
    ConsensusKeypair::from_seed(&[50; 32])
}

fn genesis(receivers: usize) -> Genesis {
    let owner = AccountId([1; 32]);
    let senders = (0..SENDERS).map(|index| (sender(index).account(), 1_000_000));
    let all = senders.chain((0..receivers).map(|index| (receiver(index), 1)));
    let amount =
        |milli: u64| Nacu::new(milli.saturating_mul(Nacu::from_acu(1).unwrap_or_default().get() / 1_000));
    Genesis {
        chain: "state".to_owned(),
        time_ms: 1,
        params: Params::default(),
        treasury: owner,
        balances: all.map(|(account, milli)| GenesisBalance { account, amount: amount(milli) }).collect(),
        tracks: vec![GenesisTrack { name: "bytes".to_owned(), owner, emission_share: 1 }],
        neurons: Vec::new(),
        validators: vec![GenesisValidator { key: key().public(), power: 1 }],
    }
}

/// Writes genesis document, key and configuration.
pub(crate) fn create(dir: &Path, receivers: usize) -> Outcome<()> {
    std::fs::create_dir_all(dir)?;
    std::fs::write(dir.join("genesis.json"), genesis(receivers).to_json()?)?;
    std::fs::write(dir.join("key"), hex::encode(key().to_seed()))?;
    let text = "data_dir = \"data\"\ngenesis = \"genesis.json\"\nlisten = \"127.0.0.1:9944\"\nconsensus_key = \"key\"\n";
    Ok(std::fs::write(dir.join("node.toml"), text)?)
}

pub(crate) fn config(dir: &Path, keep_states: u64) -> Config {
    let config = Config {
        consensus_key: Some(PathBuf::from("key")),
        report_equivocations: false,
        keep_states,
        pool_transactions: 32_768,
        pool_bytes: 256 << 20,
        pool_per_sender: 1_024,
        ..Config::new("data", "genesis.json", ([127, 0, 0, 1], 0).into())
    };
    config.resolve(dir)
}

/// How long the steps of a block took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Steps {
    /// Choosing from the pool, executing, the state root, and the proposal on disk.
    pub(crate) propose: Duration,
    /// What another validator does with it: executing, the state root, and the candidate on disk.
    pub(crate) assess: Duration,
    /// The block on disk.
    pub(crate) commit: Duration,
}

/// The chain.
pub(crate) struct Chain {
    // Holds the ports of a node that does not run.
    _node: Node,
    pub(crate) executor: Executor,
    keys: Vec<Keypair>,
    nonces: Vec<Nonce>,
}

impl Chain {
    pub(crate) fn open(dir: &Path, keep_states: u64) -> Outcome<Self> {
        let runtime = tokio::runtime::Runtime::new()?;
        let node = runtime.block_on(Node::start(config(dir, keep_states)))?;
        let executor = node.executor().clone();
        let keys: Vec<Keypair> = (0..SENDERS).into_par_iter().map(sender).collect();
        let state = executor.store().state()?;
        let view = acumen_chain_ledger::View::new(&state);
        let nonces = keys.iter().map(|key| Ok(view.account(key.account())?.nonce)).collect::<Outcome<_>>()?;
        drop(state);
        // A second node may be opened in the same process: leave its ports to it.
        std::mem::forget(runtime);
        Ok(Self { _node: node, executor, keys, nonces })
    }

    /// Signs one transaction of the `number`th sender.
    fn next(&mut self, number: usize) -> (usize, Nonce) {
        let index = number % SENDERS;
        let nonce = self.nonces[index];
        self.nonces[index] = nonce.next().unwrap_or(nonce);
        (index, nonce)
    }

    /// Signs calls, the first one by the `from`th sender, and gives them to the pool.
    pub(crate) fn submit(&mut self, from: usize, calls: Vec<Call>) -> Outcome<()> {
        let placed: Vec<_> =
            calls.into_iter().enumerate().map(|(place, call)| (self.next(from + place), call)).collect();
        let genesis = self.executor.genesis();
        let sign = |((index, nonce), call): ((usize, Nonce), Call)| {
            let key = &self.keys[index];
            let (sender, valid_until) = (key.account(), Height::new(u64::MAX));
            Transaction { genesis, sender, nonce, valid_until, tip: Nacu::ZERO, call }.sign(key)
        };
        let signed: Vec<SignedTransaction> = placed.into_par_iter().map(sign).collect();
        signed.into_par_iter().try_for_each(|signed| self.executor.submit(signed).map(|_| ()))?;
        Ok(())
    }

    /// Builds a block from the pool and commits it.
    pub(crate) fn block(&self, assess: bool) -> Outcome<(Block, Steps)> {
        let mut steps = Steps::default();
        let begun = Instant::now();
        let block = self.executor.propose(0, &key().public())?;
        steps.propose = begun.elapsed();
        if assess {
            let begun = Instant::now();
            // In another round: what this node has built itself in round 0 stays as it is.
            let candidate =
                Candidate { round: 1, pol_round: None, proposer: key().public(), block: block.clone() };
            if !self.executor.assess(&candidate, Origin::Decided)? {
                return Err("its own block was refused".into());
            }
            steps.assess = begun.elapsed();
        }
        let certificate = certify(self.executor.genesis(), &block);
        let begun = Instant::now();
        self.executor.commit(certificate)?;
        steps.commit = begun.elapsed();
        Ok((block, steps))
    }
}

fn certify(genesis: Hash, block: &Block) -> Certificate {
    let (height, id, voter) = (block.header.height, block.header.id(), key().public());
    let vote = Vote { kind: VoteKind::Precommit, height, round: 0, block: Some(id), voter };
    Certificate { height, round: 0, block: id, signatures: vec![(voter, vote.sign(&genesis, &key()))] }
}
