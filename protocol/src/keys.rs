//! Keys: sr25519 for people and neurons (sp-core), ed25519 for consensus votes and stream sessions.
//!
//! Secrets never appear in `Debug`, and no function here draws randomness: a caller brings the seed.

use core::fmt;

use ed25519_dalek::Signer as _;
use parity_scale_codec::{Decode, Encode, MaxEncodedLen};
use sp_core::Pair as _;
use sp_core::sr25519;

use crate::AccountId;
use crate::domain::Domain;

/// An sr25519 signature.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, MaxEncodedLen)]
pub struct Signature(pub [u8; 64]);

/// An ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, MaxEncodedLen)]
pub struct ConsensusSignature(pub [u8; 64]);

/// An ed25519 public key of a validating node or a stream session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, MaxEncodedLen)]
pub struct ConsensusPublic(pub [u8; 32]);

macro_rules! hex_text {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "0x{}", hex::encode(self.0))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl core::str::FromStr for $name {
            type Err = ParseKeyError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                parse_hex(text).map(Self)
            }
        }
    )*};
}
hex_text!(Signature, ConsensusSignature, ConsensusPublic);

fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], ParseKeyError> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(text), &mut bytes).map_err(|error| {
        ParseKeyError { reason: format!("expected 0x and {} hex digits: {error}", N.saturating_mul(2)) }
    })?;
    Ok(bytes)
}

/// Why a text is no key, seed phrase or signature. The text itself is not repeated: it may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a key: {reason}")]
pub struct ParseKeyError {
    /// What is wrong.
    pub reason: String,
}

/// The BIP-39 phrase (12 English words) of 16 bytes of entropy.
pub fn phrase_from_entropy(entropy: &[u8; 16]) -> Result<String, ParseKeyError> {
    let mnemonic = parity_bip39::Mnemonic::from_entropy(entropy);
    mnemonic.map(|words| words.to_string()).map_err(|error| ParseKeyError { reason: error.to_string() })
}

/// An sr25519 key pair: a coldkey or a hotkey.
#[derive(Clone)]
pub struct Keypair(sr25519::Pair);

impl Keypair {
    /// From a 32-byte mini-secret (`secretSeed` in a keyfile).
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(sr25519::Pair::from_seed(seed))
    }

    /// From a BIP-39 phrase without a password; also returns the 32-byte seed derived from it (Substrate's derivation).
    pub fn from_phrase(phrase: &str) -> Result<(Self, [u8; 32]), ParseKeyError> {
        let (pair, seed) = sr25519::Pair::from_phrase(phrase, None).map_err(secret_error)?;
        Ok((Self(pair), seed))
    }

    /// From a secret URI: a phrase, `0x` seed, or a development path such as `//Alice`.
    pub fn from_uri(uri: &str) -> Result<Self, ParseKeyError> {
        sr25519::Pair::from_string(uri, None).map(Self).map_err(secret_error)
    }

    /// The same, and the seed of what was derived, unless a soft junction has none.
    pub fn from_uri_with_seed(uri: &str) -> Result<(Self, Option<[u8; 32]>), ParseKeyError> {
        let (pair, seed) = sr25519::Pair::from_string_with_seed(uri, None).map_err(secret_error)?;
        Ok((Self(pair), seed))
    }

    /// From the 64 bytes of an expanded secret key (`privateKey` in a keyfile).
    pub fn from_expanded(secret: &[u8]) -> Result<Self, ParseKeyError> {
        sr25519::Pair::from_seed_slice(secret).map(Self).map_err(secret_error)
    }

    /// The 64 bytes of the expanded secret key.
    #[must_use]
    pub fn to_expanded(&self) -> Vec<u8> {
        self.0.to_raw_vec()
    }

    /// The public key as an account.
    #[must_use]
    pub fn account(&self) -> AccountId {
        AccountId(self.0.public().0)
    }

    /// Signs `message` as it is. For anything with a [`Domain`], use [`Self::sign_in`].
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).0)
    }

    /// Signs `payload` under `domain`.
    ///
    /// ```
    /// use acumen_protocol::{Keypair, domain::Domain};
    ///
    /// let key = Keypair::from_uri("//Alice")?;
    /// let signature = key.sign_in(Domain::Receipt, &7_u8);
    /// assert!(signature.verify_in(Domain::Receipt, &7_u8, &key.account()));
    /// assert!(!signature.verify_in(Domain::Transaction, &7_u8, &key.account()));
    /// # Ok::<(), acumen_protocol::keys::ParseKeyError>(())
    /// ```
    #[must_use]
    pub fn sign_in<T: Encode>(&self, domain: Domain, payload: &T) -> Signature {
        self.sign(&domain.preimage(payload))
    }
}

fn secret_error(error: sp_core::crypto::SecretStringError) -> ParseKeyError {
    ParseKeyError { reason: format!("{error:?}") }
}

impl fmt::Debug for Keypair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keypair({})", self.account())
    }
}

impl Signature {
    /// True if `account` signed `message`.
    #[must_use]
    pub fn verify(&self, message: &[u8], account: &AccountId) -> bool {
        let signature = sr25519::Signature::from_raw(self.0);
        sr25519::Pair::verify(&signature, message, &sr25519::Public::from_raw(account.0))
    }

    /// True if `account` signed `payload` under `domain`.
    #[must_use]
    pub fn verify_in<T: Encode>(&self, domain: Domain, payload: &T, account: &AccountId) -> bool {
        self.verify(&domain.preimage(payload), account)
    }
}

/// An ed25519 key pair: a node's consensus key or a stream's session key.
#[derive(Clone)]
pub struct ConsensusKeypair(ed25519_dalek::SigningKey);

impl ConsensusKeypair {
    /// From a 32-byte seed.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// The 32-byte seed.
    #[must_use]
    pub fn to_seed(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> ConsensusPublic {
        ConsensusPublic(self.0.verifying_key().to_bytes())
    }

    /// Signs `payload` under `domain`.
    #[must_use]
    pub fn sign_in<T: Encode>(&self, domain: Domain, payload: &T) -> ConsensusSignature {
        ConsensusSignature(self.0.sign(&domain.preimage(payload)).to_bytes())
    }
}

impl fmt::Debug for ConsensusKeypair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConsensusKeypair({})", self.public())
    }
}

impl ConsensusSignature {
    /// True if `key` signed `payload` under `domain`. Strict: small-order keys and malleable signatures are refused, so
    /// that every verifier agrees.
    #[must_use]
    pub fn verify_in<T: Encode>(&self, domain: Domain, payload: &T, key: &ConsensusPublic) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(&self.0);
        ed25519_dalek::VerifyingKey::from_bytes(&key.0)
            .is_ok_and(|key| key.verify_strict(&domain.preimage(payload), &signature).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn development_uri_gives_the_known_account() {
        let alice = Keypair::from_uri("//Alice").unwrap();
        assert_eq!(alice.account().to_string(), "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY");
        let copy = Keypair::from_expanded(&alice.to_expanded()).unwrap();
        assert_eq!(copy.account(), alice.account());
    }

    #[test]
    fn a_signature_is_bound_to_key_domain_and_payload() {
        let (key, other) = (Keypair::from_seed(&[1; 32]), Keypair::from_seed(&[2; 32]));
        let signature = key.sign_in(Domain::Receipt, &7_u8);
        assert!(signature.verify_in(Domain::Receipt, &7_u8, &key.account()));
        assert!(!signature.verify_in(Domain::Transaction, &7_u8, &key.account()));
        assert!(!signature.verify_in(Domain::Receipt, &8_u8, &key.account()));
        assert!(!signature.verify_in(Domain::Receipt, &7_u8, &other.account()));
        assert!(
            !Signature([0; 64]).verify(b"", &key.account()),
            "the empty signature of Bittensor SDK issue 3392"
        );

        let node = ConsensusKeypair::from_seed(&[3; 32]);
        let vote = node.sign_in(Domain::Vote, &7_u8);
        assert!(vote.verify_in(Domain::Vote, &7_u8, &node.public()));
        assert!(!vote.verify_in(Domain::ConsensusKey, &7_u8, &node.public()));
        assert!(!vote.verify_in(Domain::Vote, &7_u8, &ConsensusPublic([0; 32])));
    }

    #[test]
    fn entropy_gives_its_bip39_phrase() {
        // First vector of the BIP-39 reference list.
        let phrase = phrase_from_entropy(&[0; 16]).unwrap();
        assert_eq!(phrase, ["abandon"; 11].join(" ") + " about");
        assert!(Keypair::from_phrase(&phrase).is_ok());
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = Keypair::from_seed(&[9; 32]);
        assert!(!format!("{key:?}").contains(&hex::encode(&key.to_expanded()[..8])));
    }
}
