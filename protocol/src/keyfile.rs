//! Keyfiles as Bittensor's wallet writes them: JSON, plain or encrypted.
//!
//! Fields (all hex with `0x`): `accountId`, `publicKey`, `privateKey` (64-byte expanded secret), `secretPhrase` (BIP-39),
//! `secretSeed` (32 bytes), `ss58Address`, `cryptoType` (1 = sr25519). A key is restored from the first of phrase, seed
//! and private key that is there (`btwallet/src/keyfile.rs`, load order), and must then have the stated address.
//!
//! Encryption: `$NACL`, a 24-byte nonce, and libsodium's secretbox (XSalsa20-Poly1305) under argon2i13 with
//! libsodium's *sensitive* limits (8 passes over 512 MiB) and Bittensor's one fixed salt.

use argon2::{Algorithm, Argon2, Params, Version};
use crypto_secretbox::aead::Aead;
use crypto_secretbox::{Key, KeyInit, Nonce, XSalsa20Poly1305};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{AccountId, Keypair};

const MAGIC: &[u8] = b"$NACL";
const NONCE_BYTES: usize = 24;
/// Bittensor's salt; one for everybody, so a password must be strong (`btwallet/src/keyfile.rs`, `NACL_SALT`).
const SALT: [u8; 16] = *b"\x13q\x83\xdf\xf1Z\t\xbc\x9c\x90\xb5Q\x879\xe9\xb1";
/// libsodium `crypto_pwhash_argon2i_OPSLIMIT_SENSITIVE`.
const PASSES: u32 = 8;
/// libsodium `crypto_pwhash_argon2i_MEMLIMIT_SENSITIVE`, in KiB.
const MEMORY_KIB: u32 = 512 * 1024;
/// Largest keyfile that is read: real ones have about 600 bytes.
pub const MAX_KEYFILE_BYTES: usize = 16 * 1024;

/// Why a keyfile does not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyfileError {
    /// Encrypted, and no password was given.
    #[error("the keyfile is encrypted: give its password at the prompt or in ACUMEN_WALLET_PASSWORD")]
    NeedsPassword,
    /// Decryption failed.
    #[error("wrong password, or the encrypted keyfile is damaged")]
    WrongPassword,
    /// Encrypted by a scheme of old Bittensor versions.
    #[error(
        "the keyfile is encrypted with {scheme}, which is not read here: open it once with a current bittensor-wallet, which rewrites it"
    )]
    LegacyEncryption {
        /// Its name.
        scheme: &'static str,
    },
    /// Not a keyfile.
    #[error("not a keyfile: {reason}")]
    Malformed {
        /// What is wrong; never a secret.
        reason: String,
    },
    /// A public keyfile where a secret one is needed.
    #[error("the keyfile holds no secret, only the address {address}")]
    PublicOnly {
        /// The address.
        address: AccountId,
    },
    /// The secret belongs to another address than the one stated.
    #[error("the keyfile states {stated}, but its secret belongs to {derived}: it was edited or damaged")]
    AddressMismatch {
        /// `ss58Address`.
        stated: AccountId,
        /// Of the secret.
        derived: AccountId,
    },
    /// Larger than any keyfile.
    #[error("{size} bytes are too many for a keyfile (at most {MAX_KEYFILE_BYTES})")]
    TooLarge {
        /// Its size.
        size: usize,
    },
    /// The key derivation could not run (too little memory).
    #[error("could not derive the encryption key, which needs 512 MiB of memory: {reason}")]
    Derivation {
        /// The library's words.
        reason: String,
    },
}

fn malformed(reason: impl ToString) -> KeyfileError {
    KeyfileError::Malformed { reason: reason.to_string() }
}

/// The JSON content. `Debug` is left out on purpose.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    account_id: Option<String>,
    public_key: Option<String>,
    private_key: Option<Zeroizing<String>>,
    secret_phrase: Option<Zeroizing<String>>,
    secret_seed: Option<Zeroizing<String>>,
    ss58_address: Option<AccountId>,
    crypto_type: Option<u8>,
}

/// A key with all that its keyfile remembers.
#[derive(Clone)]
pub struct StoredKey {
    keypair: Keypair,
    phrase: Option<Zeroizing<String>>,
    seed: Option<Zeroizing<[u8; 32]>>,
}

impl core::fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "StoredKey({})", self.keypair.account())
    }
}

impl StoredKey {
    /// From a BIP-39 phrase.
    pub fn from_phrase(phrase: &str) -> Result<Self, crate::keys::ParseKeyError> {
        let (keypair, seed) = Keypair::from_phrase(phrase)?;
        Ok(Self { keypair, phrase: Some(phrase.to_owned().into()), seed: Some(seed.into()) })
    }

    /// From a secret URI as subkey and btcli spell it: a phrase or a `0x` seed, then `//hard`, `/soft` and `///password`
    /// as wanted. Of a bare phrase the words are kept; else they alone would not restore the key.
    pub fn from_uri(uri: &str) -> Result<Self, crate::keys::ParseKeyError> {
        if !uri.contains('/') && !uri.starts_with("0x") {
            return Self::from_phrase(uri);
        }
        let (keypair, seed) = Keypair::from_uri_with_seed(uri)?;
        Ok(Self { keypair, phrase: None, seed: seed.map(Into::into) })
    }

    /// From a 32-byte seed.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self { keypair: Keypair::from_seed(&seed), phrase: None, seed: Some(seed.into()) }
    }

    /// The key pair.
    #[must_use]
    pub const fn keypair(&self) -> &Keypair {
        &self.keypair
    }

    /// The BIP-39 phrase, if the key came from one.
    #[must_use]
    pub fn phrase(&self) -> Option<&str> {
        self.phrase.as_ref().map(|phrase| phrase.as_str())
    }

    /// The keyfile's plain JSON, with the secret.
    #[must_use]
    pub fn to_json(&self) -> Zeroizing<Vec<u8>> {
        let mut content = public_content(&self.keypair.account());
        content.private_key = Some(format!("0x{}", hex::encode(self.keypair.to_expanded())).into());
        content.secret_phrase = self.phrase.clone();
        content.secret_seed =
            self.seed.as_ref().map(|seed| format!("0x{}", hex::encode(seed.as_slice())).into());
        Zeroizing::new(serde_json::to_vec(&content).unwrap_or_default())
    }

    /// The keyfile encrypted under `password` with a fresh random `nonce`.
    pub fn to_encrypted(&self, password: &str, nonce: [u8; NONCE_BYTES]) -> Result<Vec<u8>, KeyfileError> {
        let sealed = cipher(password)?.encrypt(&Nonce::from(nonce), self.to_json().as_slice());
        let sealed = sealed.map_err(|_| malformed("encryption failed"))?;
        Ok([MAGIC, nonce.as_slice(), sealed.as_slice()].concat())
    }

    /// Opens a keyfile's bytes.
    pub fn open(bytes: &[u8], password: Option<&str>) -> Result<Self, KeyfileError> {
        let plain = match bytes.strip_prefix(MAGIC) {
            Some(sealed) => decrypt(sealed, password.ok_or(KeyfileError::NeedsPassword)?)?,
            None => Zeroizing::new(bytes.to_vec()),
        };
        let content = parse(&plain)?;
        let key = restore(&content)?;
        match content.ss58_address {
            Some(stated) if stated != key.keypair.account() => {
                Err(KeyfileError::AddressMismatch { stated, derived: key.keypair.account() })
            }
            _ => Ok(key),
        }
    }
}

/// True if the keyfile needs a password.
#[must_use]
pub fn is_encrypted(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// A public keyfile (`coldkeypub.txt`, `<hotkey>pub.txt`).
#[must_use]
pub fn public_json(account: &AccountId) -> Vec<u8> {
    serde_json::to_vec(&public_content(account)).unwrap_or_default()
}

/// The address in a plain keyfile, public or secret, or in a file that holds an SS58 address alone.
pub fn read_address(bytes: &[u8]) -> Result<AccountId, KeyfileError> {
    if is_encrypted(bytes) {
        return Err(KeyfileError::NeedsPassword);
    }
    let bare = core::str::from_utf8(bytes).ok().and_then(|text| text.trim().parse().ok());
    match bare {
        Some(account) => Ok(account),
        None => parse(bytes)?.ss58_address.ok_or_else(|| malformed("`ss58Address` is missing")),
    }
}

fn public_content(account: &AccountId) -> Content {
    let hex = format!("0x{}", hex::encode(account.0));
    Content {
        account_id: Some(hex.clone()),
        public_key: Some(hex),
        private_key: None,
        secret_phrase: None,
        secret_seed: None,
        ss58_address: Some(*account),
        crypto_type: Some(1),
    }
}

fn parse(bytes: &[u8]) -> Result<Content, KeyfileError> {
    if bytes.len() > MAX_KEYFILE_BYTES {
        return Err(KeyfileError::TooLarge { size: bytes.len() });
    }
    if bytes.starts_with(b"$ANSIBLE_VAULT") {
        return Err(KeyfileError::LegacyEncryption { scheme: "ansible-vault" });
    }
    if bytes.starts_with(b"gAAAAA") {
        return Err(KeyfileError::LegacyEncryption { scheme: "Fernet" });
    }
    // serde_json's message could quote the input: keep the position only.
    let content: Content = serde_json::from_slice(bytes).map_err(|error| {
        malformed(format!("no keyfile JSON (line {}, column {})", error.line(), error.column()))
    })?;
    match content.crypto_type {
        None | Some(1) => Ok(content),
        Some(other) => Err(malformed(format!("key type {other} is not supported, only 1 (sr25519)"))),
    }
}

fn restore(content: &Content) -> Result<StoredKey, KeyfileError> {
    if let Some(phrase) = &content.secret_phrase {
        return StoredKey::from_phrase(phrase).map_err(malformed);
    }
    if let Some(seed) = &content.secret_seed {
        return Ok(StoredKey::from_seed(*hex_bytes::<32>("secretSeed", seed)?));
    }
    if let Some(secret) = &content.private_key {
        let expanded = hex_bytes::<64>("privateKey", secret)?;
        let keypair = Keypair::from_expanded(expanded.as_slice()).map_err(malformed)?;
        return Ok(StoredKey { keypair, phrase: None, seed: None });
    }
    let address =
        content.ss58_address.ok_or_else(|| malformed("neither a secret nor an address is in it"))?;
    Err(KeyfileError::PublicOnly { address })
}

fn hex_bytes<const N: usize>(field: &str, text: &str) -> Result<Zeroizing<[u8; N]>, KeyfileError> {
    let mut bytes = Zeroizing::new([0; N]);
    hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(text), bytes.as_mut_slice())
        .map_err(|_| malformed(format!("`{field}` is not 0x and {} hex digits", N.saturating_mul(2))))?;
    Ok(bytes)
}

fn cipher(password: &str) -> Result<XSalsa20Poly1305, KeyfileError> {
    let failed = |error: argon2::Error| KeyfileError::Derivation { reason: error.to_string() };
    let params = Params::new(MEMORY_KIB, PASSES, 1, Some(32)).map_err(failed)?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2i, Version::V0x13, params)
        .hash_password_into(password.as_bytes(), &SALT, key.as_mut_slice())
        .map_err(failed)?;
    Ok(XSalsa20Poly1305::new(Key::from_slice(key.as_slice())))
}

fn decrypt(sealed: &[u8], password: &str) -> Result<Zeroizing<Vec<u8>>, KeyfileError> {
    let (nonce, body) = sealed.split_at_checked(NONCE_BYTES).ok_or(KeyfileError::WrongPassword)?;
    let plain = cipher(password)?.decrypt(Nonce::from_slice(nonce), body);
    plain.map(Zeroizing::new).map_err(|_| KeyfileError::WrongPassword)
}

#[cfg(test)]
mod tests;
