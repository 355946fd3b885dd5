//! The protocols of a peer, and their settings.

use std::time::Duration;

use acumen_protocol::Hash;
use acumen_protocol::limits::MAX_TRANSACTION_BYTES;
use acumen_protocol::miner_record::{MAX_LIFE_MS, MAX_RECORD_BYTES};
use libp2p::gossipsub::{
    self, IdentTopic, MessageAuthenticity, MessageId, PeerScoreParams, PeerScoreThresholds, TopicScoreParams,
    ValidationMode,
};
use libp2p::identity::Keypair;
use libp2p::kad::{self, store::MemoryStore};
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{autonat, connection_limits, dcutr, identify, ping, relay};

use super::gate::Gate;
use crate::config::Config;
use crate::core::record::shelf::MAX_RECORDS;
use crate::core::reputation::BAN_AT;
use crate::error::NetworkError;
use crate::names::Names;

/// Room for a transaction of the largest size and gossipsub's framing.
const MAX_MESSAGE_BYTES: usize = MAX_TRANSACTION_BYTES + 4_096;

/// Gossip keeps and deduplicates a message for so long: a transaction that comes again after that is known to the pool or
/// to the ledger.
const DUPLICATES: Duration = Duration::from_secs(120);

/// The mesh mends itself this often.
const HEARTBEAT: Duration = Duration::from_millis(700);

/// Heartbeats for which a message is kept, and the node's verdict on it awaited: seven seconds.
const REMEMBERED: usize = 10;

/// Connections that are being made, each way.
const PENDING: u32 = 64;

/// One peer may need several connections for a moment: both dialled each other through relays, and both succeed in making
/// that direct, one over TCP and the other over QUIC. With fewer the one end may refuse what the other has settled on.
/// [`crate::core::links`] ends those that are left over.
const PER_PEER: u32 = 4;

/// When a node first asks a peer whether it can be reached: as soon as it has some.
const AUTONAT_FIRST: Duration = Duration::from_secs(2);

/// Asked again so long afterwards, until three have said the same: another peer each time.
const AUTONAT_AGAIN: Duration = Duration::from_secs(15);

/// The same peer is not asked again before that. A node may have only one.
const AUTONAT_SAME: Duration = Duration::from_secs(60);

/// Time for the peer to dial every address of this node in turn: TCP and QUIC, over IPv4 and IPv6.
const AUTONAT_ANSWER: Duration = Duration::from_secs(60);

/// Bytes that one relayed connection may carry before it is closed: 256 MiB for the 16 that may be open at a time. Whoever is
/// still behind NAT then opens another.
const MAX_CIRCUIT_BYTES: u64 = 16 << 20;

/// How long one may last; whoever still has no direct connection then asks for another.
const MAX_CIRCUIT: Duration = Duration::from_secs(3_600);

/// Nobody provides anything here: who serves a model says so in its record.
const MAX_PROVIDED: usize = 0;

#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    // The gates come first: they decide before any other keeps state for a connection.
    pub(crate) gate: Gate,
    pub(crate) limits: connection_limits::Behaviour,
    pub(crate) identify: identify::Behaviour,
    pub(crate) ping: ping::Behaviour,
    pub(crate) gossip: gossipsub::Behaviour,
    pub(crate) kademlia: kad::Behaviour<MemoryStore>,
    pub(crate) autonat: autonat::Behaviour,
    pub(crate) relay_client: relay::client::Behaviour,
    pub(crate) relay: Toggle<relay::Behaviour>,
    pub(crate) dcutr: dcutr::Behaviour,
}

impl Behaviour {
    pub(crate) fn new(
        config: &Config,
        identity: &Keypair,
        names: &Names,
        relay_client: relay::client::Behaviour,
    ) -> Result<Self, NetworkError> {
        let peer = identity.public().to_peer_id();
        let limits = connection_limits::ConnectionLimits::default()
            .with_max_pending_incoming(Some(PENDING))
            .with_max_pending_outgoing(Some(PENDING))
            .with_max_established_per_peer(Some(PER_PEER))
            .with_max_established(Some(config.max_peers));
        let identify = identify::Config::new(names.identify.clone(), identity.public())
            .with_agent_version(concat!("acumen/", env!("CARGO_PKG_VERSION")).to_owned())
            .with_push_listen_addr_updates(true)
            // It would offer for dialling whatever addresses a peer names, private ones too; ours are in the book.
            .with_cache_size(0);
        let autonat = autonat::Config {
            only_global_ips: !config.private_addresses,
            boot_delay: AUTONAT_FIRST,
            retry_interval: AUTONAT_AGAIN,
            throttle_server_period: AUTONAT_SAME,
            timeout: AUTONAT_ANSWER,
            ..autonat::Config::default()
        };
        Ok(Self {
            gate: Gate::new(config.max_peers_per_ip),
            limits: connection_limits::Behaviour::new(limits),
            identify: identify::Behaviour::new(identify),
            ping: ping::Behaviour::default(),
            gossip: gossip(names)?,
            kademlia: kademlia(config, peer, names),
            autonat: autonat::Behaviour::new(peer, autonat),
            relay_client,
            relay: config.serve_relay.then(|| relay::Behaviour::new(peer, relaying())).into(),
            dcutr: dcutr::Behaviour::new(peer),
        })
    }
}

/// libp2p's limits but for what one circuit may carry: where no direct connection can be made, gossip goes through it, and
/// 128 KiB are less than one transaction of the largest size.
fn relaying() -> relay::Config {
    relay::Config {
        max_circuit_bytes: MAX_CIRCUIT_BYTES,
        max_circuit_duration: MAX_CIRCUIT,
        ..relay::Config::default()
    }
}

/// Messages carry neither author nor signature: a transaction is signed by its sender already, and a second signature
/// would only tell which node it came from. Such fields are refused (`Anonymous` is strict about their absence).
fn gossip(names: &Names) -> Result<gossipsub::Behaviour, NetworkError> {
    let failed = |reason: String| NetworkError::Build { reason };
    let config = gossipsub::ConfigBuilder::default()
        .protocol_id_prefix(names.gossip.clone())
        .validation_mode(ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(|message| MessageId::new(Hash::of(&message.data).as_bytes()))
        .max_transmit_size(MAX_MESSAGE_BYTES)
        .duplicate_cache_time(DUPLICATES)
        .heartbeat_interval(HEARTBEAT)
        .history_length(REMEMBERED)
        .build()
        .map_err(|error| failed(error.to_string()))?;
    let mut gossip = gossipsub::Behaviour::new(MessageAuthenticity::Anonymous, config)
        .map_err(|reason| failed(reason.to_owned()))?;
    let topics = [&names.transactions, &names.waiting].map(IdentTopic::new);
    let (params, thresholds) = scores(&topics);
    gossip.with_peer_score(params, thresholds).map_err(failed)?;
    for topic in &topics {
        gossip.subscribe(topic).map_err(|error| failed(error.to_string()))?;
    }
    Ok(gossip)
}

/// Gossipsub's own scores: our reputation is its application score, and at the ban it has stopped listening anyway.
/// Deliveries are not demanded: a quiet chain is no offence.
fn scores(topics: &[IdentTopic]) -> (PeerScoreParams, PeerScoreThresholds) {
    let transactions = TopicScoreParams {
        topic_weight: 1.0,
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        invalid_message_deliveries_weight: -1.0,
        ..TopicScoreParams::default()
    };
    let params = PeerScoreParams {
        topics: topics.iter().map(|topic| (topic.hash(), transactions.clone())).collect(),
        app_specific_weight: 1.0,
        // Counted by the gate, for inbound connections.
        ip_colocation_factor_weight: 0.0,
        ..PeerScoreParams::default()
    };
    let ban = BAN_AT as f64;
    let thresholds = PeerScoreThresholds {
        gossip_threshold: ban * 0.3,
        publish_threshold: ban * 0.5,
        graylist_threshold: ban * 1.5,
        ..PeerScoreThresholds::default()
    };
    (params, thresholds)
}

fn kademlia(config: &Config, peer: libp2p::PeerId, names: &Names) -> kad::Behaviour<MemoryStore> {
    let mut settings = kad::Config::new(names.kademlia.clone());
    // Only addresses that pass our own check enter the table, after identify: see the task.
    settings.set_kbucket_inserts(kad::BucketInserts::Manual);
    // What peers want stored is checked by the task first, which also sends its own records again.
    settings.set_record_filtering(kad::StoreInserts::FilterBoth);
    settings.set_record_ttl(Some(Duration::from_millis(MAX_LIFE_MS)));
    settings.set_replication_interval(None).set_publication_interval(None);
    settings.set_caching(kad::Caching::Disabled);
    let store = kad::store::MemoryStoreConfig {
        max_records: MAX_RECORDS,
        // The store takes what is smaller than this.
        max_value_bytes: MAX_RECORD_BYTES + 1,
        max_provided_keys: MAX_PROVIDED,
        ..Default::default()
    };
    let mut kademlia = kad::Behaviour::with_config(peer, MemoryStore::with_config(peer, store), settings);
    if config.private_addresses || !config.external.is_empty() {
        // Otherwise it serves as soon as autonat has found an address under which others reach this node.
        kademlia.set_mode(Some(kad::Mode::Server));
    }
    kademlia
}
