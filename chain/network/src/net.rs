//! The shell: one task owns the swarm; the node talks to it through a [`NetworkHandle`].

mod behaviour;
pub(crate) mod explain;
mod gate;
mod guard;
pub(crate) mod handle;
mod peers;
pub(crate) mod probe;
pub(crate) mod registry;
mod swarm;
mod task;

use std::path::PathBuf;
use std::sync::Arc;

use acumen_protocol::Hash;
use libp2p::identity::Keypair;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::core::address::{peer_of, without_peer};
use crate::core::book::{Book, file};
use crate::error::NetworkError;
use crate::names::Names;
use handle::{Connectivity, Incoming, NetworkHandle, Stats};
use registry::Registry;
use task::{Records, Task};

/// Transactions that may wait for the node's verdict, and commands that may wait for the network: more than a second's
/// worth at the rate that the chain can execute.
const QUEUE: usize = 4_096;

/// What a network needs.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What the operator says.
    pub config: Config,
    /// This node's key among peers.
    pub identity: Keypair,
    /// The chain.
    pub genesis: Hash,
    /// Whose records of miners are kept; nobody's if `None`.
    pub registry: Option<Registry>,
    /// Where the peer book is kept; nowhere if `None`.
    pub book: Option<PathBuf>,
}

/// A running network.
#[derive(Debug)]
pub struct Network {
    /// For publishing and for verdicts. Cheap to clone.
    pub handle: NetworkHandle,
    /// Received transactions, each to be answered with a verdict.
    pub incoming: mpsc::Receiver<Incoming>,
    /// Ends after shutdown, when the peer book is written.
    pub task: JoinHandle<()>,
}

impl Network {
    /// Listens and begins to dial. Must be called inside a tokio runtime.
    pub fn start(setup: Setup, shutdown: CancellationToken) -> Result<Self, NetworkError> {
        let Setup { config, identity, genesis, registry, book: path } = setup;
        config.check()?;
        let names = Names::new(&genesis);
        let swarm = swarm::build(&config, &identity, &names)?;
        let book = open_book(&config, path.as_deref());
        let (commands, received) = mpsc::channel(QUEUE);
        let (found, incoming) = mpsc::channel(QUEUE);
        let state = watch::Sender::new(Connectivity::default());
        let stats = Arc::new(Stats::default());
        let peer = identity.public().to_peer_id();
        let handle = NetworkHandle::new(peer, commands, state.subscribe(), Arc::clone(&stats));
        let records = Records::new(genesis, registry);
        let mut task = Task::new(swarm, names, config, (book, path), records, (found, state, stats));
        task.listen()?;
        let task = tokio::spawn(task.run(received, shutdown));
        Ok(Self { handle, incoming, task })
    }
}

fn open_book(config: &Config, path: Option<&std::path::Path>) -> Book {
    let empty = || Book::new(config.private_addresses);
    let read = path.map_or_else(|| Ok(empty()), |path| file::read(path, config.private_addresses));
    let mut book = read.unwrap_or_else(|(book, reason)| {
        tracing::warn!(%reason, "the peer book does not read; beginning with an empty one");
        book
    });
    for address in &config.bootstrap {
        if let Some(peer) = peer_of(address) {
            book.add_fixed(peer, without_peer(address));
        }
    }
    book
}
