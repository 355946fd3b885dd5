//! What the engine is told from outside.

use std::path::PathBuf;
use std::time::Duration;

use acumen_protocol::{ConsensusKeypair, ConsensusPublic, Hash};
use arc_malachitebft_app_channel::app::config::{
    ConsensusConfig, GossipSubConfig, NodeConfig, P2pConfig, PubSubProtocol, ValuePayload, ValueSyncConfig,
};
use arc_malachitebft_app_channel::app::net::Multiaddr;
use arc_malachitebft_app_channel::app::types::Keypair;
use arc_malachitebft_app_channel::app::types::core::LinearTimeouts;

use crate::deaf::MESH;

/// How this node takes part.
#[derive(Clone, Debug)]
pub struct Config {
    /// Folder of the log.
    pub dir: PathBuf,
    /// The key that votes. Without one, or while it is in no validator set, the node only follows.
    pub key: Option<ConsensusKeypair>,
    /// Where its peers are; `None` for a node that is alone.
    pub network: Option<Network>,
    /// Time between two blocks.
    pub block_time: Duration,
    /// How long a round waits for others.
    pub patience: Patience,
}

/// The network of validating nodes and of those that follow them.
#[derive(Clone, Debug)]
pub struct Network {
    /// Multiaddress to listen on, over TCP, such as `/ip4/0.0.0.0/tcp/26656`.
    pub listen: String,
    /// Multiaddresses of peers to stay connected to.
    pub peers: Vec<String>,
    /// Seed of this node's name in the network.
    pub identity: [u8; 32],
    /// How long a validator waits before its first height for others to hear it: what is said before they listen is
    /// lost, and with it a round.
    pub warm_up: Duration,
}

/// Waits of a round. What a dead proposer's turn costs is about `propose` + 2 × `vote`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For the proposal.
    pub propose: Duration,
    /// For the votes of all, once those of more than 2/3 are there.
    pub vote: Duration,
    /// How much longer each further round of a height waits.
    pub more: Duration,
}

impl Default for Patience {
    /// 600, 200 and 300 ms: on a network with 100 ms between nodes a block of the largest size arrives in time, and a
    /// dead proposer costs a second.
    fn default() -> Self {
        Self {
            propose: Duration::from_millis(600),
            vote: Duration::from_millis(200),
            more: Duration::from_millis(300),
        }
    }
}

impl Default for Network {
    /// Any port of this machine, no peers.
    fn default() -> Self {
        let listen = "/ip4/127.0.0.1/tcp/0".to_owned();
        Self { listen, peers: Vec::new(), identity: [0; 32], warm_up: Duration::from_millis(1_500) }
    }
}

/// An address that nobody can listen on or dial.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no address of a consensus node: votes travel over TCP, so write a multiaddress such as /ip4/10.0.0.7/tcp/26656 or /dns4/node.example.org/tcp/26656"
)]
pub struct AddressError {
    /// The text.
    pub text: String,
}

/// Checks an address of [`Network`].
pub fn check_address(text: &str) -> Result<(), AddressError> {
    address(text).map(|_| ())
}

fn address(text: &str) -> Result<Multiaddr, AddressError> {
    let parsed = text.parse::<Multiaddr>().ok();
    parsed.filter(over_tcp).ok_or_else(|| AddressError { text: text.to_owned() })
}

/// Whether it is a host and a TCP port, with or without the name of the peer. Over QUIC, which the engine would speak
/// too, a node that was frozen may lose what its peers listen to, and a chain stand still for it (ADR 25).
fn over_tcp(address: &Multiaddr) -> bool {
    let stack: Vec<&str> = address.protocol_stack().collect();
    matches!(stack.as_slice(), [host, "tcp"] | [host, "tcp", "p2p"] if HOSTS.contains(host))
}

/// How a multiaddress says what comes before the port.
const HOSTS: [&str; 5] = ["ip4", "ip6", "dns", "dns4", "dns6"];

/// Connections from one address: several nodes may share one.
const CONNECTIONS_PER_IP: usize = 64;

/// Heights whose votes are kept while this node is behind; what is older comes by catching up.
const HEIGHTS_BUFFERED: usize = 32;

/// How soon an address may connect again after one of its connections has ended. The engine's own half a minute would
/// keep away whoever was frozen or cut off for ten seconds, if its peers do not know it by the address that it comes
/// from. It is not nothing, so that connecting in a loop costs the one who does it more than the one who hears it.
const RECONNECT: Duration = Duration::from_millis(200);

/// How often a peer is dialled before it is left alone: once, since the engine dials named peers anew every second, but
/// not during the growing pauses between repetitions.
const REDIALS: usize = 0;

/// How often nodes tell each other how far they are. One that is stuck learns it from this.
const STATUS_INTERVAL: Duration = Duration::from_millis(250);

/// How long an answer to catch up with may take.
const SYNC_PATIENCE: Duration = Duration::from_secs(5);

impl Network {
    /// The name in the network that belongs to [`Self::identity`].
    pub(crate) fn keypair(&self) -> Result<Keypair, AddressError> {
        let mut seed = self.identity;
        Keypair::ed25519_from_bytes(&mut seed).map_err(|error| AddressError { text: error.to_string() })
    }

    /// A seed for [`Self::identity`] that is bound to a consensus key without telling it.
    #[must_use]
    pub fn identity_of(key: &ConsensusKeypair) -> [u8; 32] {
        Hash::of(&[b"acumen/consensus-peer-name/1".as_slice(), &key.to_seed()].concat()).0
    }
}

/// The engine's own configuration.
#[derive(Clone, Debug)]
pub(crate) struct EngineConfig {
    name: String,
    consensus: ConsensusConfig,
    sync: ValueSyncConfig,
}

impl EngineConfig {
    pub(crate) fn new(
        name: &ConsensusPublic,
        network: Option<&Network>,
        alone: bool,
    ) -> Result<Self, AddressError> {
        let mut p2p = P2pConfig::default();
        if let Some(network) = network {
            p2p.listen_addr = address(&network.listen)?;
            p2p.persistent_peers =
                network.peers.iter().map(|peer| address(peer)).collect::<Result<_, _>>()?;
        }
        p2p.protocol = PubSubProtocol::GossipSub(gossip());
        p2p.discovery.max_connections_per_ip = CONNECTIONS_PER_IP;
        p2p.discovery.ip_throttle_duration = RECONNECT;
        p2p.discovery.dial_max_retries = REDIALS;
        let consensus = ConsensusConfig {
            p2p,
            value_payload: ValuePayload::ProposalAndParts,
            queue_capacity: HEIGHTS_BUFFERED,
            ..ConsensusConfig::default()
        };
        let sync = ValueSyncConfig {
            enabled: !alone,
            status_update_interval: STATUS_INTERVAL,
            request_timeout: SYNC_PATIENCE,
            ..ValueSyncConfig::default()
        };
        // The start of a key tells nodes apart in the engine's own metrics.
        Ok(Self { name: name.to_string().chars().take(10).collect(), consensus, sync })
    }
}

/// Everybody in the mesh of everybody up to sixteen peers, so that who is outside wants nothing (C23); nobody who asks for a
/// place is refused below sixty-four, so that a node that follows a few others hears them.
fn gossip() -> GossipSubConfig {
    const WANTED: usize = MESH + MESH / 2;
    const MOST: usize = 64;
    const OUTBOUND: usize = 4;
    const FLOOD: bool = true;
    GossipSubConfig::new(WANTED, MOST, MESH, OUTBOUND, false, false, FLOOD)
}

impl NodeConfig for EngineConfig {
    fn moniker(&self) -> &str {
        &self.name
    }

    fn consensus(&self) -> &ConsensusConfig {
        &self.consensus
    }

    fn consensus_mut(&mut self) -> &mut ConsensusConfig {
        &mut self.consensus
    }

    fn value_sync(&self) -> &ValueSyncConfig {
        &self.sync
    }

    fn value_sync_mut(&mut self) -> &mut ValueSyncConfig {
        &mut self.sync
    }
}

impl From<Patience> for LinearTimeouts {
    fn from(patience: Patience) -> Self {
        Self {
            propose: patience.propose,
            propose_delta: patience.more,
            prevote: patience.vote,
            prevote_delta: patience.more,
            precommit: patience.vote,
            precommit_delta: patience.more,
            rebroadcast: patience.propose + patience.vote * 2,
            max_timeout: MAX_PATIENCE,
        }
    }
}

/// A round waits at most this long, however often it was lost.
const MAX_PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::check_address;

    #[test]
    fn consensus_is_spoken_over_tcp_and_nothing_else() {
        for good in ["/ip4/10.0.0.7/tcp/26656", "/ip6/::/tcp/0", "/dns4/node.example.org/tcp/26656"] {
            check_address(good).unwrap();
        }
        for bad in [
            "",
            "10.0.0.7:26656",
            "/ip4/10.0.0.7",
            "/ip4/10.0.0.7/udp/26656/quic-v1",
            "/ip4/10.0.0.7/tcp/26656/ws",
            "/tcp/26656",
        ] {
            let error = check_address(bad).unwrap_err().to_string();
            assert!(error.contains("over TCP") && error.contains("/tcp/26656"), "{error}");
        }
    }
}
