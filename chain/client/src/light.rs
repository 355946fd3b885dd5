//! The light client's core: certificates from a trusted validator set forward, and proofs of state values. No I/O, no
//! clock, no async.
//!
//! Trust moves only forward: [`LightClient::advance`] accepts a header if the set that is trusted for the next height
//! signed it. Heights may be skipped while the set stays the same, because then the header names the trusted set itself.

use acumen_chain_ledger::tree::{self, ProofError};
use acumen_chain_ledger::{Event, Genesis, GenesisError, StateKey};
use acumen_proto::chain::{FinalizedBlock, SignedHeader};
use acumen_protocol::block::Block;
use acumen_protocol::certificate::{CertificateError, ValidatorSetError};
use acumen_protocol::codec::{DecodeError, decode_all};
use acumen_protocol::hash::merkle_root;
use acumen_protocol::{Hash, Header, Height, ValidatorSet};

use crate::types::VerifiedBlock;

/// What is known about the chain: its genesis, the newest verified header, the set that decides after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LightClient {
    genesis: Hash,
    tip: Header,
    tip_id: Hash,
    set: ValidatorSet,
    set_hash: Hash,
}

/// Why something does not verify.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LightError {
    /// A header without a certificate.
    #[error("the header at height {height} has no certificate")]
    NoCertificate {
        /// Its height.
        height: Height,
    },
    /// The certificate is for something else.
    #[error("the certificate is for block {found} at height {height}, not for this header ({expected})")]
    OtherBlock {
        /// The certificate's height.
        height: Height,
        /// The certificate's block.
        found: Hash,
        /// The header's id.
        expected: Hash,
    },
    /// Decided by a set that is not trusted (yet): follow the headers in between.
    #[error("height {height} was decided by validator set {found}, the trusted one is {trusted}")]
    UnknownSet {
        /// The header's height.
        height: Height,
        /// The set it names.
        found: Hash,
        /// The set trusted.
        trusted: Hash,
    },
    /// The certificate proves nothing.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The next set is not the one that the header names.
    #[error("the header at height {height} names another next validator set than the one given")]
    NextSet {
        /// The header's height.
        height: Height,
    },
    /// The next set is impossible.
    #[error(transparent)]
    ValidatorSet(#[from] ValidatorSetError),
    /// Two blocks were decided at one height: the validators that signed both are at fault.
    #[error("two certified blocks at height {height}: {first} and {second}; the chain has forked")]
    Conflict {
        /// The height.
        height: Height,
        /// The block known.
        first: Hash,
        /// The other.
        second: Hash,
    },
    /// Not this chain's genesis.
    #[error("the genesis header is {found}, expected {expected}")]
    Genesis {
        /// The one given.
        found: Hash,
        /// This chain's.
        expected: Hash,
    },
    /// Transactions or events are not those of the header.
    #[error("the {part} of the block at height {height} are not those that its header commits to")]
    Body {
        /// `transactions` or `events`.
        part: &'static str,
        /// The height.
        height: Height,
    },
    /// An event does not decode.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A proof proves nothing.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl LightClient {
    /// Trusts a genesis document: its header is computed here, state root included.
    pub fn from_genesis(genesis: &Genesis) -> Result<Self, GenesisError> {
        let tip = genesis.header()?;
        let set = genesis.validator_set()?;
        Ok(Self { genesis: tip.id(), tip_id: tip.id(), set_hash: set.hash(), tip, set })
    }

    /// The genesis hash.
    #[must_use]
    pub const fn genesis(&self) -> Hash {
        self.genesis
    }

    /// Newest verified height.
    #[must_use]
    pub const fn height(&self) -> Height {
        self.tip.height
    }

    /// Newest verified header.
    #[must_use]
    pub const fn tip(&self) -> &Header {
        &self.tip
    }

    /// Verifies a header and, if it is newer than the tip, makes it the tip. Returns its id.
    pub fn advance(&mut self, signed: &SignedHeader) -> Result<Hash, LightError> {
        let id = self.verify(signed)?;
        let header = &signed.header;
        if header.height <= self.tip.height {
            return Ok(id);
        }
        if header.next_validators_hash != self.set_hash {
            let height = header.height;
            let next = signed.next_validators.as_ref().ok_or(LightError::NextSet { height })?;
            next.check()?;
            if next.hash() != header.next_validators_hash {
                return Err(LightError::NextSet { height });
            }
            self.set = next.clone();
            self.set_hash = header.next_validators_hash;
        }
        self.tip = header.clone();
        self.tip_id = id;
        Ok(id)
    }

    /// Verifies a header without moving the tip. Returns its id.
    pub fn verify(&self, signed: &SignedHeader) -> Result<Hash, LightError> {
        let header = &signed.header;
        let (id, height) = (header.id(), header.height);
        if height == Height::ZERO {
            let expected = self.genesis;
            return if id == expected { Ok(id) } else { Err(LightError::Genesis { found: id, expected }) };
        }
        let certificate = signed.certificate.as_ref().ok_or(LightError::NoCertificate { height })?;
        if certificate.block != id || certificate.height != height {
            let (height, found) = (certificate.height, certificate.block);
            return Err(LightError::OtherBlock { height, found, expected: id });
        }
        if header.validators_hash != self.set_hash {
            let (found, trusted) = (header.validators_hash, self.set_hash);
            return Err(LightError::UnknownSet { height, found, trusted });
        }
        certificate.verify(&self.genesis, &self.set)?;
        if height == self.tip.height && id != self.tip_id {
            return Err(LightError::Conflict { height, first: self.tip_id, second: id });
        }
        Ok(id)
    }

    /// Verifies a block and, if it is newer than the tip, makes its header the tip.
    pub fn advance_block(&mut self, block: FinalizedBlock) -> Result<VerifiedBlock, LightError> {
        let header = &block.signed.header;
        let height = header.height;
        if Block::transactions_root(&block.transactions) != header.transactions_root {
            return Err(LightError::Body { part: "transactions", height });
        }
        let decode = |bytes: &Vec<u8>| decode_all::<Event>("event", bytes);
        let events = block.events.iter().map(decode).collect::<Result<Vec<_>, _>>()?;
        if merkle_root(block.events) != header.events_root {
            return Err(LightError::Body { part: "events", height });
        }
        let id = self.advance(&block.signed)?;
        Ok(VerifiedBlock { header: block.signed.header, id, transactions: block.transactions, events })
    }
}

/// Checks that after the block with `header`, which the caller has verified, `key` had exactly `value`.
pub fn verify_value(
    header: &Header,
    key: &StateKey,
    value: Option<&[u8]>,
    proof: &[u8],
) -> Result<(), LightError> {
    Ok(tree::verify(&header.state_root, &key.to_bytes(), value, proof)?)
}
