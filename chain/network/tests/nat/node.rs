//! A network as a process of its own, which says on its output whatever changes and publishes what it is told.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use acumen_chain_network::{Config, Keypair, Network, Setup, Verdict};
use acumen_protocol::Hash;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// In a child: its [`Role`].
const CHILD: &str = "ACUMEN_NAT_NODE";

/// The names of those in the open begin here: they hold gossip back.
const OPEN: u8 = 100;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(90);

#[derive(Debug, Serialize, Deserialize)]
struct Role {
    tag: u8,
    listen: String,
    bootstrap: Vec<String>,
}

/// What a node says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) reachability: String,
    pub(crate) relays: Vec<String>,
    pub(crate) listening: Vec<String>,
    pub(crate) subscribed: Vec<String>,
    pub(crate) relayed: Vec<String>,
    pub(crate) received: BTreeSet<String>,
    counts: Vec<(String, u64)>,
}

impl Seen {
    pub(crate) fn count(&self, name: &str) -> u64 {
        self.counts.iter().find(|(found, _)| found == name).unwrap().1
    }
}

fn identity(tag: u8) -> Keypair {
    Keypair::ed25519_from_bytes([tag; 32]).unwrap()
}

#[test]
fn child_is_a_node() {
    let Ok(text) = std::env::var(CHILD) else { return };
    tokio::runtime::Runtime::new().unwrap().block_on(run(serde_json::from_str(&text).unwrap()));
}

async fn run(role: Role) {
    let setup = Setup {
        config: Config {
            listen: vec![role.listen.parse().unwrap()],
            bootstrap: role.bootstrap.iter().map(|address| address.parse().unwrap()).collect(),
            ..Config::default()
        },
        identity: identity(role.tag),
        genesis: Hash([7; 32]),
        registry: None,
        book: None,
    };
    let mut network = Network::start(setup, CancellationToken::new()).unwrap();
    let (say, mut words) = mpsc::channel(16);
    std::thread::spawn(move || {
        for word in std::io::stdin().lines().map_while(Result::ok) {
            say.blocking_send(word).unwrap();
        }
    });
    let mut clock = tokio::time::interval(Duration::from_millis(50));
    let (mut received, mut said) = (BTreeSet::new(), Seen::default());
    loop {
        tokio::select! {
            word = words.recv() => match word {
                Some(message) => network.handle.publish(message.into_bytes()).unwrap(),
                None => return,
            },
            Some(incoming) = network.incoming.recv() => {
                received.insert(String::from_utf8(incoming.bytes.clone()).unwrap());
                if role.tag < OPEN {
                    network.handle.report(incoming.ticket, Verdict::Accept).await;
                }
            }
            _ = clock.tick() => {
                let seen = look(&network, &received);
                if seen != said {
                    println!("\n{}", serde_json::to_string(&seen).unwrap());
                    said = seen;
                }
            }
        }
    }
}

fn look(network: &Network, received: &BTreeSet<String>) -> Seen {
    fn texts<T: ToString>(list: &[T]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }
    let state = network.handle.connectivity().borrow().clone();
    let counts = network.handle.stats().values();
    Seen {
        reachability: format!("{:?}", state.reachability),
        relays: texts(&state.relays),
        listening: texts(&state.listening),
        subscribed: texts(&state.subscribed),
        relayed: texts(&state.relayed),
        received: received.clone(),
        counts: counts.iter().map(|(name, _, value)| ((*name).to_owned(), *value)).collect(),
    }
}

type News = Arc<(Mutex<Seen>, Condvar)>;

/// The parent's end.
pub(crate) struct Node {
    pub(crate) id: String,
    tag: u8,
    within: Vec<String>,
    listen: String,
    log: PathBuf,
    child: Option<Child>,
    news: News,
    published: usize,
}

impl Node {
    pub(crate) fn new(tag: u8, within: Vec<String>, listen: String, log: PathBuf) -> Self {
        let id = identity(tag).public().to_peer_id().to_string();
        Self { id, tag, within, listen, log, child: None, news: News::default(), published: 0 }
    }

    /// Where a node in the open is.
    pub(crate) fn address(&self, transport: crate::lab::Transport) -> String {
        format!("{}/p2p/{}", transport.at("5.1.0.1"), self.id)
    }

    pub(crate) fn start(&mut self, bootstrap: &[String]) {
        let role = Role { tag: self.tag, listen: self.listen.clone(), bootstrap: bootstrap.to_vec() };
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&self.log).unwrap();
        let mut child = Command::new(&self.within[0])
            .args(&self.within[1..])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "node::child_is_a_node", "--nocapture"])
            .env(CHILD, serde_json::to_string(&role).unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let (lines, news) = (BufReader::new(child.stdout.take().unwrap()).lines(), self.news.clone());
        *news.0.lock().unwrap() = Seen::default();
        std::thread::spawn(move || {
            for seen in lines.map_while(Result::ok).filter_map(|line| serde_json::from_str(&line).ok()) {
                *news.0.lock().unwrap() = seen;
                news.1.notify_all();
            }
        });
        self.child = Some(child);
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Waits until what the node says of itself is so.
    #[track_caller]
    pub(crate) fn wait(&self, what: &str, condition: impl Fn(&Seen) -> bool) {
        let start = Instant::now();
        let mut seen = self.news.0.lock().unwrap();
        while !condition(&seen) {
            let left = PATIENCE.saturating_sub(start.elapsed());
            if left.is_zero() {
                let log = std::fs::read_to_string(&self.log).unwrap_or_default();
                panic!("node {} waited in vain for {what}: {seen:#?}\n{log}", self.tag);
            }
            seen = self.news.1.wait_timeout(seen, left).unwrap().0;
        }
        println!("node {}: {what} after {:?}", self.tag, start.elapsed());
    }

    /// Sends a message that nobody has sent before, and says which.
    pub(crate) fn publish(&mut self) -> String {
        self.published += 1;
        let message = format!("{} says {}", self.tag, self.published);
        let stdin = self.child.as_mut().unwrap().stdin.as_mut().unwrap();
        writeln!(stdin, "{message}").unwrap();
        message
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}
