//! Why there are no peers.

use std::path::PathBuf;

use libp2p::Multiaddr;

/// A failure to start, in words for the operator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// A bootstrap address that names nobody.
    #[error(
        "bootstrap address {address} has no peer id: append /p2p/ and the id that the peer logs when it starts"
    )]
    BootstrapWithoutId {
        /// The address.
        address: Multiaddr,
    },
    /// Not an address of this machine.
    #[error("cannot listen on {address}: write /ip4/0.0.0.0/tcp/PORT or /ip4/0.0.0.0/udp/PORT/quic-v1")]
    ListenAddress {
        /// The address.
        address: Multiaddr,
    },
    /// The system refused.
    #[error("cannot listen on {address}: {reason}; stop whatever uses it or change `listen` in [network]")]
    Listen {
        /// The address.
        address: Multiaddr,
        /// The system's words.
        reason: String,
    },
    /// Limits of zero.
    #[error(
        "`max_peers` and `max_peers_per_ip` must be above zero; leave [network] out for a node without peers"
    )]
    NoPeers,
    /// Rates of zero.
    #[error("`peer_transactions_per_second` and `peer_bytes_per_second` must be above zero")]
    NoRate,
    /// No time for peers to say what they want.
    #[error("`silent_peer_seconds` must be above zero; leave it out for the default")]
    NoPatience,
    /// The identity file is unusable.
    #[error("{path}: {reason}")]
    Identity {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The swarm could not be built.
    #[error("the network could not start: {reason}")]
    Build {
        /// Why.
        reason: String,
    },
}
