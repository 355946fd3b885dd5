//! A validator that runs twice, as an operator's spare machine with a copy of the key does: three real nodes hear it
//! contradict itself, report it by themselves, and it is slashed once (C22, L-60 to L-67).

mod common;

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use acumen_chain_bft::{Config as Engine, Network, Patience};
use acumen_chain_ledger::genesis::{GenesisNeuron, GenesisValidator};
use acumen_chain_ledger::{Genesis, KeyRecord, Params, StateKey, View};
use acumen_chain_node::{Config, Consensus, Executor, Node};
use acumen_protocol::domain::Domain;
use acumen_protocol::{Call, ConsensusKeypair, Height, Keypair, Nacu, Transaction};
use common::{Running, account, acu, key};
use tokio_util::sync::CancellationToken;

const HONEST: [u8; 3] = [21, 22, 23];
const LIAR: u8 = 24;
const BLOCK_TIME: Duration = Duration::from_millis(100);

fn node_key(tag: u8) -> ConsensusKeypair {
    ConsensusKeypair::from_seed(&[tag; 32])
}

/// Four validators of genesis; hotkey 11 has 1,000 ACU of stake and will bind the liar's key.
fn genesis() -> Genesis {
    let keys = HONEST.into_iter().chain([LIAR]);
    let validators = keys.map(|tag| GenesisValidator { key: node_key(tag).public(), power: 1 }).collect();
    let neurons =
        vec![GenesisNeuron { track: 0, hotkey: account(11), coldkey: account(1), stake: acu(1_000) }];
    // Nothing is minted, so that whatever changes a stake is the slash.
    let base = common::genesis();
    let params = Params { initial_block_emission: Nacu::ZERO, ..base.params };
    Genesis { params, validators, neurons, ..base }
}

/// A free port of this machine, as a multiaddress.
fn free_address() -> String {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!("/ip4/127.0.0.1/tcp/{port}")
}

fn others(addresses: &[String], own: &str) -> Vec<String> {
    addresses.iter().filter(|address| *address != own).cloned().collect()
}

fn config(dir: &Path, genesis: &Genesis, tag: Option<u8>, addresses: &[String], own: &str) -> Config {
    let config = common::config(dir, genesis);
    if let Some(tag) = tag {
        std::fs::write(dir.join("key"), hex::encode(node_key(tag).to_seed())).unwrap();
    }
    let consensus = Consensus {
        listen: own.to_owned(),
        peers: others(addresses, own),
        propose_timeout_ms: 600,
        vote_timeout_ms: 200,
    };
    let consensus_key = config.consensus_key.filter(|_| tag.is_some());
    let block_time_ms = u64::try_from(BLOCK_TIME.as_millis()).unwrap();
    Config { consensus_key, consensus: Some(consensus), block_time_ms, ..config }
}

/// One of the two machines that hold the liar's key. Each has a chain and a log of votes of its own.
struct Twin {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Twin {
    async fn start(dir: &Path, genesis: &Genesis, addresses: &[String], name: u8) -> Self {
        let own = free_address();
        let node = Node::start(config(dir, genesis, None, addresses, &own)).await.unwrap();
        let (listen, peers) = (own.clone(), others(addresses, &own));
        let network = Network { listen, peers, identity: [name; 32], ..Network::default() };
        let engine = Engine {
            dir: dir.join("votes"),
            key: Some(node_key(LIAR)),
            network: Some(network),
            block_time: BLOCK_TIME,
            patience: Patience::default(),
        };
        let (stop, chain) = (CancellationToken::new(), Arc::new(node.executor().clone()));
        let token = stop.clone();
        // The node's servers never run: the engine alone is enough to lie.
        let task = tokio::spawn(async move {
            let _node = node;
            let _ = acumen_chain_bft::run(engine, chain, token).await;
        });
        Self { stop, task }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

/// Waits until the chain of `executor` says so.
async fn until(executor: &Executor, mut holds: impl FnMut(View<'_>) -> bool) {
    let mut tip = executor.tip();
    let found = async {
        while !holds(View::new(&executor.store().state().unwrap())) {
            tip.changed().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(90), found).await.expect("it comes to that");
}

fn record(view: View<'_>) -> KeyRecord {
    view.get(&StateKey::ConsensusKey(node_key(LIAR).public())).unwrap().unwrap()
}

fn bind(executor: &Executor) {
    let proof = node_key(LIAR).sign_in(Domain::ConsensusKey, &(executor.genesis(), account(11)));
    let transaction = Transaction {
        genesis: executor.genesis(),
        sender: account(11),
        nonce: acumen_protocol::Nonce::ZERO,
        valid_until: Height::new(1_000),
        tip: Nacu::ZERO,
        call: Call::RegisterConsensusKey { key: node_key(LIAR).public(), proof },
    };
    executor.submit(transaction.sign(&key(11))).unwrap();
}

/// What the account that a node made for its reports has.
fn rewarded(dir: &Path, view: View<'_>) -> Nacu {
    let text = std::fs::read_to_string(dir.join("data/reporter.key")).unwrap();
    let mut seed = [0; 32];
    hex::decode_to_slice(text.trim(), &mut seed).unwrap();
    view.account(Keypair::from_seed(&seed).account()).unwrap().free
}

fn settled(dir: &Path) -> (usize, usize) {
    let names = std::fs::read_dir(dir.join("data")).unwrap().map(|file| file.unwrap().file_name());
    let names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    let count = |end: &str| {
        names.iter().filter(|name| name.starts_with("equivocation-") && name.ends_with(end)).count()
    };
    (count(".hex.settled"), count(".hex"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn c22_a_validator_that_runs_twice_is_reported_by_the_nodes_and_slashed_once() {
    let genesis = genesis();
    let addresses: Vec<String> = HONEST.iter().map(|_| free_address()).collect();
    let dirs: Vec<_> = (0..5).map(|_| tempfile::tempdir().unwrap()).collect();
    let (mut nodes, mut executors) = (Vec::new(), Vec::new());
    for ((tag, own), dir) in HONEST.into_iter().zip(&addresses).zip(&dirs) {
        let node = Node::start(config(dir.path(), &genesis, Some(tag), &addresses, own)).await.unwrap();
        executors.push(node.executor().clone());
        nodes.push(Running::of(node));
    }
    bind(&executors[0]);
    until(&executors[0], |view| record(view).hotkey.is_some()).await;
    let mut twins = Vec::new();
    for (dir, name) in dirs[3..].iter().zip([1, 2]) {
        twins.push(Twin::start(dir.path(), &genesis, &addresses, name).await);
    }
    for executor in &executors {
        until(executor, |view| record(view).offence.is_some()).await;
    }
    // Everybody goes on, and nobody reports it again.
    let goal = executors[0].store().tip().height.get() + 12;
    for executor in &executors {
        until(executor, |_| executor.store().tip().height.get() >= goal).await;
        let state = executor.store().state().unwrap();
        let view = View::new(&state);
        let info = view.hotkey(account(11)).unwrap().unwrap();
        assert_eq!((info.total_stake, info.consensus_key), (acu(950), None), "5 % of 1,000 ACU, once");
        let rewards = dirs[..3].iter().map(|dir| rewarded(dir.path(), view).get()).sum::<u64>();
        assert_eq!(rewards, acu(50).get() / 20, "one of the three was first");
    }
    for (executor, dir) in executors.iter().zip(&dirs) {
        until(executor, |_| settled(dir.path()).1 == 0).await;
    }
    assert!(dirs[..3].iter().any(|dir| settled(dir.path()).0 > 0));
    for twin in twins {
        twin.stop().await;
    }
    drop(executors);
    for node in nodes {
        node.stop().await;
    }
}
