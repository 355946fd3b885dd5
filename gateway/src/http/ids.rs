//! Identifiers and seeds: unique in this process, unpredictable from outside.

use std::sync::atomic::{AtomicU64, Ordering};

use acumen_protocol::Hash;
use rand::TryRngCore as _;

use crate::Error;

/// Hex digits of an identifier: 128 bits.
const DIGITS: usize = 32;

/// A secret and a counter, hashed.
#[derive(Debug)]
pub(super) struct Ids {
    secret: [u8; 32],
    counter: AtomicU64,
}

impl Ids {
    /// With a secret of the operating system.
    pub(super) fn from_system() -> Result<Self, Error> {
        let mut secret = [0; 32];
        rand::rngs::OsRng
            .try_fill_bytes(&mut secret)
            .map_err(|error| Error::Randomness { reason: error.to_string() })?;
        Ok(Self { secret, counter: AtomicU64::new(0) })
    }

    fn next(&self) -> Hash {
        let count = self.counter.fetch_add(1, Ordering::Relaxed);
        Hash::of(&[self.secret.as_slice(), &count.to_le_bytes()].concat())
    }

    /// `prefix` and 32 hex digits.
    pub(super) fn id(&self, prefix: &str) -> String {
        let digits: String = self.next().to_string().chars().skip("0x".len()).take(DIGITS).collect();
        format!("{prefix}{digits}")
    }

    /// A seed for a request that brings none.
    pub(super) fn seed(&self) -> u64 {
        let Hash([a, b, c, d, e, f, g, h, ..]) = self.next();
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}
