//! Trusted validator sets, by the height from which they decide, and the check of a certificate against one.
//!
//! Signatures are checked all at once: one equation over all of them costs less than half of one each. ADR 14 says why
//! that agrees with the strict check of each for everybody but the signer. If the equation fails, each is checked alone,
//! so that the answer names the bad one.

use std::collections::BTreeMap;

use acumen_protocol::certificate::CertificateError;
use acumen_protocol::domain::Domain;
use acumen_protocol::vote::{Vote, VoteKind};
use acumen_protocol::{Certificate, Hash, Height, ValidatorSet};
use ed25519_dalek::{Signature, VerifyingKey, verify_batch};

/// Sets kept: with 64 validators each about 12 MiB, and at 360 blocks an epoch 1.5 million heights that can be read back
/// at once. Older ones are followed again from where trust began.
pub const MAX_SETS: usize = 4_096;

/// Fewer signatures are faster one by one.
const MIN_BATCH: usize = 3;

/// A trusted set, its hash, and its keys unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedSet {
    set: ValidatorSet,
    hash: Hash,
    /// In the set's order; `None` for bytes that are no key, or a key of small order, whose signatures prove nothing.
    keys: Vec<Option<VerifyingKey>>,
}

impl TrustedSet {
    /// Trusts `set`.
    #[must_use]
    pub fn new(set: ValidatorSet) -> Self {
        let unpack = |voter: &acumen_protocol::ConsensusValidator| {
            VerifyingKey::from_bytes(&voter.key.0).ok().filter(|key| !key.is_weak())
        };
        let keys = set.validators().iter().map(unpack).collect();
        Self { hash: set.hash(), keys, set }
    }

    /// The set.
    #[must_use]
    pub const fn set(&self) -> &ValidatorSet {
        &self.set
    }

    /// Its hash.
    #[must_use]
    pub const fn hash(&self) -> Hash {
        self.hash
    }

    /// Checks that more than 2/3 of the set's power signed the certificate's block on the chain with this genesis. One
    /// bad signature refuses the whole certificate.
    pub fn verify(&self, genesis: &Hash, certificate: &Certificate) -> Result<(), CertificateError> {
        if certificate.signatures.len() >= MIN_BATCH && self.all_at_once(genesis, certificate) {
            return Ok(());
        }
        certificate.verify(genesis, &self.set)
    }

    /// True if voters are in order and in the set, have the power, and the one equation over all signatures holds.
    fn all_at_once(&self, genesis: &Hash, certificate: &Certificate) -> bool {
        let (mut messages, mut signatures, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        let (mut power, mut previous) = (0_u64, None);
        let Certificate { height, round, block, .. } = *certificate;
        for (voter, signature) in &certificate.signatures {
            if previous.is_some_and(|before| before >= voter) {
                return false;
            }
            previous = Some(voter);
            let voters = self.set.validators();
            let place = voters.binary_search_by_key(voter, |known| known.key);
            let found = place.ok().and_then(|place| voters.get(place).zip(self.keys.get(place)?.as_ref()));
            let Some((known, key)) = found else { return false };
            power = power.saturating_add(known.power);
            let kind = VoteKind::Precommit;
            let vote = Vote { kind, height, round, block: Some(block), voter: *voter };
            messages.push(Domain::Vote.preimage(&(genesis, vote)));
            signatures.push(Signature::from_bytes(&signature.0));
            keys.push(*key);
        }
        let messages: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
        self.set.is_quorum(power) && verify_batch(&messages, &signatures, &keys).is_ok()
    }
}

/// The sets of the heights from where trust began, oldest first; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sets {
    /// By the height of the header that named the set: it decides from the next height on.
    by_height: BTreeMap<Height, TrustedSet>,
    newest: TrustedSet,
}

impl Sets {
    /// `set` decides after the block at `height`.
    pub(super) fn new(height: Height, set: ValidatorSet) -> Self {
        let newest = TrustedSet::new(set);
        Self { by_height: BTreeMap::from([(height, newest.clone())]), newest }
    }

    /// Another set decides after the block at `height`, which is above all known.
    pub(super) fn add(&mut self, height: Height, set: ValidatorSet) {
        self.newest = TrustedSet::new(set);
        self.by_height.insert(height, self.newest.clone());
        if self.by_height.len() > MAX_SETS {
            self.by_height.pop_first();
        }
    }

    pub(super) const fn newest(&self) -> &TrustedSet {
        &self.newest
    }

    /// The set that decides the block at `height`, as far as it is known.
    pub(super) fn at(&self, height: Height) -> Option<&TrustedSet> {
        self.by_height.range(..height).next_back().map(|(_, set)| set)
    }
}
