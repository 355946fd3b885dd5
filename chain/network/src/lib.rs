//! Peers of the chain: finding them, keeping a good set of them, and gossip of transactions among them, over libp2p.
//!
//! [`core`] is pure: the peer book, rate limits and reputation are state machines whose time is an argument. [`Network`]
//! is the thin shell around them: it owns the swarm, hands each received transaction to the node with a [`Ticket`], and
//! passes it on only once the node has said that it is valid. Miners' records ([`core::record`]) lie in Kademlia. Every
//! protocol name contains the genesis hash, so chains do not mix. Nothing here decides anything about the ledger: a peer can waste our time, within limits, and nothing else.
//! Durations in the fields' names, sizes in bytes.
#![forbid(unsafe_code)]

mod config;
pub mod core;
mod error;
mod identity;
mod names;
mod net;

pub use acumen_protocol::miner_record::{MinerRecord, RecordError, SignedMinerRecord};
pub use config::Config;
pub use error::NetworkError;
pub use identity::load_or_create as load_or_create_identity;
pub use libp2p::identity::Keypair;
pub use libp2p::{Multiaddr, PeerId};
pub use names::Names;
pub use net::explain::DialFailure;
pub use net::handle::{
    Connectivity, FindError, Incoming, NetworkHandle, PublishError, Reachability, Stats, Ticket, Verdict,
};
pub use net::probe::{Probe, probe};
pub use net::registry::Registry;
pub use net::{Network, Setup};
