//! Signing domains: a signature made for one purpose never verifies for another.
//!
//! The signed bytes are SCALE of (domain name, payload): the name is length-prefixed, so no payload can imitate another
//! domain. Request authentication (see [`crate::auth`]) signs a text that starts with `acumen-auth/1`; the length
//! prefixes of the names below keep every preimage from starting like that.

use parity_scale_codec::Encode;

/// What a signature is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Domain {
    /// A transaction, by its sender (sr25519).
    Transaction,
    /// A consensus vote on a block, by a validating node (ed25519).
    Vote,
    /// The announcement of a round's block, by a validating node (ed25519).
    Proposal,
    /// The opening of a stream that carries a proposed block, by the validating node that sends it (ed25519).
    BlockStream,
    /// The address of a validating node in the network of nodes, by its consensus key (ed25519).
    ConsensusPeer,
    /// Possession of a consensus key, by that key (ed25519).
    ConsensusKey,
    /// A client's message on an authenticated stream, by the stream's session key (ed25519).
    StreamMessage,
    /// A miner's receipt for what it has answered (sr25519).
    Receipt,
    /// A miner's word on where it serves now, by its hotkey (sr25519).
    MinerRecord,
}

impl Domain {
    /// Every domain, for the uniqueness test.
    pub const ALL: [Self; 9] = [
        Self::Transaction,
        Self::Vote,
        Self::Proposal,
        Self::BlockStream,
        Self::ConsensusPeer,
        Self::ConsensusKey,
        Self::StreamMessage,
        Self::Receipt,
        Self::MinerRecord,
    ];

    /// The name under which this domain signs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transaction => "acumen/transaction/1",
            Self::Vote => "acumen/vote/1",
            Self::Proposal => "acumen/proposal/1",
            Self::BlockStream => "acumen/block-stream/1",
            Self::ConsensusPeer => "acumen/consensus-peer/1",
            Self::ConsensusKey => "acumen/consensus-key/1",
            Self::StreamMessage => "acumen/stream-message/1",
            Self::Receipt => "acumen/receipt/1",
            Self::MinerRecord => "acumen/miner-record/1",
        }
    }

    /// The bytes to sign for `payload`.
    #[must_use]
    pub fn preimage<T: Encode>(self, payload: &T) -> Vec<u8> {
        (self.name(), payload).encode()
    }

    /// True if `bytes` could be a preimage of some domain: a tool that signs free text must refuse them.
    #[must_use]
    pub fn claims(bytes: &[u8]) -> bool {
        Self::ALL.iter().any(|domain| bytes.starts_with(&domain.name().encode()))
            || bytes.starts_with(crate::auth::VERSION.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_domain_is_a_prefix_of_another() {
        for (i, a) in Domain::ALL.iter().enumerate() {
            for (j, b) in Domain::ALL.iter().enumerate() {
                assert_eq!(i == j, a.preimage(&()).starts_with(&b.preimage(&())));
            }
            assert!(!a.preimage(&()).starts_with(crate::auth::VERSION.as_bytes()));
            assert!(Domain::claims(&a.preimage(&1_u8)));
        }
        assert!(!Domain::claims(b"hello"));
    }
}
