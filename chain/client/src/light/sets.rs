//! Trusted validator sets, by the height from which they decide, and the check of a certificate against one.
//!
//! Signatures are checked all at once: one equation over all of them costs less than half of one each (see `batch`). ADR 14 says why
//! that agrees with the strict check of each for everybody but the signer. If the equation fails, each is checked alone,
//! so that the answer names the bad one.

use std::collections::BTreeMap;

use acumen_protocol::certificate::CertificateError;
use acumen_protocol::domain::Domain;
use acumen_protocol::vote::{Vote, VoteKind};
use acumen_protocol::{Certificate, Hash, Height, ValidatorSet};

use super::batch::{Claim, Keys};

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
    keys: Keys,
}

impl TrustedSet {
    /// Trusts `set`.
    #[must_use]
    pub fn new(set: ValidatorSet) -> Self {
        Self { hash: set.hash(), keys: Keys::new(set.validators()), set }
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
        let (mut claims, mut power, mut previous) = (Vec::new(), 0_u64, None);
        let Certificate { height, round, block, .. } = *certificate;
        for (voter, signature) in &certificate.signatures {
            if previous.is_some_and(|before| before >= voter) {
                return false;
            }
            previous = Some(voter);
            let voters = self.set.validators();
            let place = voters.binary_search_by_key(voter, |known| known.key);
            let Some((place, known)) = place.ok().and_then(|place| Some((place, voters.get(place)?))) else {
                return false;
            };
            power = power.saturating_add(known.power);
            let kind = VoteKind::Precommit;
            let vote = Vote { kind, height, round, block: Some(block), voter: *voter };
            let message = Domain::Vote.preimage(&(genesis, vote));
            claims.push(Claim { place, message, signature: signature.0 });
        }
        self.set.is_quorum(power) && self.keys.all_hold(&claims)
    }

    /// Makes each further check 5 to 10 % cheaper, for 0.7 MiB and about the cost of one check with 64 voters.
    pub fn prepare(&mut self) {
        self.keys.prepare();
    }
}

/// The sets of the heights from where trust began, oldest first; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sets {
    /// By the height of the header that named the set: it decides from the next height on.
    by_height: BTreeMap<Height, TrustedSet>,
    newest: TrustedSet,
    /// Certificates that the newest set's keys have signed.
    used: u32,
}

/// Certificates after which the keys are laid out: who reads one header only does not pay for it.
const PREPARE_AFTER: u32 = 2;

impl Sets {
    /// `set` decides after the block at `height`.
    pub(super) fn new(height: Height, set: ValidatorSet) -> Self {
        let newest = TrustedSet::new(set);
        Self { by_height: BTreeMap::from([(height, newest.clone())]), newest, used: 0 }
    }

    /// Another set decides after the block at `height`, which is above all known. If only the powers changed, the keys
    /// stay as they are laid out; if not, room is made for the new ones.
    pub(super) fn add(&mut self, height: Height, set: ValidatorSet) {
        let mut next = TrustedSet::new(set);
        if next.keys.same(&self.newest.keys) {
            next.keys = self.newest.keys.clone();
        } else {
            self.by_height.values_mut().for_each(|set| set.keys.forget());
            self.used = 0;
        }
        self.newest = next;
        self.by_height.insert(height, self.newest.clone());
        if self.by_height.len() > MAX_SETS {
            self.by_height.pop_first();
        }
    }

    /// A certificate of the newest keys was good: there will be more.
    pub(super) fn use_newest(&mut self) {
        self.used = self.used.saturating_add(1);
        if self.used == PREPARE_AFTER {
            self.newest.prepare();
            if let Some(mut last) = self.by_height.last_entry() {
                last.get_mut().keys = self.newest.keys.clone();
            }
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
