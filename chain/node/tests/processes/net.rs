//! Nodes of one chain as processes of their own, each with its folder and address, and what is asked of them.

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
use tokio_util::sync::CancellationToken;

use crate::common;

/// In a child: its [`Place`], and the number of nodes.
const CHILD: &str = "ACUMEN_NODE_TEST";

/// In a child: what it logs. The default is what an operator sees.
const LOG: &str = "ACUMEN_NODE_LOG";

/// Keeps the folders of all nodes, with what they logged.
const KEEP: &str = "ACUMEN_KEEP";

/// Longest wait for anything: a machine that is busy with other tests is slow.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a node is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Multiaddress of consensus.
    pub(crate) consensus: String,
    /// What its gRPC server listens on.
    pub(crate) listen: String,
    /// Where this process reaches that.
    pub(crate) url: String,
    /// The command that a node is started with, if it lives somewhere else.
    pub(crate) within: Vec<String>,
}

impl Place {
    /// Every node has an address of its own on this machine, which no other test process uses.
    fn loopback(number: u8, index: usize) -> Self {
        let [high, low] = u16::try_from(std::process::id() % 0xffff).unwrap().to_be_bytes();
        let host = format!("127.{}.{}.{}", high ^ number.rotate_left(4), low.max(1), 10 + index);
        Self {
            consensus: consensus_at(&host),
            listen: format!("{host}:9944"),
            url: format!("http://{host}:9944"),
            within: Vec::new(),
        }
    }
}

/// Where a node at `host` decides with the others.
pub(crate) fn consensus_at(host: &str) -> String {
    format!("/ip4/{host}/tcp/26656")
}

fn key(index: usize) -> ConsensusKeypair {
    ConsensusKeypair::from_seed(&[u8::try_from(index).unwrap() + 50; 32])
}

fn genesis(count: usize) -> Genesis {
    let validators =
        (0..count).map(|index| GenesisValidator { key: key(index).public(), power: 1 }).collect();
    Genesis { validators, ..common::genesis() }
}

#[test]
fn child_is_a_node() {
    let Ok(text) = std::env::var(CHILD) else { return };
    let [dir, index, listen, addresses, block_time] = text.split('|').collect::<Vec<_>>().try_into().unwrap();
    let (dir, index): (_, usize) = (Path::new(dir), index.parse().unwrap());
    let addresses: Vec<String> = addresses.split(' ').map(str::to_owned).collect();
    let filter = std::env::var(LOG).unwrap_or_else(|_| "warn,arc_malachitebft_network=off".to_owned());
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).init();
    let mut config = common::config(dir, &genesis(addresses.len()));
    std::fs::write(dir.join("key"), hex::encode(key(index).to_seed())).unwrap();
    config.listen = listen.parse().unwrap();
    config.block_time_ms = block_time.parse().unwrap();
    config.consensus = consensus(index, addresses);
    tokio::runtime::Runtime::new().unwrap().block_on(run(config));
}

fn consensus(index: usize, mut addresses: Vec<String>) -> Option<Consensus> {
    let listen = addresses.remove(index);
    (!addresses.is_empty()).then_some(Consensus {
        listen,
        peers: addresses,
        propose_timeout_ms: 600,
        vote_timeout_ms: 200,
    })
}

/// As the command line does it: what breaks is the last line, and the exit status is 1.
async fn run(config: Config) {
    let node = Node::start(config).await;
    let ended = match node {
        Ok(node) => node.run(CancellationToken::new()).await,
        Err(error) => Err(error),
    };
    if let Err(error) = ended {
        eprintln!("error: {error}");
        std::process::exit(1);
    }
}

/// Nodes of one chain, each in its folder.
#[derive(Debug)]
pub(crate) struct Net {
    root: tempfile::TempDir,
    places: Vec<Place>,
    children: Vec<Option<Child>>,
    runtime: tokio::runtime::Runtime,
    /// Milliseconds between blocks.
    pub(crate) block_time: u64,
}

impl Net {
    /// On this machine's own network; `number` tells nets of one process apart.
    pub(crate) fn new(count: usize, number: u8) -> Self {
        Self::placed((0..count).map(|index| Place::loopback(number, index)).collect())
    }

    pub(crate) fn placed(places: Vec<Place>) -> Self {
        let root = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let children = places.iter().map(|_| None).collect();
        Self { root, places, children, runtime, block_time: 100 }
    }

    pub(crate) fn all(&self) -> Vec<usize> {
        (0..self.places.len()).collect()
    }

    pub(crate) fn dir(&self, index: usize) -> PathBuf {
        self.root.path().join(format!("node-{index}"))
    }

    /// What a node says is kept beside its folder, whose disk may be full.
    fn log(&self, index: usize) -> PathBuf {
        self.root.path().join(format!("node-{index}.log"))
    }

    pub(crate) fn start_all(&mut self) {
        self.all().into_iter().for_each(|index| self.start(index));
    }

    pub(crate) fn start(&mut self, index: usize) {
        self.start_with(index, &[]);
    }

    /// Starts a node with something added to its environment.
    pub(crate) fn start_with(&mut self, index: usize, environment: &[(&str, &str)]) {
        let dir = self.dir(index);
        std::fs::create_dir_all(&dir).unwrap();
        let addresses: Vec<&str> = self.places.iter().map(|place| place.consensus.as_str()).collect();
        let (place, block_time) = (&self.places[index], self.block_time);
        let what = format!("{}|{index}|{}|{}|{block_time}", dir.display(), place.listen, addresses.join(" "));
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log(index)).unwrap();
        let itself = std::env::current_exe().unwrap().into_os_string().into_string().unwrap();
        let words = [place.within.as_slice(), &[itself]].concat();
        let child = Command::new(&words[0])
            .args(&words[1..])
            .args(["--exact", "net::child_is_a_node", "--nocapture"])
            .env(CHILD, what)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.children[index] = Some(child);
    }

    pub(crate) fn kill(&mut self, index: usize) {
        if let Some(mut child) = self.children[index].take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub(crate) fn signal(&self, index: usize, signal: &str) {
        let pid = self.children[index].as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Waits until a node has ended by itself: all that it has written, and the last height that it told anybody.
    #[track_caller]
    pub(crate) fn ended(&mut self, index: usize) -> (String, u64) {
        let ended = self.ended_within(index, PATIENCE);
        ended.unwrap_or_else(|_| panic!("node {index} goes on: {}", self.root.path().display()))
    }

    /// The same, or only the height if it goes on for so long.
    #[track_caller]
    pub(crate) fn ended_within(&mut self, index: usize, limit: Duration) -> Result<(String, u64), u64> {
        let (start, mut seen) = (Instant::now(), 0);
        while self.children[index].as_mut().unwrap().try_wait().unwrap().is_none() {
            seen = self.height(index).unwrap_or(seen);
            if start.elapsed() > limit {
                return Err(seen);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let status = self.children[index].take().unwrap().wait().unwrap();
        let log = String::from_utf8_lossy(&std::fs::read(self.log(index)).unwrap()).into_owned();
        assert_eq!(status.code(), Some(1), "a report, not a crash: {log}");
        Ok((log, seen))
    }

    /// The node's height; `None` if it does not answer.
    pub(crate) fn height(&self, index: usize) -> Option<u64> {
        let url = self.places[index].url.clone();
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
    pub(crate) fn reach(&self, who: &[usize], height: u64) -> Duration {
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

    pub(crate) fn highest(&self) -> u64 {
        self.all().into_iter().filter_map(|index| self.height(index)).max().unwrap_or(0)
    }

    /// Ends everything and compares what is on the disks: heights without a gap, one block at each, roots that follow
    /// from the values. Returns the lowest tip, and the times of the blocks.
    pub(crate) fn compare(mut self) -> (u64, Vec<u64>) {
        self.all().into_iter().for_each(|index| self.kill(index));
        let mut chain: Vec<(Hash, u64)> = Vec::new();
        let mut lowest = u64::MAX;
        for index in self.all() {
            let (data, genesis) = (self.dir(index).join("data"), genesis(self.places.len()));
            let store = Store::open(&data, &genesis, Options::default()).unwrap();
            assert_eq!(store.recompute_root().unwrap(), store.tip().state_root, "node {index}");
            let tip = store.tip().height.get();
            lowest = lowest.min(tip);
            for height in 1..=tip {
                let header = store.stored(Height::new(height)).unwrap().expect("no gap").block.header;
                let found = (header.id(), header.time.get());
                match chain.get(usize::try_from(height - 1).unwrap()) {
                    Some(other) => assert_eq!(*other, found, "node {index}: another block at {height}"),
                    None => chain.push(found),
                }
            }
        }
        (lowest, chain.into_iter().map(|(_, time)| time).collect())
    }
}

impl Drop for Net {
    /// A failed test must not leave nodes running, but what they wrote.
    fn drop(&mut self) {
        self.all().into_iter().for_each(|index| self.kill(index));
        self.root.disable_cleanup(std::thread::panicking() || std::env::var_os(KEEP).is_some());
    }
}
