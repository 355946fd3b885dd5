//! Transports: TCP with noise and yamux, QUIC, names resolved by DNS, and circuits through relays; [`super::guard`] is
//! below the last two.

use std::time::Duration;

use libp2p::core::Transport as _;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::{PeerId, Swarm, SwarmBuilder, noise, quic, tcp, yamux};

use super::behaviour::Behaviour;
use super::guard::Guarded;
use crate::config::Config;
use crate::error::NetworkError;
use crate::names::Names;

/// A connection on which no protocol is active is closed after this time. Gossip keeps those of the mesh open.
const IDLE: Duration = Duration::from_secs(60);

/// A connection that does not stand by then has failed.
pub(crate) const CONNECT: Duration = Duration::from_secs(10);

pub(crate) fn build(
    config: &Config,
    identity: &Keypair,
    names: &Names,
) -> Result<Swarm<Behaviour>, NetworkError> {
    let failed = |error: &dyn std::fmt::Display| NetworkError::Build { reason: error.to_string() };
    let direct = Guarded::new(direct(identity).map_err(|error| failed(&error))?, config);
    let swarm = SwarmBuilder::with_existing_identity(identity.clone())
        .with_tokio()
        .with_other_transport(|_| direct)
        .map_err(|error| failed(&error))?
        .with_dns()
        .map_err(|error| failed(&error))?
        .with_relay_client(noise::Config::new, yamux::Config::default)
        .map_err(|error| failed(&error))?
        .with_behaviour(|_, relay| {
            Behaviour::new(config, identity, names, relay)
                .map_err(|error| -> Box<dyn std::error::Error + Send + Sync> { Box::new(error) })
        })
        .map_err(|error| failed(&error))?
        .with_swarm_config(|swarm| swarm.with_idle_connection_timeout(IDLE))
        .with_connection_timeout(CONNECT)
        .build();
    Ok(swarm)
}

/// TCP and QUIC, to IP addresses.
fn direct(identity: &Keypair) -> Result<Boxed<(PeerId, StreamMuxerBox)>, noise::Error> {
    let tcp = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(identity)?)
        .multiplex(yamux::Config::default())
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
    let quic = quic::tokio::Transport::new(quic::Config::new(identity))
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
    Ok(tcp.or_transport(quic).map(|either, _| either.into_inner()).boxed())
}
