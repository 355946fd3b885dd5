//! The light client's core: certificates from a trusted validator set forward, and proofs of values and events. No I/O,
//! no clock, no async; with `default-features = false` the crate is this alone.
//!
//! Trust begins with a genesis document or a checkpoint and moves only forward: [`LightClient::advance`] accepts a header
//! if the set that decides its height signed it. The set changes with the last block of an epoch only, so the header of
//! that block says who decides the whole next epoch, and one header of each epoch is enough. None of these may be left
//! out: a set that has decided once may sign anything for later epochs, in which it has nothing to lose. Everything kept
//! is bounded: [`MAX_SETS`] sets, [`MAX_SEEN`] certificates.
//!
//! ```
//! use acumen_chain_client::ledger::{Genesis, StateKey};
//! use acumen_chain_client::light::{LightClient, SignedHeader, verify_value};
//!
//! /// The last header of each epoch, the newest header, and a value with its proof: from wherever they come.
//! fn is_proven(
//!     genesis: &Genesis,
//!     headers: &[SignedHeader],
//!     key: &StateKey,
//!     value: &[u8],
//!     proof: &[u8],
//! ) -> Result<(), Box<dyn std::error::Error>> {
//!     let mut light = LightClient::from_genesis(genesis)?;
//!     for header in headers {
//!         light.advance(header)?;
//!     }
//!     Ok(verify_value(light.tip(), key, Some(value), proof)?)
//! }
//! ```

mod batch;
mod checkpoint;
mod error;
mod evidence;
mod sets;

use std::collections::BTreeMap;

use acumen_chain_ledger::tree;
use acumen_chain_ledger::{Event, Genesis, GenesisError, StateKey};
use acumen_protocol::block::Block;
use acumen_protocol::codec::decode_all;
pub use acumen_protocol::finality::{FinalizedBlock, SignedHeader};
use acumen_protocol::hash::merkle_root;
use acumen_protocol::merkle::MerkleProof;
use acumen_protocol::{Certificate, Hash, Header, Height, SignedTransaction, ValidatorSet};

pub use checkpoint::{Checkpoint, ParseCheckpointError};
pub use error::LightError;
pub use evidence::{Fork, equivocations};
use sets::Sets;
pub use sets::{MAX_SETS, TrustedSet};

/// Certificates kept, so that a second block at a height is noticed and its signers can be accused.
pub const MAX_SEEN: usize = 256;

/// What is known about the chain: its genesis, the newest verified header, and who decides after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LightClient {
    genesis: Hash,
    /// Blocks of an epoch, fixed by genesis; at least 1.
    tempo: u64,
    anchor: Height,
    tip: Header,
    tip_id: Hash,
    sets: Sets,
    seen: BTreeMap<Height, Certificate>,
}

/// A block whose certificate, transactions and events were verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedBlock {
    /// The header.
    pub header: Header,
    /// Its id.
    pub id: Hash,
    /// Transactions, in order.
    pub transactions: Vec<SignedTransaction>,
    /// Events, in order.
    pub events: Vec<Event>,
}

impl LightClient {
    /// Trusts a genesis document: its header is computed here, state root included.
    pub fn from_genesis(genesis: &Genesis) -> Result<Self, GenesisError> {
        let tip = genesis.header()?;
        let sets = Sets::new(Height::ZERO, genesis.validator_set()?);
        let tempo = genesis.params.tempo_blocks.max(1);
        Ok(Self::begin(tip.id(), tempo, tip, sets))
    }

    /// Trusts a header of the same chain instead of its genesis: `set` is the one that decides after the header. Whoever
    /// gave the checkpoint must be trusted, and it must be younger than the unbonding time: older validators may have
    /// taken their stake away and lose nothing by signing another history.
    pub fn at_checkpoint(
        &self,
        checkpoint: &Checkpoint,
        header: Header,
        set: ValidatorSet,
    ) -> Result<Self, LightError> {
        let (found, height) = (header.id(), header.height);
        if height != checkpoint.height || found != checkpoint.block {
            return Err(LightError::Checkpoint { found, expected: *checkpoint });
        }
        set.check()?;
        if set.hash() != header.next_validators_hash {
            return Err(LightError::NextSet { height });
        }
        Ok(Self::begin(self.genesis, self.tempo, header, Sets::new(height, set)))
    }

    fn begin(genesis: Hash, tempo: u64, tip: Header, sets: Sets) -> Self {
        let (tip_id, anchor) = (tip.id(), tip.height);
        Self { genesis, tempo, anchor, tip, tip_id, sets, seen: BTreeMap::new() }
    }

    /// The genesis hash.
    #[must_use]
    pub const fn genesis(&self) -> Hash {
        self.genesis
    }

    /// The height at which trust begins: 0 with a genesis document.
    #[must_use]
    pub const fn anchor(&self) -> Height {
        self.anchor
    }

    /// Newest verified height.
    #[must_use]
    pub const fn height(&self) -> Height {
        self.tip.height
    }

    /// The newest height that can be verified now: the end of the epoch that follows on what is known. Its header leads
    /// on.
    #[must_use]
    pub const fn horizon(&self) -> Height {
        let tip = self.tip.height.get();
        Height::new(tip.saturating_sub(tip % self.tempo).saturating_add(self.tempo))
    }

    /// Newest verified header.
    #[must_use]
    pub const fn tip(&self) -> &Header {
        &self.tip
    }

    /// The set that decides the block after the tip.
    #[must_use]
    pub fn validators(&self) -> &ValidatorSet {
        self.sets.newest().set()
    }

    /// Verifies a header and, if it is newer than the tip, makes it the tip. Returns its id.
    pub fn advance(&mut self, signed: &SignedHeader) -> Result<Hash, LightError> {
        let id = self.verify(signed)?;
        let header = &signed.header;
        if let Some(certificate) = &signed.certificate {
            self.remember(certificate);
        }
        if header.height <= self.tip.height {
            return Ok(id);
        }
        self.sets.use_newest();
        if header.next_validators_hash != self.sets.newest().hash() {
            let height = header.height;
            let next = signed.next_validators.as_ref().ok_or(LightError::NextSet { height })?;
            next.check()?;
            if next.hash() != header.next_validators_hash {
                return Err(LightError::NextSet { height });
            }
            self.sets.add(height, next.clone());
        }
        self.tip = header.clone();
        self.tip_id = id;
        Ok(id)
    }

    fn remember(&mut self, certificate: &Certificate) {
        self.seen.entry(certificate.height).or_insert_with(|| certificate.clone());
        if self.seen.len() > MAX_SEEN {
            self.seen.pop_first();
        }
    }

    /// Verifies a header without moving the tip. Returns its id. A header before the anchor, beyond the [horizon], or of a
    /// time whose set is no longer kept, is [`LightError::UnknownSet`], whatever set it names; two certified blocks at one height are [`LightError::Fork`].
    ///
    /// [horizon]: Self::horizon
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
        let set = (height <= self.horizon()).then(|| self.sets.at(height)).flatten();
        let set = set.filter(|set| set.hash() == header.validators_hash);
        let Some(set) = set else {
            let (found, trusted) = (header.validators_hash, self.sets.newest().hash());
            return Err(LightError::UnknownSet { height, found, trusted });
        };
        set.verify(&self.genesis, certificate)?;
        self.check_fork(certificate)?;
        Ok(id)
    }

    fn check_fork(&self, certificate: &Certificate) -> Result<(), LightError> {
        if let Some(known) =
            self.seen.get(&certificate.height).filter(|known| known.block != certificate.block)
        {
            let fork = Fork { first: known.clone(), second: certificate.clone() };
            return Err(LightError::Fork(Box::new(fork)));
        }
        if certificate.height == self.tip.height && certificate.block != self.tip_id {
            let (height, expected) = (certificate.height, self.tip_id);
            return Err(LightError::OtherBlock { height, found: certificate.block, expected });
        }
        Ok(())
    }

    /// Verifies a block and, if it is newer than the tip, makes its header the tip.
    pub fn advance_block(&mut self, block: FinalizedBlock) -> Result<VerifiedBlock, LightError> {
        let events = check_body(&block)?;
        let id = self.advance(&block.signed)?;
        Ok(VerifiedBlock { header: block.signed.header, id, transactions: block.transactions, events })
    }
}

/// Checks that transactions and events are those of the block's header, which this function does not verify.
pub fn check_body(block: &FinalizedBlock) -> Result<Vec<Event>, LightError> {
    let header = &block.signed.header;
    let height = header.height;
    if Block::transactions_root(&block.transactions) != header.transactions_root {
        return Err(LightError::Body { part: "transactions", height });
    }
    if merkle_root(block.events.iter().cloned()) != header.events_root {
        return Err(LightError::Body { part: "events", height });
    }
    let decode = |bytes: &Vec<u8>| decode_all::<Event>("event", bytes);
    Ok(block.events.iter().map(decode).collect::<Result<Vec<_>, _>>()?)
}

/// Checks that after the block with `header`, which the caller has verified, `key` had exactly `value` (`None`: had no
/// value).
pub fn verify_value(
    header: &Header,
    key: &StateKey,
    value: Option<&[u8]>,
    proof: &[u8],
) -> Result<(), LightError> {
    Ok(tree::verify(&header.state_root, &key.to_bytes(), value, proof)?)
}

/// Checks that `event` is one of those of the block with `header`, which the caller has verified, and decodes it. Its
/// place among them is what the prover says.
pub fn verify_event(header: &Header, event: &[u8], proof: &MerkleProof) -> Result<Event, LightError> {
    if !proof.verify(&header.events_root, event) {
        return Err(LightError::EventProof { height: header.height, index: proof.index });
    }
    Ok(decode_all("event", event)?)
}

/// Checks that `parent` is the block before the one with `child`, which the caller has verified; returns its id. So the
/// headers before a checkpoint are verified, back to any height.
pub fn verify_parent(child: &Header, parent: &Header) -> Result<Hash, LightError> {
    let id = parent.id();
    if child.parent != id || parent.height.next() != Some(child.height) {
        let (height, expected) = (parent.height, child.parent);
        return Err(LightError::OtherBlock { height, found: id, expected });
    }
    Ok(id)
}
