//! What the node holds of the network.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use acumen_protocol::AccountId;
use acumen_protocol::miner_record::{RecordError, SignedMinerRecord};
use libp2p::gossipsub::MessageId;
use libp2p::{Multiaddr, PeerId};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};

use super::task::Found;

/// A transaction from a peer, unchecked.
#[derive(Debug)]
pub struct Incoming {
    /// The message: at most one transaction's bytes.
    pub bytes: Vec<u8>,
    /// To be handed back with the verdict.
    pub ticket: Ticket,
    /// The room that the bytes take, given back when this is dropped.
    pub(crate) _room: OwnedSemaphorePermit,
}

/// Stands for one received message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub(crate) message: MessageId,
    pub(crate) from: PeerId,
}

/// What the node thinks of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Valid: pass it on.
    Accept,
    /// Not for us now (known, outdated, no room): pass it on to nobody, blame nobody.
    Ignore,
    /// Nothing that an honest node passes on: blame whoever sent it.
    Reject,
}

/// Why nothing was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The network does not keep up.
    #[error("the network's queue is full: try again in a moment")]
    Busy,
    /// The network has ended.
    #[error("the network has ended")]
    Ended,
}

/// Why a miner's record was neither kept nor found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    /// The record is refused.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The network does not keep up.
    #[error("too many questions for miners' records at once: try again in a moment")]
    Busy,
    /// The network has ended.
    #[error("the network has ended")]
    Ended,
}

/// Whether others can dial this node, as peers found that tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reachability {
    /// Nobody has tried yet.
    #[default]
    Unknown,
    /// They can.
    Reachable,
    /// They cannot: NAT or a firewall is in between.
    Unreachable,
}

/// How the node is connected, and what it keeps for its peers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connectivity {
    /// Connected peers of this chain (identified, not merely connected).
    pub peers: Vec<PeerId>,
    /// Those of them that want transactions.
    pub subscribed: Vec<PeerId>,
    /// Those that are connected through relays only.
    pub relayed: Vec<PeerId>,
    /// Where this node listens, port 0 resolved; circuits through relays too.
    pub listening: Vec<Multiaddr>,
    /// Whether others can dial this node.
    pub reachability: Reachability,
    /// Where they can, as far as is known: named by the operator, found by peers, or circuits through relays.
    pub external: Vec<Multiaddr>,
    /// Relays that have reserved a place for this node.
    pub relays: Vec<PeerId>,
    /// Miners' records kept.
    pub records: usize,
}

/// What the network counts, since its start.
#[derive(Debug, Default)]
pub struct Stats {
    /// Messages handed to the node.
    pub received: AtomicU64,
    /// Own messages sent.
    pub published: AtomicU64,
    /// Transactions that still wait, sent once more.
    pub reminded: AtomicU64,
    /// Messages of others passed on.
    pub forwarded: AtomicU64,
    /// Messages that the node found invalid.
    pub rejected: AtomicU64,
    /// Messages above a peer's rate.
    pub over_rate: AtomicU64,
    /// Messages dropped because the node did not keep up.
    pub dropped: AtomicU64,
    /// Miners' records from peers kept.
    pub records: AtomicU64,
    /// Miners' records from peers refused.
    pub refused_records: AtomicU64,
    /// Peers banned.
    pub banned: AtomicU64,
    /// Peers of another chain.
    pub wrong_chain: AtomicU64,
    /// Dials that failed.
    pub failed_dials: AtomicU64,
    /// Connections refused by a limit.
    pub refused: AtomicU64,
    /// Peers disconnected because they never said that they want transactions.
    pub silent: AtomicU64,
    /// Relayed connections that became direct.
    pub punched: AtomicU64,
    /// Relayed connections that could not be made direct.
    pub not_punched: AtomicU64,
    /// Peers for which this node has promised to relay.
    pub reservations: AtomicU64,
    /// Connections relayed.
    pub circuits: AtomicU64,
    /// Reservations and connections that were not relayed: a limit was reached.
    pub refused_circuits: AtomicU64,
}

impl Stats {
    pub(crate) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Names, meanings and values, for a metrics page.
    #[must_use]
    pub fn values(&self) -> [(&'static str, &'static str, u64); 19] {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [
            ("received", "Messages from peers handed to the node", read(&self.received)),
            ("published", "Own messages sent", read(&self.published)),
            ("reminded", "Transactions that still wait, sent once more", read(&self.reminded)),
            ("forwarded", "Messages of others passed on", read(&self.forwarded)),
            ("rejected", "Messages from peers that were invalid", read(&self.rejected)),
            ("over_rate", "Messages above a peer's rate", read(&self.over_rate)),
            ("dropped", "Messages dropped because the node did not keep up", read(&self.dropped)),
            ("records", "Miners' records from peers kept", read(&self.records)),
            ("refused_records", "Miners' records from peers refused", read(&self.refused_records)),
            ("banned", "Peers banned", read(&self.banned)),
            ("wrong_chain", "Peers of another chain", read(&self.wrong_chain)),
            ("failed_dials", "Dials that failed", read(&self.failed_dials)),
            ("refused", "Connections refused by a limit", read(&self.refused)),
            ("silent", "Peers disconnected that never wanted transactions", read(&self.silent)),
            ("punched", "Relayed connections that became direct", read(&self.punched)),
            ("not_punched", "Relayed connections that could not be made direct", read(&self.not_punched)),
            ("reservations", "Peers that this node promised to relay for", read(&self.reservations)),
            ("circuits", "Connections relayed", read(&self.circuits)),
            ("refused_circuits", "Reservations and connections not relayed", read(&self.refused_circuits)),
        ]
    }
}

#[derive(Debug)]
pub(crate) enum Command {
    Publish(Vec<u8>),
    Remind(Vec<u8>),
    Report(Ticket, Verdict),
    PublishRecord(Vec<u8>, oneshot::Sender<Result<(), FindError>>),
    FindRecord(AccountId, oneshot::Sender<Found>),
}

/// The node's end of the network. Cheap to clone.
#[derive(Clone, Debug)]
pub struct NetworkHandle {
    peer: PeerId,
    commands: mpsc::Sender<Command>,
    state: watch::Receiver<Connectivity>,
    stats: Arc<Stats>,
}

impl NetworkHandle {
    pub(crate) const fn new(
        peer: PeerId,
        commands: mpsc::Sender<Command>,
        state: watch::Receiver<Connectivity>,
        stats: Arc<Stats>,
    ) -> Self {
        Self { peer, commands, state, stats }
    }

    /// This node's name among peers.
    #[must_use]
    pub const fn peer(&self) -> PeerId {
        self.peer
    }

    /// Sends a transaction of this node to the peers, now or as soon as there are any. The same bytes are sent once.
    pub fn publish(&self, bytes: Vec<u8>) -> Result<(), PublishError> {
        self.command(Command::Publish(bytes))
    }

    /// Sends a transaction that waits to the peers once more, for those that were not there before.
    pub fn remind(&self, bytes: Vec<u8>) -> Result<(), PublishError> {
        self.command(Command::Remind(bytes))
    }

    /// Keeps a miner's record and gives it to the nodes next to its key, now and every ten minutes until it expires.
    pub async fn publish_record(&self, bytes: Vec<u8>) -> Result<(), FindError> {
        let (answer, answered) = oneshot::channel();
        self.ask(Command::PublishRecord(bytes, answer))?;
        answered.await.map_err(|_| FindError::Ended)?
    }

    /// The newest record of this miner that is known here or to the nodes next to its key. Its signature was verified and
    /// it has not expired; it is a hint and no proof.
    pub async fn find_record(&self, hotkey: AccountId) -> Result<Option<SignedMinerRecord>, FindError> {
        let (answer, answered) = oneshot::channel();
        self.ask(Command::FindRecord(hotkey, answer))?;
        answered.await.map_err(|_| FindError::Ended)?
    }

    fn ask(&self, command: Command) -> Result<(), FindError> {
        self.command(command).map_err(|error| match error {
            PublishError::Busy => FindError::Busy,
            PublishError::Ended => FindError::Ended,
        })
    }

    fn command(&self, command: Command) -> Result<(), PublishError> {
        self.commands.try_send(command).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => PublishError::Busy,
            mpsc::error::TrySendError::Closed(_) => PublishError::Ended,
        })
    }

    /// Says what became of a received message. Waits while the network is busy.
    pub async fn report(&self, ticket: Ticket, verdict: Verdict) {
        // A network that has ended needs no verdicts.
        let _ = self.commands.send(Command::Report(ticket, verdict)).await;
    }

    /// Follows how the node is connected.
    #[must_use]
    pub fn connectivity(&self) -> watch::Receiver<Connectivity> {
        self.state.clone()
    }

    /// The counters.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.stats
    }
}
