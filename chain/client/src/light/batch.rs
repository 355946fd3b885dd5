//! All signatures of a certificate in one equation, over keys that were unpacked once.
//!
//! The equation is that of `ed25519_dalek::verify_batch`: Σ zᵢ(sᵢB − Rᵢ − hᵢAᵢ) = 0, with coefficients zᵢ of 128 bits that
//! nobody knows before all signatures are fixed. What is added here: the voters' keys are the same for many headers, so
//! their multiples are laid out once ([`Keys::prepare`]), which saves the making of their tables and some additions: 5 to 10 % of a check. The coefficients are drawn
//! from a hash of every key, signature and challenge, so the answer is a function of the input. ADR 14 says why this
//! agrees with the strict check of each signature for everybody but the signer.

use std::fmt;
use std::sync::Arc;

use acumen_protocol::{ConsensusPublic, ConsensusValidator};
use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint, VartimeEdwardsPrecomputation};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimePrecomputedMultiscalarMul as _;
use curve25519_dalek::traits::{Identity as _, IsIdentity as _, VartimeMultiscalarMul as _};
use sha2::{Digest as _, Sha512};

/// Separates these coefficients from every other hash.
const DOMAIN: &[u8] = b"acumen/light/batch/1";

/// Bytes of a coefficient, and how many one hash gives.
const COEFFICIENT: usize = 16;
const PER_HASH: usize = 64 / COEFFICIENT;

/// The keys of a set, unpacked.
#[derive(Clone)]
pub(super) struct Keys {
    public: Arc<[ConsensusPublic]>,
    /// In the set's order; `None` for bytes that are no key, or a key of small order, whose signatures prove nothing.
    points: Arc<[Option<EdwardsPoint>]>,
    /// Multiples of the base point and of every key, in order: 0.7 MiB for 64 keys.
    table: Option<Arc<VartimeEdwardsPrecomputation>>,
}

/// One signature to check.
pub(super) struct Claim {
    /// The signer's place in the set.
    pub(super) place: usize,
    /// What is signed.
    pub(super) message: Vec<u8>,
    /// R, then s.
    pub(super) signature: [u8; 64],
}

/// The terms of the equation.
struct Terms {
    /// Of the base point, then of each key of the set.
    fixed: Vec<Scalar>,
    /// Of the signatures' points.
    coefficients: Vec<Scalar>,
    points: Vec<EdwardsPoint>,
}

impl Keys {
    pub(super) fn new(validators: &[ConsensusValidator]) -> Self {
        let unpack = |voter: &ConsensusValidator| {
            CompressedEdwardsY(voter.key.0).decompress().filter(|key| !key.is_small_order())
        };
        Self {
            public: validators.iter().map(|voter| voter.key).collect(),
            points: validators.iter().map(unpack).collect(),
            table: None,
        }
    }

    /// True if `other` is a set of the same keys: only their powers may differ.
    pub(super) fn same(&self, other: &Self) -> bool {
        self.public == other.public
    }

    /// Lays out the keys' multiples: worth it from about ten certificates on.
    pub(super) fn prepare(&mut self) {
        if self.table.is_none() {
            let keys = self.points.iter().map(|point| point.unwrap_or_else(EdwardsPoint::identity));
            let all = std::iter::once(ED25519_BASEPOINT_POINT).chain(keys);
            self.table = Some(Arc::new(VartimeEdwardsPrecomputation::new(all)));
        }
    }

    /// Gives back what [`Self::prepare`] took.
    pub(super) fn forget(&mut self) {
        self.table = None;
    }

    /// True if the equation holds for all claims. False if it does not, or if one names no usable key or is malformed.
    pub(super) fn all_hold(&self, claims: &[Claim]) -> bool {
        let Some(Terms { fixed, coefficients, points }) = self.terms(claims) else { return false };
        match &self.table {
            Some(table) => table.vartime_mixed_multiscalar_mul(&fixed, &coefficients, &points).is_identity(),
            None => {
                let keys = std::iter::once(Some(ED25519_BASEPOINT_POINT)).chain(self.points.iter().copied());
                let used = fixed.iter().zip(keys).filter(|(scalar, _)| **scalar != Scalar::ZERO);
                let (scalars, keys): (Vec<Scalar>, Vec<EdwardsPoint>) =
                    used.filter_map(|(scalar, key)| Some((*scalar, key?))).unzip();
                let (scalars, all) = (scalars.iter().chain(&coefficients), keys.iter().chain(&points));
                EdwardsPoint::vartime_multiscalar_mul(scalars, all).is_identity()
            }
        }
    }

    fn terms(&self, claims: &[Claim]) -> Option<Terms> {
        let (mut challenges, mut responses, mut points) = (Vec::new(), Vec::new(), Vec::new());
        let mut transcript = Sha512::new().chain_update(DOMAIN);
        for Claim { place, message, signature } in claims {
            let (key, _usable) = self.public.get(*place).zip(self.points.get(*place)?.as_ref())?;
            let (r, s) = signature.split_at(32);
            let hash: [u8; 64] =
                Sha512::new().chain_update(r).chain_update(key.0).chain_update(message).finalize().into();
            transcript.update(key.0);
            transcript.update(signature);
            transcript.update(hash);
            challenges.push(Scalar::from_bytes_mod_order_wide(&hash));
            responses.push(Option::<Scalar>::from(Scalar::from_canonical_bytes(s.try_into().ok()?))?);
            points.push(CompressedEdwardsY(r.try_into().ok()?).decompress()?);
        }
        let coefficients = coefficients(&transcript.finalize().into(), claims.len());
        let mut fixed = vec![Scalar::ZERO; self.public.len().saturating_add(1)];
        let (base, keys) = fixed.split_first_mut()?;
        for (((claim, z), h), s) in claims.iter().zip(&coefficients).zip(challenges).zip(responses) {
            *base -= z * s;
            *keys.get_mut(claim.place)? += z * h;
        }
        Some(Terms { fixed, coefficients, points })
    }
}

fn coefficients(seed: &[u8; 64], count: usize) -> Vec<Scalar> {
    let mut all = Vec::with_capacity(count.saturating_add(PER_HASH));
    let mut counter = 0_u64;
    while all.len() < count {
        let hash = Sha512::new().chain_update(DOMAIN).chain_update(seed).chain_update(counter.to_le_bytes());
        let bytes: [u8; 64] = hash.finalize().into();
        for part in bytes.chunks_exact(COEFFICIENT) {
            let value = part.try_into().map_or(0, u128::from_le_bytes);
            all.push(Scalar::from(value));
        }
        counter = counter.saturating_add(1);
    }
    all.truncate(count);
    all
}

impl PartialEq for Keys {
    fn eq(&self, other: &Self) -> bool {
        self.same(other)
    }
}

impl Eq for Keys {}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.table.is_some();
        f.debug_struct("Keys").field("keys", &self.public.len()).field("table", &table).finish()
    }
}

#[cfg(test)]
mod tests;
