//! Nodes as processes of their own, over real connections and a real disk, which are killed, frozen and damaged.
//!
//! The test starts itself as the nodes (by an environment variable). A few faults in the tests; `ACUMEN_FAULTS=50` runs
//! as many of each kind, and the kinds that take minutes: see docs/reliability.md.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use acumen_chain_ledger::Genesis;
use acumen_chain_ledger::genesis::GenesisValidator;
use acumen_chain_node::{Config, Consensus, Node};
use acumen_chain_store::{Options, Store};
use acumen_proto::chain_v1 as wire;
use acumen_proto::chain_v1::chain_client::ChainClient as Grpc;
use acumen_protocol::{ConsensusKeypair, Hash, Height};
use rand::{Rng as _, SeedableRng as _};
use tokio_util::sync::CancellationToken;

/// In a child: folder, number of this node, number of all, first three bytes of their addresses.
const CHILD: &str = "ACUMEN_NODE_TEST";

/// Longest wait for anything: a machine that is busy with other tests is slow.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often each fault is tried.
fn faults(few: usize) -> usize {
    wanted().unwrap_or(few)
}

fn wanted() -> Option<usize> {
    std::env::var("ACUMEN_FAULTS").ok().and_then(|text| text.parse().ok())
}

fn key(index: usize) -> ConsensusKeypair {
    ConsensusKeypair::from_seed(&[u8::try_from(index).unwrap() + 50; 32])
}

fn genesis(count: usize) -> Genesis {
    let validators =
        (0..count).map(|index| GenesisValidator { key: key(index).public(), power: 1 }).collect();
    Genesis { validators, ..common::genesis() }
}

/// Every node has an address of its own on this machine, which no other test process uses.
fn address(net: &str, index: usize) -> String {
    format!("{net}.{}", 10 + index)
}

fn config(dir: &Path, index: usize, count: usize, net: &str) -> Config {
    let mut config = common::config(dir, &genesis(count));
    std::fs::write(dir.join("key"), hex::encode(key(index).to_seed())).unwrap();
    config.listen = format!("{}:9944", address(net, index)).parse().unwrap();
    config.block_time_ms = 100;
    if count > 1 {
        let consensus = |index| format!("/ip4/{}/tcp/26656", address(net, index));
        config.consensus = Some(Consensus {
            listen: consensus(index),
            peers: (0..count).filter(|other| *other != index).map(consensus).collect(),
            propose_timeout_ms: 600,
            vote_timeout_ms: 200,
        });
    }
    config
}

#[test]
fn child_is_a_node() {
    let Ok(text) = std::env::var(CHILD) else { return };
    let [dir, index, count, net] = text.split('|').collect::<Vec<_>>().try_into().unwrap();
    let config = config(Path::new(dir), index.parse().unwrap(), count.parse().unwrap(), net);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let node = Node::start(config).await.unwrap();
        node.run(CancellationToken::new()).await.unwrap();
    });
}

/// Nodes of one chain, each in its folder.
struct Net {
    root: tempfile::TempDir,
    children: Vec<Option<Child>>,
    net: String,
    runtime: tokio::runtime::Runtime,
}

impl Net {
    fn new(count: usize, number: u8) -> Self {
        let [high, low] = u16::try_from(std::process::id() % 0xffff).unwrap().to_be_bytes();
        let net = format!("127.{}.{}", high ^ number.rotate_left(4), low.max(1));
        let root = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        Self { root, children: (0..count).map(|_| None).collect(), net, runtime }
    }

    fn dir(&self, index: usize) -> PathBuf {
        self.root.path().join(format!("node-{index}"))
    }

    fn start(&mut self, index: usize) {
        let dir = self.dir(index);
        std::fs::create_dir_all(&dir).unwrap();
        let what = format!("{}|{index}|{}|{}", dir.display(), self.children.len(), self.net);
        let log = std::fs::OpenOptions::new().create(true).append(true).open(dir.join("log")).unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_is_a_node", "--nocapture"])
            .env(CHILD, what)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.children[index] = Some(child);
    }

    fn kill(&mut self, index: usize) {
        if let Some(mut child) = self.children[index].take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    fn signal(&self, index: usize, signal: &str) {
        let pid = self.children[index].as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// The node's height; `None` if it does not answer.
    fn height(&self, index: usize) -> Option<u64> {
        let url = format!("http://{}:9944", address(&self.net, index));
        self.runtime.block_on(async {
            let ask = async {
                let mut client = Grpc::connect(url).await.ok()?;
                Some(client.get_status(wire::GetStatusRequest {}).await.ok()?.into_inner().height)
            };
            tokio::time::timeout(Duration::from_secs(2), ask).await.ok().flatten()
        })
    }

    /// Waits until all of `who` have `height`; how long it took.
    #[track_caller]
    fn reach(&self, who: &[usize], height: u64) -> Duration {
        let start = Instant::now();
        while !who.iter().all(|index| self.height(*index).is_some_and(|found| found >= height)) {
            let heights: Vec<_> = who.iter().map(|index| self.height(*index)).collect();
            assert!(
                start.elapsed() < PATIENCE,
                "{who:?} at {heights:?}, not at {height}; logs in {:?}",
                self.root.path()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        start.elapsed()
    }

    fn highest(&self) -> u64 {
        (0..self.children.len()).filter_map(|index| self.height(index)).max().unwrap_or(0)
    }

    /// Ends everything and compares what is on the disks: heights without a gap, one block at each, roots that follow
    /// from the values. Returns the lowest tip.
    fn compare(mut self) -> u64 {
        let count = self.children.len();
        (0..count).for_each(|index| self.kill(index));
        let mut chain: Vec<Hash> = Vec::new();
        let mut lowest = u64::MAX;
        for index in 0..count {
            let options = Options::default();
            let store = Store::open(&self.dir(index).join("data"), &genesis(count), options).unwrap();
            assert_eq!(store.recompute_root().unwrap(), store.tip().state_root, "node {index}");
            let tip = store.tip().height.get();
            lowest = lowest.min(tip);
            for height in 1..=tip {
                let id = store.stored(Height::new(height)).unwrap().expect("no gap").block.header.id();
                let place = usize::try_from(height - 1).unwrap();
                match chain.get(place) {
                    Some(other) => {
                        assert_eq!(*other, id, "node {index} has another block at height {height}");
                    }
                    None => chain.push(id),
                }
            }
        }
        lowest
    }
}

impl Drop for Net {
    /// A failed test must not leave nodes running.
    fn drop(&mut self) {
        (0..self.children.len()).for_each(|index| self.kill(index));
    }
}

#[test]
fn one_node_survives_kill_9_at_random_moments() {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let mut net = Net::new(1, 1);
    let (mut seen, mut slowest) = (0, Duration::ZERO);
    for _ in 0..faults(5) {
        net.start(0);
        slowest = slowest.max(net.reach(&[0], seen + 1));
        std::thread::sleep(Duration::from_millis(rng.random_range(0..300)));
        seen = net.height(0).unwrap();
        net.kill(0);
    }
    println!("{} kills, {seen} blocks, slowest start to the next block {slowest:?}", faults(5));
    assert!(net.compare() >= seen, "a block that was reported is lost");
}

#[test]
fn four_nodes_survive_kill_9_of_any_of_them() {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(2);
    let mut net = Net::new(4, 2);
    (0..4).for_each(|index| net.start(index));
    let first = net.reach(&[0, 1, 2, 3], 3);
    for _ in 0..faults(4) {
        let victim = rng.random_range(0..4);
        net.kill(victim);
        let others: Vec<usize> = (0..4).filter(|index| *index != victim).collect();
        // The others go on without it.
        net.reach(&others, net.highest() + rng.random_range(1..4));
        net.start(victim);
        net.reach(&[victim], net.highest());
    }
    let goal = net.highest() + 5;
    net.reach(&[0, 1, 2, 3], goal);
    println!("first three blocks after {first:?}; {} kills, {goal} blocks", faults(4));
    assert!(net.compare() >= goal);
}

#[test]
fn two_of_four_down_halt_the_chain_until_they_are_back() {
    let mut net = Net::new(4, 3);
    (0..4).for_each(|index| net.start(index));
    net.reach(&[0, 1, 2, 3], 3);
    for _ in 0..wanted().map_or(1, |count| count.min(5)) {
        net.kill(2);
        net.kill(3);
        // Whatever was decided by then is committed within moments; after that nothing is.
        std::thread::sleep(Duration::from_secs(1));
        let halted = net.highest();
        std::thread::sleep(Duration::from_secs(3));
        assert_eq!(net.highest(), halted, "two of four decide nothing");
        net.start(2);
        net.start(3);
        println!("resumed after {:?}", net.reach(&[0, 1, 2, 3], halted + 3));
    }
    net.compare();
}

#[test]
fn a_damaged_log_of_votes_costs_a_node_one_height() {
    let mut net = Net::new(4, 4);
    (0..4).for_each(|index| net.start(index));
    net.reach(&[0, 1, 2, 3], 3);
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(4);
    for round in 0..faults(2) {
        net.kill(1);
        let path = net.dir(1).join("data/consensus/votes.wal");
        let mut bytes = std::fs::read(&path).unwrap();
        if round % 2 == 0 {
            let bit = rng.random_range(0..bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        } else {
            bytes.truncate(rng.random_range(0..bytes.len()));
        }
        std::fs::write(&path, bytes).unwrap();
        net.start(1);
        let goal = net.highest() + 4;
        net.reach(&[0, 1, 2, 3], goal);
    }
    net.compare();
}

#[test]
fn a_frozen_node_catches_up() {
    if wanted().is_none() {
        return;
    }
    let mut net = Net::new(4, 5);
    (0..4).for_each(|index| net.start(index));
    net.reach(&[0, 1, 2, 3], 3);
    for _ in 0..3 {
        net.signal(3, "-STOP");
        std::thread::sleep(Duration::from_secs(10));
        let goal = net.highest();
        net.signal(3, "-CONT");
        println!("frozen for 10 s, {} blocks behind, there after {:?}", goal - 3, net.reach(&[3], goal));
    }
    net.compare();
}

#[test]
fn fresh_starts_of_four_nodes_do_not_stall() {
    if wanted().is_none() {
        return;
    }
    let mut slowest = Duration::ZERO;
    for round in 0..20 {
        let mut net = Net::new(4, 6 + round);
        (0..4).for_each(|index| net.start(index));
        slowest = slowest.max(net.reach(&[0, 1, 2, 3], 5));
        net.compare();
    }
    println!("twenty starts, slowest to five blocks on all nodes {slowest:?}");
}
