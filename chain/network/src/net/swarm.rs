//! Transports: TCP with noise and yamux, QUIC, names resolved by DNS, and circuits through relays.

use std::time::Duration;

use libp2p::identity::Keypair;
use libp2p::{Swarm, SwarmBuilder, noise, tcp, yamux};

use super::behaviour::Behaviour;
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
    let swarm = SwarmBuilder::with_existing_identity(identity.clone())
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)
        .map_err(|error| failed(&error))?
        .with_quic()
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
