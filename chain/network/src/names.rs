//! Names on the wire. Each contains the genesis hash, so that peers of different chains have no protocol in common.

use acumen_protocol::Hash;
use libp2p::StreamProtocol;

/// The protocol names of one chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// What identify exchanges: whoever says another is not of this chain.
    pub identify: String,
    /// Prefix of gossipsub's protocols.
    pub gossip: String,
    /// Kademlia.
    pub kademlia: StreamProtocol,
    /// Gossip topic of transactions: SCALE of a signed transaction, one a message.
    pub transactions: String,
    /// Gossip topic of those that still wait after a while: the time in milliseconds (u64, little endian), which makes
    /// it another message, then the same.
    pub waiting: String,
}

/// What every chain's identify name begins with.
pub(crate) const IDENTIFY_PREFIX: &str = "/acumen/";

/// What a probe calls itself: it belongs to no chain, asks one question and hangs up.
pub(crate) const PROBE_NAME: &str = "/acumen/probe/1";

impl Names {
    /// The names of the chain with this genesis.
    #[must_use]
    pub fn new(genesis: &Hash) -> Self {
        let chain = hex::encode(genesis.as_bytes());
        let kademlia = StreamProtocol::try_from_owned(format!("/acumen/{chain}/kad/1"));
        Self {
            identify: format!("{IDENTIFY_PREFIX}{chain}/1"),
            gossip: format!("/acumen/{chain}/meshsub"),
            // Begins with a slash, which is all that is asked of a name.
            kademlia: kademlia.unwrap_or(StreamProtocol::new("/acumen/kad/1")),
            transactions: format!("acumen/{chain}/transactions/1"),
            waiting: format!("acumen/{chain}/waiting/1"),
        }
    }

    /// The genesis that an identify name tells, if it is one of ours.
    #[must_use]
    pub fn genesis_of(identify: &str) -> Option<Hash> {
        identify.strip_prefix(IDENTIFY_PREFIX)?.strip_suffix("/1")?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_chains_apart() {
        let (a, b) = (Names::new(&Hash([1; 32])), Names::new(&Hash([2; 32])));
        assert_ne!(a.identify, b.identify);
        assert_ne!(a.gossip, b.gossip);
        assert_ne!(a.kademlia, b.kademlia);
        assert_ne!(a.transactions, b.transactions);
        assert_ne!(a.waiting, b.waiting);
        assert!(a.kademlia.to_string().contains(&"01".repeat(32)));
        assert_eq!(Names::genesis_of(&a.identify), Some(Hash([1; 32])));
        assert_eq!(Names::genesis_of("/ipfs/1.0.0"), None);
    }
}
