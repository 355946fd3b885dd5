//! What an operator says about peers.

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use serde::Deserialize;

use crate::error::NetworkError;

/// The section `[network]` of a node's configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Addresses to listen on, like `/ip4/0.0.0.0/tcp/9901` and `/ip4/0.0.0.0/udp/9901/quic-v1`. Port 0 takes a free
    /// one. None: the node dials others and cannot be dialled.
    #[serde(default)]
    pub listen: Vec<Multiaddr>,
    /// Peers to begin with, each with its id: `/dns4/boot.example.org/tcp/9901/p2p/12D3Koo…`. Name several.
    #[serde(default)]
    pub bootstrap: Vec<Multiaddr>,
    /// Addresses under which others reach this node, if it knows them, like `/dns4/node.example.org/tcp/9901`.
    #[serde(default)]
    pub external: Vec<Multiaddr>,
    /// Connected peers at most.
    #[serde(default = "default_max_peers")]
    pub max_peers: u32,
    /// Inbound connections from one IP address (IPv6: one /64) at most.
    #[serde(default = "default_max_peers_per_ip")]
    pub max_peers_per_ip: usize,
    /// Transactions that one peer may send per second, on average.
    #[serde(default = "default_peer_transactions_per_second")]
    pub peer_transactions_per_second: u32,
    /// Bytes of transactions that one peer may send per second, on average.
    #[serde(default = "default_peer_bytes_per_second")]
    pub peer_bytes_per_second: u32,
    /// Whether peers may be at private and loopback addresses: for networks on one machine or one LAN.
    #[serde(default)]
    pub private_addresses: bool,
    /// Whether to relay connections for peers behind NAT, if this node can be reached.
    #[serde(default = "default_serve_relay")]
    pub serve_relay: bool,
    /// A peer of this chain that gossips and has not said for so long that it wants transactions is disconnected: it, or
    /// this node, believes in a connection that has ended.
    #[serde(default = "default_silent_peer_seconds")]
    pub silent_peer_seconds: u32,
}

/// Enough for a well-connected mesh (gossip wants 6 to 12), few enough for a small machine.
const fn default_max_peers() -> u32 {
    64
}

/// A household or a small cluster behind one address.
const fn default_max_peers_per_ip() -> usize {
    8
}

/// What one validator can execute: a peer passes on the transactions of the whole network, but an honest one only those
/// that are valid and found room in its pool.
const fn default_peer_transactions_per_second() -> u32 {
    10_000
}

/// Eight full blocks.
const fn default_peer_bytes_per_second() -> u32 {
    8 << 20
}

const fn default_serve_relay() -> bool {
    true
}

/// Honest peers say it with their first message. Twice what a connection takes to stand at worst.
const fn default_silent_peer_seconds() -> u32 {
    20
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            bootstrap: Vec::new(),
            external: Vec::new(),
            max_peers: default_max_peers(),
            max_peers_per_ip: default_max_peers_per_ip(),
            peer_transactions_per_second: default_peer_transactions_per_second(),
            peer_bytes_per_second: default_peer_bytes_per_second(),
            private_addresses: false,
            serve_relay: default_serve_relay(),
            silent_peer_seconds: default_silent_peer_seconds(),
        }
    }
}

impl Config {
    /// Refuses what cannot work.
    pub fn check(&self) -> Result<(), NetworkError> {
        if let Some(address) =
            self.bootstrap.iter().find(|address| crate::core::address::peer_of(address).is_none())
        {
            return Err(NetworkError::BootstrapWithoutId { address: address.clone() });
        }
        if let Some(address) = self.listen.iter().find(|address| !listenable(address)) {
            return Err(NetworkError::ListenAddress { address: address.clone() });
        }
        if self.max_peers == 0 || self.max_peers_per_ip == 0 {
            return Err(NetworkError::NoPeers);
        }
        if self.peer_transactions_per_second == 0 || self.peer_bytes_per_second == 0 {
            return Err(NetworkError::NoRate);
        }
        if self.silent_peer_seconds == 0 {
            return Err(NetworkError::NoPatience);
        }
        Ok(())
    }
}

/// TCP, or QUIC over UDP, on an IP address of this machine.
fn listenable(address: &Multiaddr) -> bool {
    let parts: Vec<_> = address.iter().collect();
    matches!(
        parts.as_slice(),
        [Protocol::Ip4(_) | Protocol::Ip6(_), Protocol::Tcp(_)]
            | [Protocol::Ip4(_) | Protocol::Ip6(_), Protocol::Udp(_), Protocol::QuicV1]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(&mut Config)) -> Result<(), NetworkError> {
        let mut config = Config::default();
        change(&mut config);
        config.check()
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_reason() {
        assert!(with(|_| ()).is_ok());
        let listen = |text: &str| with(|config| config.listen.push(text.parse().unwrap()));
        assert!(listen("/ip4/0.0.0.0/tcp/9901").is_ok());
        assert!(listen("/ip6/::/udp/9901/quic-v1").is_ok());
        assert!(matches!(listen("/dns4/example.org/tcp/1"), Err(NetworkError::ListenAddress { .. })));
        assert!(matches!(listen("/ip4/0.0.0.0/udp/9901"), Err(NetworkError::ListenAddress { .. })));
        let bare = with(|config| config.bootstrap.push("/ip4/1.2.3.4/tcp/1".parse().unwrap()));
        assert!(matches!(bare, Err(NetworkError::BootstrapWithoutId { .. })));
        assert!(matches!(with(|config| config.max_peers = 0), Err(NetworkError::NoPeers)));
        assert!(matches!(with(|config| config.peer_bytes_per_second = 0), Err(NetworkError::NoRate)));
        assert!(matches!(with(|config| config.silent_peer_seconds = 0), Err(NetworkError::NoPatience)));
    }
}
