//! One dial, for diagnosis: does a peer answer there, directly or through a relay, who is it, and on which chain?

use std::time::Duration;

use acumen_protocol::Hash;
use futures::StreamExt as _;
use libp2p::identity::Keypair;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, SwarmBuilder, identify, noise, relay, tcp, yamux};

use super::explain::{DialFailure, explain};
use crate::core::address::peer_of;
use crate::names::{Names, PROBE_NAME};

/// Who answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Its name among peers.
    pub peer: PeerId,
    /// Its software, as it says.
    pub agent: String,
    /// Its chain's genesis, if it is a node of this kind.
    pub genesis: Option<Hash>,
    /// Where it says that it listens, and where others reach it; circuits through relays too.
    pub listening: Vec<Multiaddr>,
    /// From where it sees us.
    pub observed: Multiaddr,
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    identify: identify::Behaviour,
    relay: relay::client::Behaviour,
}

/// Dials `address` under a name made for the occasion, learns who is there, and hangs up. With `genesis`, a peer of
/// another chain is a failure.
pub async fn probe(
    address: &Multiaddr,
    genesis: Option<Hash>,
    within: Duration,
) -> Result<Probe, DialFailure> {
    let asked = tokio::time::timeout(within, ask(address)).await;
    let found = asked.map_err(|_| DialFailure::Timeout { address: address.clone() })??;
    let probe = Probe {
        peer: found.public_key.to_peer_id(),
        genesis: Names::genesis_of(&found.protocol_version),
        agent: found.agent_version,
        listening: found.listen_addrs,
        observed: found.observed_addr,
    };
    match genesis {
        Some(expected) if probe.genesis != Some(expected) => Err(DialFailure::WrongChain {
            address: address.clone(),
            expected,
            found: probe.genesis.map_or(found.protocol_version, |genesis| genesis.to_string()),
        }),
        _ => Ok(probe),
    }
}

async fn ask(address: &Multiaddr) -> Result<identify::Info, DialFailure> {
    let here = |error: &dyn std::fmt::Display| DialFailure::Here { reason: error.to_string() };
    let mut swarm = build().map_err(|reason| DialFailure::Here { reason })?;
    let options = match peer_of(address) {
        Some(peer) => DialOpts::peer_id(peer).addresses(vec![address.clone()]).build(),
        None => DialOpts::unknown_peer_id().address(address.clone()).build(),
    };
    // Through a relay, the connection to the relay is another one, about which nothing was asked.
    let asked = options.connection_id();
    swarm.dial(options).map_err(|error| explain(address, &error))?;
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } if connection_id == asked => {
                return Err(explain(address, &error));
            }
            SwarmEvent::ConnectionClosed { connection_id, cause, .. } if connection_id == asked => {
                let reason =
                    cause.map_or_else(|| "without a word".to_owned(), |cause| here(&cause).to_string());
                return Err(DialFailure::Closed { address: address.clone(), reason });
            }
            SwarmEvent::Behaviour(BehaviourEvent::Identify(event)) => match event {
                identify::Event::Received { connection_id, info, .. } if connection_id == asked => {
                    return Ok(info);
                }
                identify::Event::Error { connection_id, error, .. } if connection_id == asked => {
                    let reason = error.to_string();
                    return Err(DialFailure::NotAPeer { address: address.clone(), reason });
                }
                _ => {}
            },
            _ => {}
        }
    }
}

fn build() -> Result<Swarm<Behaviour>, String> {
    let identity = Keypair::generate_ed25519();
    let config = identify::Config::new(PROBE_NAME.to_owned(), identity.public())
        .with_agent_version(concat!("acumen-doctor/", env!("CARGO_PKG_VERSION")).to_owned());
    let swarm = SwarmBuilder::with_existing_identity(identity)
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)
        .map_err(|error| error.to_string())?
        .with_quic()
        .with_dns()
        .map_err(|error| error.to_string())?
        .with_relay_client(noise::Config::new, yamux::Config::default)
        .map_err(|error| error.to_string())?
        .with_behaviour(|_, relay| Behaviour { identify: identify::Behaviour::new(config), relay })
        .map_err(|error| error.to_string())?
        .with_swarm_config(|swarm| swarm)
        .with_connection_timeout(super::swarm::CONNECT)
        .build();
    Ok(swarm)
}
