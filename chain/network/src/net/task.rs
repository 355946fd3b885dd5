//! The task that owns the swarm: a loop over the swarm's events, the node's commands and a clock. Decisions are in
//! [`crate::core`]; here they are carried out.

mod discovery;
mod gossip;
mod reach;
mod records;

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::StreamExt as _;
use libp2p::core::transport::ListenerId;
use libp2p::gossipsub::IdentTopic;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, Swarm};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::behaviour::{Behaviour, BehaviourEvent};
use super::handle::{Command, Connectivity, Incoming, Reachability, Stats};
use super::peers::Peers;
use crate::config::Config;
use crate::core::book::{Book, file};
use crate::core::links::Links;
use crate::core::relays::Relays;
use crate::error::NetworkError;
use crate::names::Names;

/// How often peers are looked after.
const TICK: Duration = Duration::from_secs(1);

/// Ticks between two looks at whether the peer book is to be written.
const SAVE_TICKS: u64 = 30;

/// KiB of messages that may wait for the node's verdict: as many bytes as 250 transactions of the largest size.
const MAX_WAITING_KIB: usize = 64 << 10;

pub(super) use records::{Found, Records};

pub(super) type Outlets = (mpsc::Sender<Incoming>, watch::Sender<Connectivity>, Arc<Stats>);

/// The network's state.
pub(super) struct Task {
    swarm: Swarm<Behaviour>,
    names: Names,
    topic: IdentTopic,
    /// What still waits: see [`Names::waiting`].
    waiting: IdentTopic,
    config: Config,
    peers: Peers,
    book: Book,
    book_path: Option<PathBuf>,
    incoming: mpsc::Sender<Incoming>,
    /// KiB that messages may take until the node has looked at them.
    room: Arc<Semaphore>,
    state: watch::Sender<Connectivity>,
    stats: Arc<Stats>,
    /// Own messages that nobody could be sent yet.
    unsent: VecDeque<Vec<u8>>,
    links: Links,
    relays: Relays,
    /// Listeners that wait for circuits through a relay.
    circuits: HashMap<ListenerId, PeerId>,
    reachability: Reachability,
    /// When peers were last looked for, in milliseconds since the start.
    looked_at: Option<u64>,
    records: Records,
    started: Instant,
    ticks: u64,
}

impl Task {
    pub(super) fn new(
        swarm: Swarm<Behaviour>,
        names: Names,
        config: Config,
        (book, book_path): (Book, Option<PathBuf>),
        records: Records,
        (incoming, state, stats): Outlets,
    ) -> Self {
        let (topic, waiting) = (IdentTopic::new(&names.transactions), IdentTopic::new(&names.waiting));
        let peers = Peers::new(&config);
        let (links, relays, circuits) = (Links::default(), Relays::default(), HashMap::new());
        let started = Instant::now();
        Self {
            swarm,
            names,
            topic,
            waiting,
            config,
            peers,
            book,
            book_path,
            incoming,
            room: Arc::new(Semaphore::new(MAX_WAITING_KIB)),
            state,
            stats,
            unsent: VecDeque::new(),
            links,
            relays,
            circuits,
            reachability: Reachability::Unknown,
            looked_at: None,
            records,
            started,
            ticks: 0,
        }
    }

    /// Takes the addresses, and says which ones others know.
    pub(super) fn listen(&mut self) -> Result<(), NetworkError> {
        for address in self.config.listen.clone() {
            let refused = |reason: String| NetworkError::Listen { address: address.clone(), reason };
            free(&address).map_err(|error| refused(error.to_string()))?;
            self.swarm.listen_on(address.clone()).map_err(|error| refused(error.to_string()))?;
        }
        for address in &self.config.external {
            self.swarm.add_external_address(address.clone());
        }
        self.show();
        Ok(())
    }

    /// Runs until `shutdown`; writes the peer book at the end.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>, shutdown: CancellationToken) {
        tracing::info!(peer = %self.swarm.local_peer_id(), known = self.book.len(), "network is up");
        self.enforce_bans();
        let mut clock = tokio::time::interval(TICK);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                event = self.swarm.select_next_some() => self.on_event(event),
                checked = self.records.next_checked() => self.on_checked(checked),
                command = commands.recv() => match command {
                    Some(command) => self.on_command(command),
                    None => break,
                },
                _ = clock.tick() => self.on_tick().await,
            }
        }
        self.save().await;
        tracing::info!("network has stopped");
    }

    async fn on_tick(&mut self) {
        self.dial_more();
        self.look_for_more();
        self.use_relays();
        self.tend_links();
        self.part_from_silent();
        self.tend_records();
        self.ticks = self.ticks.wrapping_add(1);
        if self.ticks.is_multiple_of(SAVE_TICKS) {
            self.enforce_bans();
            self.save().await;
        }
    }

    /// Writes the peer book if it has changed. A failure costs convenience at the next start and nothing else.
    async fn save(&mut self) {
        let Some(path) = self.book_path.clone().filter(|_| self.book.take_changed()) else { return };
        let book = self.book.clone();
        let written = tokio::task::spawn_blocking(move || file::write(&book, &path)).await;
        if let Ok(Err(error)) = written {
            tracing::warn!(%error, "the peer book could not be written");
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Publish(bytes) => self.publish(bytes),
            Command::Remind(bytes) => self.remind(&bytes),
            Command::Report(ticket, verdict) => self.report(&ticket, verdict),
            Command::PublishRecord(bytes, answer) => self.publish_record(&bytes, answer),
            Command::FindRecord(hotkey, answer) => self.find_record(hotkey, answer),
        }
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Gossip(event)) => self.on_gossip(event),
            SwarmEvent::Behaviour(BehaviourEvent::Identify(event)) => self.on_identify(event),
            SwarmEvent::Behaviour(BehaviourEvent::Kademlia(event)) => self.on_kademlia(event),
            SwarmEvent::Behaviour(BehaviourEvent::Autonat(event)) => self.on_autonat(&event),
            SwarmEvent::Behaviour(BehaviourEvent::RelayClient(event)) => self.on_relay_client(&event),
            SwarmEvent::Behaviour(BehaviourEvent::Relay(event)) => self.on_relay_server(&event),
            SwarmEvent::Behaviour(BehaviourEvent::Dcutr(event)) => self.on_dcutr(&event),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.on_connected(peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, num_established, cause, .. } => {
                tracing::debug!(peer = %peer_id, ?cause, left = num_established, "disconnected");
                self.links.closed(&peer_id, &connection_id);
                if num_established == 0 {
                    self.peers.gone(&peer_id);
                    self.relays.gone(&peer_id);
                }
                self.show();
            }
            SwarmEvent::ExternalAddrConfirmed { .. } | SwarmEvent::ExternalAddrExpired { .. } => self.show(),
            SwarmEvent::OutgoingConnectionError { peer_id: Some(peer), error, .. } => {
                self.on_failed_dial(peer, &error);
            }
            SwarmEvent::IncomingConnectionError { error, .. } => {
                tracing::debug!(%error, "an incoming connection failed");
                if matches!(error, libp2p::swarm::ListenError::Denied { .. }) {
                    Stats::add(&self.stats.refused);
                }
            }
            SwarmEvent::NewListenAddr { address, .. } => {
                tracing::info!(%address, "listening for peers");
                self.set_listening(|listening| listening.push(address));
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                self.set_listening(|listening| listening.retain(|known| *known != address));
            }
            SwarmEvent::ListenerClosed { listener_id, addresses, reason } => {
                self.on_listener_closed(listener_id, &addresses, &reason);
            }
            SwarmEvent::ListenerError { error, .. } => tracing::warn!(%error, "a listener failed"),
            _ => {}
        }
    }

    fn set_listening(&self, change: impl FnOnce(&mut Vec<Multiaddr>)) {
        self.state.send_modify(|state| change(&mut state.listening));
    }

    /// Tells the node how it is connected.
    fn show(&self) {
        let (peers, subscribed) = self.peers.lists();
        let relayed = peers.iter().filter(|peer| self.links.is_relayed(peer)).copied().collect();
        let external = self.swarm.external_addresses().cloned().collect();
        let (reachability, relays) = (self.reachability, self.relays.held());
        self.state.send_if_modified(|state| {
            let kept = state.clone();
            let new = Connectivity { peers, subscribed, relayed, reachability, external, relays, ..kept };
            let changed = *state != new;
            *state = new;
            changed
        });
    }

    /// Milliseconds since the start.
    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Is the port free? The transports share a port with whoever else does, so two nodes on one would take each other's
/// connections unnoticed; the standard library's sockets do not share.
fn free(address: &Multiaddr) -> std::io::Result<()> {
    let mut parts = address.iter().skip(1);
    let Some(ip) = crate::core::address::ip_of(address) else { return Ok(()) };
    match parts.next() {
        Some(Protocol::Tcp(port)) => std::net::TcpListener::bind((ip, port)).map(|_| ()),
        Some(Protocol::Udp(port)) => std::net::UdpSocket::bind((ip, port)).map(|_| ()),
        _ => Ok(()),
    }
}

/// Seconds since the Unix epoch, for what outlives the process.
fn wall_seconds() -> u64 {
    wall().as_secs()
}

fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
