//! A miner's record: where it serves now, signed by its hotkey, good for an hour at most. It is a hint that is fresher than
//! the chain's record, and proves nothing but that the hotkey said so: nobody pays by it (docs/spec/network.md, N-40).
//!
//! Signed are the SCALE bytes of (name, genesis, record), see [`Domain::MinerRecord`], so that a record of one chain says
//! nothing on another. Times are in milliseconds since the Unix epoch, by the miner's clock.

use parity_scale_codec::{Decode, Encode};

use crate::codec::decode_all;
use crate::domain::Domain;
use crate::{AccountId, Endpoint, Hash, Keypair, Signature};

/// Longest life of a record: a miner that is gone is forgotten within the hour.
pub const MAX_LIFE_MS: u64 = 3_600_000;

/// A miner's clock may be ahead by this much.
pub const MAX_AHEAD_MS: u64 = 60_000;

/// Largest record in bytes: the longest URL, hashes, times and a signature take less than half.
pub const MAX_RECORD_BYTES: usize = 1_024;

/// What a miner says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct MinerRecord {
    /// The miner.
    pub hotkey: AccountId,
    /// Where it serves and what, as the chain's record says it.
    pub endpoint: Endpoint,
    /// When it was signed; of two records the later one counts.
    pub issued_ms: u64,
    /// From then on it says nothing.
    pub expires_ms: u64,
}

/// A record with its miner's signature, which was verified or has yet to be: see [`Self::check`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SignedMinerRecord {
    /// The record.
    pub record: MinerRecord,
    /// By the hotkey in it.
    pub signature: Signature,
}

/// Why a record is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Too long for any record.
    #[error("the record has {size} bytes; at most {MAX_RECORD_BYTES} are read")]
    TooLarge {
        /// Its bytes.
        size: usize,
    },
    /// No record.
    #[error("the bytes are no miner's record: {reason}")]
    Malformed {
        /// What the decoder says.
        reason: String,
    },
    /// Given as another miner's.
    #[error("the record of {hotkey} was given where another miner's belongs")]
    WrongKey {
        /// Whose record it is.
        hotkey: AccountId,
    },
    /// The endpoint has not the shape that the chain demands.
    #[error("the endpoint of {hotkey} is malformed: write http://HOST:PORT or https://HOST:PORT")]
    Endpoint {
        /// Whose record it is.
        hotkey: AccountId,
    },
    /// The life is none, or too long.
    #[error("the record of {hotkey} is to live for {life_ms} ms; allowed are 1 to {MAX_LIFE_MS}")]
    Life {
        /// Whose record it is.
        hotkey: AccountId,
        /// From issue to expiry; 0 if it ends before it begins.
        life_ms: u64,
    },
    /// Somebody else signed it, or it was changed, or it is of another chain.
    #[error("the signature is not that of {hotkey} on this chain")]
    Signature {
        /// Whose record it is said to be.
        hotkey: AccountId,
    },
    /// Over.
    #[error("the record of {hotkey} has expired {ago_ms} ms ago: sign a new one, and check the clocks")]
    Expired {
        /// Whose record it is.
        hotkey: AccountId,
        /// Milliseconds since then.
        ago_ms: u64,
    },
    /// From the future.
    #[error("the record of {hotkey} is dated {ahead_ms} ms ahead of this node's clock: check the clocks")]
    Future {
        /// Whose record it is.
        hotkey: AccountId,
        /// Milliseconds until then.
        ahead_ms: u64,
    },
    /// A later one is known.
    #[error("a record of {hotkey} issued at {known_ms} ms is known; this one is not newer")]
    Outdated {
        /// Whose record it is.
        hotkey: AccountId,
        /// When the known one was issued.
        known_ms: u64,
    },
    /// Not a miner on this chain.
    #[error("hotkey {hotkey} is registered on no track of this chain")]
    Unregistered {
        /// The hotkey.
        hotkey: AccountId,
    },
    /// No room.
    #[error("{limit} records are kept already; try again when some have expired")]
    Full {
        /// Records at most.
        limit: usize,
    },
}

impl RecordError {
    /// True if no honest node passes such a record on, whatever its state and its clock.
    #[must_use]
    pub const fn is_forgery(&self) -> bool {
        matches!(
            self,
            Self::TooLarge { .. }
                | Self::Malformed { .. }
                | Self::WrongKey { .. }
                | Self::Endpoint { .. }
                | Self::Life { .. }
                | Self::Signature { .. }
        )
    }
}

impl MinerRecord {
    /// Signs it for the chain with this genesis.
    #[must_use]
    pub fn sign(self, genesis: &Hash, key: &Keypair) -> SignedMinerRecord {
        let signature = key.sign(&self.preimage(genesis));
        SignedMinerRecord { record: self, signature }
    }

    fn preimage(&self, genesis: &Hash) -> Vec<u8> {
        Domain::MinerRecord.preimage(&(genesis, self))
    }
}

impl SignedMinerRecord {
    /// Reads one; says nothing about whether it is true.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() > MAX_RECORD_BYTES {
            return Err(RecordError::TooLarge { size: bytes.len() });
        }
        decode_all("miner's record", bytes).map_err(|error| RecordError::Malformed { reason: error.reason })
    }

    /// Is it what its miner says now? Everything but the registration, which only the chain knows. The signature comes
    /// last, because it costs most.
    pub fn check(&self, genesis: &Hash, now_ms: u64) -> Result<(), RecordError> {
        let MinerRecord { hotkey, issued_ms, expires_ms, .. } = self.record;
        if !self.record.endpoint.is_valid() {
            return Err(RecordError::Endpoint { hotkey });
        }
        let life_ms = expires_ms.saturating_sub(issued_ms);
        if life_ms == 0 || life_ms > MAX_LIFE_MS {
            return Err(RecordError::Life { hotkey, life_ms });
        }
        if expires_ms <= now_ms {
            return Err(RecordError::Expired { hotkey, ago_ms: now_ms.saturating_sub(expires_ms) });
        }
        if issued_ms > now_ms.saturating_add(MAX_AHEAD_MS) {
            return Err(RecordError::Future { hotkey, ahead_ms: issued_ms.saturating_sub(now_ms) });
        }
        if self.signature.verify(&self.record.preimage(genesis), &hotkey) {
            Ok(())
        } else {
            Err(RecordError::Signature { hotkey })
        }
    }
}

#[cfg(test)]
mod tests;
