//! blake2b-256, the one hash of the chain.

use core::fmt;
use core::str::FromStr;

use blake2::digest::Digest;
use blake2::digest::consts::U32;
use parity_scale_codec::{Decode, Encode, MaxEncodedLen};

type Blake2b256 = blake2::Blake2b<U32>;

/// A blake2b-256 digest; shown as `0x` and 64 lower-case hex digits.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, MaxEncodedLen)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// All zero: the parent of genesis, and "nothing" in places that say so.
    pub const ZERO: Self = Self([0; 32]);

    /// Digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Blake2b256::digest(bytes).into())
    }

    /// Digest of the canonical encoding of `value`.
    #[must_use]
    pub fn of_encoded<T: Encode>(value: &T) -> Self {
        value.using_encoded(Self::of)
    }

    /// The digest's bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Binary Merkle root of `leaves` in order: leaves are hashed with a `0` byte, inner nodes with a `1`, an odd node is
/// carried up unchanged (as in RFC 6962, §2.1). The root of nothing is [`Hash::ZERO`].
#[must_use]
pub fn merkle_root(leaves: impl IntoIterator<Item = Vec<u8>>) -> Hash {
    let mut level: Vec<Hash> =
        leaves.into_iter().map(|leaf| Hash::of(&[&[0], leaf.as_slice()].concat())).collect();
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => Hash::of(&[&[1], left.0.as_slice(), right.0.as_slice()].concat()),
                [odd] => *odd,
                _ => Hash::ZERO,
            })
            .collect();
    }
    level.first().copied().unwrap_or(Hash::ZERO)
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is no hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no hash: write 0x and 64 hex digits")]
pub struct ParseHashError {
    /// The text.
    pub text: String,
}

impl FromStr for Hash {
    type Err = ParseHashError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| ParseHashError { text: text.to_owned() })?;
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_is_blake2b_256() {
        // `b2sum -l 256` of the empty input.
        let empty = "0x0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8";
        assert_eq!(Hash::of(b"").to_string(), empty);
        assert_eq!(empty.parse::<Hash>().unwrap(), Hash::of(b""));
    }

    #[test]
    fn merkle_root_tells_order_count_and_level_apart() {
        let leaves = |texts: &[&str]| merkle_root(texts.iter().map(|text| text.as_bytes().to_vec()));
        assert_eq!(leaves(&[]), Hash::ZERO);
        assert_ne!(leaves(&["a", "b"]), leaves(&["b", "a"]));
        assert_ne!(leaves(&["a", "b", "b"]), leaves(&["a", "b"]));
        // A leaf that looks like an inner node must not lead to that node's root.
        let (left, right) = (merkle_root([b"a".to_vec()]), merkle_root([b"b".to_vec()]));
        assert_ne!(merkle_root([[left.0, right.0].concat()]), leaves(&["a", "b"]));
    }
}
