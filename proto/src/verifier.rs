//! sr25519 signatures that arrive together, checked together.
//!
//! One check of *n* signatures is one equation over all of them, with random factors from the operating system; it costs
//! about a third of *n* checks where signers repeat. Nobody waits for company: whoever brings the first signature lets
//! the other tasks that are ready run once, then checks what has come in the meantime. A signature that comes alone is
//! checked alone; where several in a row did, most of those that follow do not even let others run (30 µs each).
//!
//! Invariants: [`Verifier::verify`] says what a check of that signature alone would say, but for a chance of 2^-128; a
//! signature that is brought is checked even if its bringer goes away. A set that fails is checked one by one, and so is
//! what comes for a while after it: a stranger who sends forgeries costs the others their company, not their answers.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use acumen_protocol::{AccountId, Signature};
use schnorrkel::{PublicKey, signing_context};
use tokio::sync::oneshot;

/// Most signatures of one equation: more save little, and a worker thread is held for the whole of it (0.5 ms).
const MAX_TOGETHER: usize = 32;

/// Signatures that are checked one by one after a set that failed.
const CAUTION: u32 = 256;

/// Sets of one in a row after which company is no longer expected, and how often it is looked for then all the same.
const LONELY: u32 = 4;
const LOOK_AGAIN: u32 = 16;

/// The context under which Substrate's keys sign.
const CONTEXT: &[u8] = b"substrate";

/// What is claimed of a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Who is said to have signed.
    pub signer: AccountId,
    /// What.
    pub message: Vec<u8>,
    /// The signature.
    pub signature: Signature,
}

impl Claim {
    fn holds(&self) -> bool {
        self.signature.verify(&self.message, &self.signer)
    }
}

#[derive(Debug)]
struct Brought {
    claim: Claim,
    reply: oneshot::Sender<bool>,
}

/// Checks signatures, those of concurrent tasks together.
#[derive(Debug, Default)]
pub struct Verifier {
    brought: Mutex<Vec<Brought>>,
    caution: AtomicU32,
    /// Sets of one since the last larger one.
    lonely: AtomicU32,
}

/// Whoever brought the first signature of a set; checks the set when dropped.
struct Lead<'a>(&'a Verifier);

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        let set = std::mem::take(&mut *self.0.lock());
        self.0.answer(set);
    }
}

impl Verifier {
    /// A verifier with nothing to do.
    #[must_use]
    pub const fn new() -> Self {
        Self { brought: Mutex::new(Vec::new()), caution: AtomicU32::new(0), lonely: AtomicU32::new(0) }
    }

    /// True if the claim holds.
    pub async fn verify(&self, claim: Claim) -> bool {
        let (reply, answer) = oneshot::channel();
        let (leads, full) = {
            let mut brought = self.lock();
            brought.push(Brought { claim, reply });
            let full = if brought.len() >= MAX_TOGETHER { std::mem::take(&mut *brought) } else { Vec::new() };
            (brought.len() == 1, full)
        };
        self.answer(full);
        if leads {
            let lead = Lead(self);
            if self.expects_company() {
                tokio::task::yield_now().await;
            }
            drop(lead);
        }
        // Every set is answered: by its lead, or by whoever filled it.
        answer.await.unwrap_or(false)
    }

    fn expects_company(&self) -> bool {
        let lonely = self.lonely.load(Ordering::Relaxed);
        lonely < LONELY || lonely.is_multiple_of(LOOK_AGAIN)
    }

    fn answer(&self, set: Vec<Brought>) {
        if set.is_empty() {
            return;
        }
        let lonely = if set.len() > 1 { 0 } else { self.lonely.load(Ordering::Relaxed).wrapping_add(1) };
        self.lonely.store(lonely, Ordering::Relaxed);
        let (claims, replies): (Vec<_>, Vec<_>) =
            set.into_iter().map(|brought| (brought.claim, brought.reply)).unzip();
        let verdicts = self.check(&claims);
        for (reply, verdict) in replies.into_iter().zip(verdicts) {
            // Who has gone away needs no answer.
            let _ = reply.send(verdict);
        }
    }

    fn check(&self, claims: &[Claim]) -> Vec<bool> {
        let count = u32::try_from(claims.len()).unwrap_or(u32::MAX);
        let caution = self.caution.load(Ordering::Relaxed);
        self.caution.store(caution.saturating_sub(count), Ordering::Relaxed);
        if claims.len() > 1 && caution == 0 {
            if all_hold(claims) {
                return vec![true; claims.len()];
            }
            self.caution.store(CAUTION, Ordering::Relaxed);
        }
        claims.iter().map(Claim::holds).collect()
    }

    /// No code below panics with the lock held; if some did, the list is still whole.
    fn lock(&self) -> MutexGuard<'_, Vec<Brought>> {
        self.brought.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// True if every claim holds. In the prime-order group of ristretto255 there is no cofactor in which one check and the
/// check of many could differ.
#[must_use]
pub fn all_hold(claims: &[Claim]) -> bool {
    let mut ordered: Vec<&Claim> = claims.iter().collect();
    // Terms of one key are added up only where they are neighbours.
    ordered.sort_by_key(|claim| claim.signer);
    let (mut keys, mut signatures) = (Vec::with_capacity(claims.len()), Vec::with_capacity(claims.len()));
    for claim in &ordered {
        let (Ok(key), Ok(signature)) = (
            PublicKey::from_bytes(claim.signer.as_bytes()),
            schnorrkel::Signature::from_bytes(&claim.signature.0),
        ) else {
            return false;
        };
        keys.push(key);
        signatures.push(signature);
    }
    let context = signing_context(CONTEXT);
    let transcripts = ordered.iter().map(|claim| context.bytes(&claim.message));
    schnorrkel::verify_batch(transcripts, &signatures, &keys, true).is_ok()
}

#[cfg(test)]
mod tests;
