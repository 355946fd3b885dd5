//! Binding of a bidirectional stream: one signed opening, then a running hash.
//!
//! The opening message is authenticated by [`crate::auth`] and carries a fresh ed25519 *session key*. Both sides fold
//! every message, in order and with its direction, into a [`Transcript`]. Each later client message is signed by the
//! session key over the transcript that includes it; each answer carries the miner's sr25519 receipt over the
//! transcript that includes the answer. A message can thus not be dropped, reordered, replayed or moved to another
//! stream, and a receipt proves question and answer to anybody.
#![allow(clippy::as_conversions, reason = "the SCALE derive writes a variant's index with `as`")]

use parity_scale_codec::{Decode, Encode};

use crate::domain::Domain;
use crate::{AccountId, ConsensusKeypair, ConsensusPublic, ConsensusSignature, Hash, Keypair, Signature};

/// Who sent a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Direction {
    /// From the one who opened the stream.
    Client,
    /// From the miner.
    Miner,
}

/// The running hash of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transcript(Hash);

impl Transcript {
    /// Starts from the authenticated opening: its signature is unique to sender, receiver, nonce and message.
    #[must_use]
    pub fn open(signature: &Signature) -> Self {
        Self(Hash::of_encoded(&("acumen/transcript/1", signature)))
    }

    /// Absorbs one message's bytes.
    #[must_use]
    pub fn absorb(self, direction: Direction, message: &[u8]) -> Self {
        Self(Hash::of_encoded(&(self.0, direction, Hash::of(message))))
    }

    /// The hash so far.
    #[must_use]
    pub const fn hash(&self) -> Hash {
        self.0
    }

    /// The client's signature over everything so far.
    #[must_use]
    pub fn sign(&self, session: &ConsensusKeypair) -> ConsensusSignature {
        session.sign_in(Domain::StreamMessage, &self.0)
    }

    /// True if `signature` is the session key's over everything so far.
    #[must_use]
    pub fn verify(&self, session: &ConsensusPublic, signature: &ConsensusSignature) -> bool {
        signature.verify_in(Domain::StreamMessage, &self.0, session)
    }

    /// The miner's receipt over everything so far.
    #[must_use]
    pub fn receipt(&self, miner: &Keypair) -> Signature {
        miner.sign_in(Domain::Receipt, &self.0)
    }

    /// The bytes that a receipt over everything so far signs: for whoever checks many signatures together.
    #[must_use]
    pub fn receipt_preimage(&self) -> Vec<u8> {
        Domain::Receipt.preimage(&self.0)
    }

    /// True if `receipt` is `miner`'s over everything so far.
    #[must_use]
    pub fn verify_receipt(&self, miner: &AccountId, receipt: &Signature) -> bool {
        receipt.verify_in(Domain::Receipt, &self.0, miner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_direction_and_content_matter() {
        let start = Transcript::open(&Signature([1; 64]));
        let (client, miner) = (Direction::Client, Direction::Miner);
        let base = start.absorb(client, b"a").absorb(miner, b"b");
        assert_ne!(base, start.absorb(miner, b"b").absorb(client, b"a"));
        assert_ne!(base, start.absorb(miner, b"a").absorb(miner, b"b"));
        assert_ne!(base, start.absorb(client, b"ab"));
        assert_ne!(base, Transcript::open(&Signature([2; 64])).absorb(client, b"a").absorb(miner, b"b"));
    }

    #[test]
    fn receipts_and_session_signatures_bind_the_transcript() {
        let (session, miner) = (ConsensusKeypair::from_seed(&[1; 32]), Keypair::from_seed(&[2; 32]));
        let transcript = Transcript::open(&Signature([1; 64]));
        let later = transcript.absorb(Direction::Client, b"x");
        assert!(transcript.verify(&session.public(), &transcript.sign(&session)));
        assert!(!later.verify(&session.public(), &transcript.sign(&session)));
        assert!(transcript.verify_receipt(&miner.account(), &transcript.receipt(&miner)));
        assert!(!later.verify_receipt(&miner.account(), &transcript.receipt(&miner)));
        assert!(transcript.receipt(&miner).verify(&transcript.receipt_preimage(), &miner.account()));
    }
}
