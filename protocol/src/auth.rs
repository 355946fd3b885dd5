//! Authentication of a request: six metadata fields and an sr25519 signature over newline-joined text.
//!
//! Modelled on `btauth/1` of Bittensor's SDK 11 (`bittensor/http_auth.py`), with the gRPC path in place of method and
//! URL. The order of checks is fixed: shape → receiver → freshness → signature → replay; permission, rate limit and
//! admission follow in the server. The replay store is written only after the signature verified, so that a stranger
//! can neither fill it nor burn somebody's nonce.

use crate::limits::{AUTH_WINDOW_AHEAD_NS, AUTH_WINDOW_BACK_NS};
use crate::{AccountId, Hash, Keypair, Signature};

/// Value of [`HEADER_VERSION`] and first line of the signed text.
pub const VERSION: &str = "acumen-auth/1";
/// The one signature scheme.
pub const SCHEME: &str = "sr25519";

/// Metadata key of the protocol version.
pub const HEADER_VERSION: &str = "acumen-auth-version";
/// Metadata key of the sender's hotkey (SS58).
pub const HEADER_HOTKEY: &str = "acumen-auth-hotkey";
/// Metadata key of the receiver's hotkey (SS58).
pub const HEADER_RECEIVER: &str = "acumen-auth-receiver";
/// Metadata key of the nonce: nanoseconds since the Unix epoch.
pub const HEADER_NONCE: &str = "acumen-auth-nonce";
/// Metadata key of the signature (`0x` and 128 hex digits).
pub const HEADER_SIGNATURE: &str = "acumen-auth-signature";

/// The claims of a request, shape-checked, not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthHeaders {
    /// Who claims to ask.
    pub sender: AccountId,
    /// Whom it was meant for.
    pub receiver: AccountId,
    /// The sender's clock, in nanoseconds; unique per sender.
    pub nonce: u64,
    /// Over [`signed_text`].
    pub signature: Signature,
}

/// A request whose sender is proven. Only [`AuthHeaders::verify`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authenticated {
    sender: AccountId,
    nonce: u64,
}

impl Authenticated {
    /// The proven sender.
    #[must_use]
    pub const fn sender(&self) -> AccountId {
        self.sender
    }

    /// The request's nonce.
    #[must_use]
    pub const fn nonce(&self) -> u64 {
        self.nonce
    }
}

/// Why a request is refused. Each refusal says what the sender should do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// A field is missing.
    #[error("metadata `{header}` is missing: sign the request (docs/spec/auth.md)")]
    Missing {
        /// The metadata key.
        header: &'static str,
    },
    /// A field is there more than once or does not parse.
    #[error("metadata `{header}` is malformed: {reason}")]
    Malformed {
        /// The metadata key.
        header: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// Another version.
    #[error("authentication version `{found}` is not supported, use `{VERSION}`")]
    Version {
        /// The version found.
        found: String,
    },
    /// Meant for somebody else.
    #[error("signed for receiver {found}, this is {expected}: read the receiver's hotkey from the metagraph")]
    Receiver {
        /// Receiver in the request.
        found: AccountId,
        /// This server's hotkey.
        expected: AccountId,
    },
    /// Too old or too far ahead.
    #[error("nonce is {age_ms} ms old (10000 ms back and 2000 ms ahead are accepted): check the clock")]
    Stale {
        /// Age in milliseconds; negative if it is ahead.
        age_ms: i128,
    },
    /// The signature is not the sender's over this request.
    #[error("the signature does not match sender, receiver, path, nonce and message")]
    Signature,
    /// The nonce was used.
    #[error("nonce {nonce} was used already: take a new one for each request")]
    Replay {
        /// The nonce.
        nonce: u64,
    },
    /// The store of used nonces failed: nothing can be accepted safely.
    #[error("the store of used nonces failed, try again later: {reason}")]
    Store {
        /// The store's own words.
        reason: String,
    },
}

/// Remembers used nonces for at least [`crate::limits::AUTH_RETENTION_NS`], across restarts.
pub trait ReplayStore {
    /// Durably marks (`sender`, `nonce`) as used; `Ok(false)` if it was used before. `now` (ns) lets the store forget
    /// what is out of the window.
    fn insert(&mut self, sender: &AccountId, nonce: u64, now: u64) -> Result<bool, String>;
}

/// The text that is signed, for a request with `message` hash on gRPC `path` (`/package.Service/Method`).
#[must_use]
pub fn signed_text(
    path: &str,
    message: &Hash,
    nonce: u64,
    sender: &AccountId,
    receiver: &AccountId,
) -> String {
    let digest = hex::encode(message.as_bytes());
    [VERSION, SCHEME, path, &digest, &nonce.to_string(), &sender.to_string(), &receiver.to_string()]
        .join("\n")
}

impl AuthHeaders {
    /// Signs a request. `nonce` is the caller's clock in nanoseconds, made unique by the caller.
    #[must_use]
    pub fn sign(key: &Keypair, receiver: AccountId, path: &str, message: &[u8], nonce: u64) -> Self {
        let sender = key.account();
        let text = signed_text(path, &Hash::of(message), nonce, &sender, &receiver);
        Self { sender, receiver, nonce, signature: key.sign(text.as_bytes()) }
    }

    /// The metadata to send: (key, value).
    #[must_use]
    pub fn to_pairs(&self) -> [(&'static str, String); 5] {
        [
            (HEADER_VERSION, VERSION.to_owned()),
            (HEADER_HOTKEY, self.sender.to_string()),
            (HEADER_RECEIVER, self.receiver.to_string()),
            (HEADER_NONCE, self.nonce.to_string()),
            (HEADER_SIGNATURE, self.signature.to_string()),
        ]
    }

    /// Reads the metadata through `get`, which returns all values of a key. Checks the shape only.
    pub fn from_metadata<'a>(get: impl Fn(&'static str) -> Vec<&'a str>) -> Result<Self, AuthError> {
        let one = |header: &'static str| match get(header).as_slice() {
            [] => Err(AuthError::Missing { header }),
            [value] => Ok(*value),
            _ => Err(AuthError::Malformed { header, reason: "given more than once".to_owned() }),
        };
        let version = one(HEADER_VERSION)?;
        if version != VERSION {
            return Err(AuthError::Version { found: version.chars().take(32).collect() });
        }
        let nonce = one(HEADER_NONCE)?;
        let canonical = parse::<u64>(HEADER_NONCE, nonce)?;
        if canonical.to_string() != nonce {
            return Err(AuthError::Malformed {
                header: HEADER_NONCE,
                reason: "write plain digits".to_owned(),
            });
        }
        Ok(Self {
            sender: parse(HEADER_HOTKEY, one(HEADER_HOTKEY)?)?,
            receiver: parse(HEADER_RECEIVER, one(HEADER_RECEIVER)?)?,
            nonce: canonical,
            signature: parse(HEADER_SIGNATURE, one(HEADER_SIGNATURE)?)?,
        })
    }

    /// Receiver and freshness, for a server with hotkey `me` whose clock says `now` (ns); returns the text that
    /// [`Self::signature`] must be the sender's over. For servers that check signatures together; others use
    /// [`Self::verify`], which does all of it.
    pub fn claim(&self, me: &AccountId, path: &str, message: &[u8], now: u64) -> Result<String, AuthError> {
        if self.receiver != *me {
            return Err(AuthError::Receiver { found: self.receiver, expected: *me });
        }
        let fresh = self.nonce >= now.saturating_sub(AUTH_WINDOW_BACK_NS)
            && self.nonce <= now.saturating_add(AUTH_WINDOW_AHEAD_NS);
        if !fresh {
            let age = i128::from(now).saturating_sub(i128::from(self.nonce));
            return Err(AuthError::Stale { age_ms: age.checked_div(1_000_000).unwrap_or(0) });
        }
        Ok(signed_text(path, &Hash::of(message), self.nonce, &self.sender, &self.receiver))
    }

    /// Runs the checks from receiver to replay, for a server with hotkey `me` whose clock says `now` (ns).
    pub fn verify(
        &self,
        me: &AccountId,
        path: &str,
        message: &[u8],
        now: u64,
        store: &mut dyn ReplayStore,
    ) -> Result<Authenticated, AuthError> {
        let text = self.claim(me, path, message, now)?;
        if !self.signature.verify(text.as_bytes(), &self.sender) {
            return Err(AuthError::Signature);
        }
        match store.insert(&self.sender, self.nonce, now) {
            Ok(true) => Ok(Authenticated { sender: self.sender, nonce: self.nonce }),
            Ok(false) => Err(AuthError::Replay { nonce: self.nonce }),
            Err(reason) => Err(AuthError::Store { reason }),
        }
    }
}

fn parse<T: core::str::FromStr<Err: core::fmt::Display>>(
    header: &'static str,
    value: &str,
) -> Result<T, AuthError> {
    value.parse().map_err(|error: T::Err| AuthError::Malformed { header, reason: error.to_string() })
}

#[cfg(test)]
mod tests;
