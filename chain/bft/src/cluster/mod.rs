//! Whole clusters in one process, over a network and clocks that the test rules: for safety at every step and liveness
//! after healing, under faults drawn from a seed.
//!
//! Time is tokio's paused clock: it jumps to the next timer when nothing can run, so that a minute of the cluster takes
//! about a second. Faults, delays and losses are drawn from the seed, in the order in which messages are sent. That order
//! is not the seed's alone: the engine's actors share one thread but its log's writes do not, and it has hash maps. A seed
//! therefore gives a family of runs, not one; what must hold, must hold in all of them.

mod app;
mod hub;
mod port;
mod vice;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use acumen_protocol::{ConsensusKeypair, ConsensusValidator, Hash, Height, ValidatorSet};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Patience};
use crate::error::Error;
use crate::faithful;
use crate::log::Log;
use crate::run::Link;
pub(crate) use app::{Crash, Fault, History, TestApp};
pub(crate) use hub::Hub;
pub(crate) use vice::Vice;

pub(crate) const GENESIS: Hash = Hash([1; 32]);

pub(crate) fn key(index: usize) -> ConsensusKeypair {
    ConsensusKeypair::from_seed(&[u8::try_from(index).unwrap() + 1; 32])
}

/// The same power for each of `count`.
pub(crate) fn equal(count: usize) -> ValidatorSet {
    weighted(&vec![1; count])
}

pub(crate) fn weighted(powers: &[u64]) -> ValidatorSet {
    let voters = powers.iter().enumerate().filter(|(_, power)| **power > 0);
    let voters = voters.map(|(index, power)| ConsensusValidator { key: key(index).public(), power: *power });
    ValidatorSet::new(voters.collect()).unwrap()
}

/// Name of a node's log of votes.
const LOG: &str = "votes.wal";

type Ended = Result<(), Error<Crash>>;

struct Node {
    app: Arc<TestApp>,
    dir: tempfile::TempDir,
    log: Option<Arc<Mutex<Log>>>,
    running: Option<(CancellationToken, JoinHandle<Ended>)>,
    votes: bool,
}

/// Nodes, and what rules over them.
pub(crate) struct Cluster {
    pub(crate) hub: Hub,
    pub(crate) history: Arc<History>,
    nodes: Vec<Node>,
}

impl Cluster {
    /// `count` nodes that are not started yet. `sets` says who decides a height; nodes beyond it follow.
    pub(crate) fn new(seed: u64, count: usize, sets: fn(Height) -> ValidatorSet) -> Self {
        let history = Arc::new(History::default());
        let hub = Hub::new(ChaCha8Rng::seed_from_u64(seed), count, history.clone());
        let node = |index| Node {
            app: Arc::new(TestApp::new(index, sets, history.clone())),
            dir: tempfile::tempdir_in(scratch()).unwrap(),
            log: None,
            running: None,
            votes: true,
        };
        let nodes = (0..count).map(node).collect();
        Self { hub, history, nodes }
    }

    /// Makes a node one that only follows.
    pub(crate) fn follow(&mut self, index: usize) {
        self.nodes[index].votes = false;
    }

    pub(crate) fn app(&self, index: usize) -> &TestApp {
        &self.nodes[index].app
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn is_up(&self, index: usize) -> bool {
        self.nodes[index].running.is_some()
    }

    pub(crate) async fn start_all(&mut self) {
        for index in 0..self.nodes.len() {
            self.start(index).await;
        }
    }

    pub(crate) async fn start(&mut self, index: usize) {
        let (network, sender) = self.hub.attach(index).await;
        let node = &mut self.nodes[index];
        let log = Arc::new(Mutex::new(Log::open(&node.dir.path().join(LOG)).unwrap()));
        let config = Config {
            dir: node.dir.path().to_owned(),
            key: node.votes.then(|| key(index)),
            network: None,
            block_time: Duration::from_millis(250),
            patience: Patience::default(),
        };
        let (stop, app) = (CancellationToken::new(), node.app.clone());
        // A node that follows before it votes is attached anew in between.
        let (hub, first) = (self.hub.clone(), Mutex::new(Some((network, sender))));
        let link = move || {
            let (hub, first) = (hub.clone(), first.lock().unwrap().take());
            async move {
                let (network, sender) = match first {
                    Some(attached) => attached,
                    None => hub.attach(index).await,
                };
                Link::Custom(network, sender)
            }
        };
        let task = tokio::spawn(faithful::run(config, app, log.clone(), link, stop.clone()));
        (node.log, node.running) = (Some(log), Some((stop, task)));
    }

    /// Ends a node between two of its steps; what it has not flushed is lost.
    pub(crate) async fn crash(&mut self, index: usize) -> Option<Ended> {
        let (stop, task) = self.nodes[index].running.take()?;
        self.hub.detach(index);
        if let Some(log) = self.nodes[index].log.take() {
            log.lock().unwrap().lose_unflushed();
        }
        stop.cancel();
        Some(task.await.unwrap())
    }

    /// The log of votes of a node that is not running.
    pub(crate) fn log(&self, index: usize) -> std::path::PathBuf {
        self.nodes[index].dir.path().join(LOG)
    }

    /// Nodes that ended by themselves, by a crash within a step.
    pub(crate) async fn reap(&mut self) -> Vec<usize> {
        let finished = |node: &Node| node.running.as_ref().is_some_and(|(_, task)| task.is_finished());
        let ended: Vec<usize> = (0..self.nodes.len()).filter(|index| finished(&self.nodes[*index])).collect();
        for index in &ended {
            let outcome = self.crash(*index).await.unwrap();
            assert!(matches!(outcome, Err(Error::Application(Crash))), "node {index}: {outcome:?}");
        }
        ended
    }

    pub(crate) async fn stop_all(&mut self) {
        for index in 0..self.nodes.len() {
            if let Some(ended) = self.crash(index).await {
                assert!(matches!(ended, Ok(()) | Err(Error::Application(Crash))), "node {index}: {ended:?}");
            }
        }
    }

    pub(crate) fn tips(&self) -> Vec<u64> {
        self.nodes.iter().map(|node| node.app.height()).collect()
    }

    /// Waits, in the cluster's time, until all of `who` have `height`; false if that takes longer than `patience`.
    pub(crate) async fn reach(&self, who: &[usize], height: u64, patience: Duration) -> bool {
        let all = async {
            while who.iter().any(|index| self.nodes[*index].app.height() < height) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(patience, all).await.is_ok()
    }
}

/// Logs are flushed thousands of times: in memory, if the system offers a folder there.
fn scratch() -> std::path::PathBuf {
    let memory = std::path::Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }
}

mod byzantine;
mod faults;
mod forgetful;
