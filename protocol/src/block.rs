//! Blocks: a header that commits to everything, and the transactions.

use parity_scale_codec::{Decode, Encode};

use crate::hash::merkle_root;
use crate::{ConsensusPublic, Hash, Height, SignedTransaction, TimestampMs};

/// What consensus agrees on. The block's id is blake2b-256 of the header's SCALE encoding; the id of the header at
/// height 0 is the *genesis hash*.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Header {
    /// Position.
    pub height: Height,
    /// Id of the header before; [`Hash::ZERO`] at genesis.
    pub parent: Hash,
    /// The proposer's clock; strictly later than the parent's.
    pub time: TimestampMs,
    /// Consensus key of the proposer.
    pub proposer: ConsensusPublic,
    /// [`merkle_root`] of the signed transactions' bytes.
    pub transactions_root: Hash,
    /// [`merkle_root`] of the events' SCALE encodings.
    pub events_root: Hash,
    /// Root of the state after this block.
    pub state_root: Hash,
    /// Hash of the [`crate::ValidatorSet`] that decides this block.
    pub validators_hash: Hash,
    /// Hash of the set that decides the next block.
    pub next_validators_hash: Hash,
}

impl Header {
    /// The block's id.
    #[must_use]
    pub fn id(&self) -> Hash {
        Hash::of_encoded(self)
    }
}

/// A header with its transactions.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Block {
    /// The header.
    pub header: Header,
    /// The transactions, in order of application.
    pub transactions: Vec<SignedTransaction>,
}

impl Block {
    /// The root over `transactions` that a header must carry.
    #[must_use]
    pub fn transactions_root(transactions: &[SignedTransaction]) -> Hash {
        merkle_root(transactions.iter().map(SignedTransaction::to_bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_covers_every_field() {
        let header = Header {
            height: Height::new(1),
            parent: Hash([1; 32]),
            time: TimestampMs::new(2),
            proposer: ConsensusPublic([3; 32]),
            transactions_root: Hash([4; 32]),
            events_root: Hash([5; 32]),
            state_root: Hash([6; 32]),
            validators_hash: Hash([7; 32]),
            next_validators_hash: Hash([8; 32]),
        };
        let bytes = header.encode();
        assert_eq!(bytes.len(), 8 + 32 + 8 + 6 * 32);
        for position in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[position] ^= 1;
            assert_ne!(Hash::of(&changed), header.id());
        }
    }
}
