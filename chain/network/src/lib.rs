//! Peers of the chain: discovery and gossip over libp2p.
#![forbid(unsafe_code)]
