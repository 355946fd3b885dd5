//! The canonical encoding: SCALE (`parity-scale-codec`), little-endian and fixed-width, compact lengths for sequences.
//!
//! Decoding here always consumes the whole input and bounds its nesting: trailing bytes would let two encodings stand
//! for one value, and so for two hashes of it.

use parity_scale_codec::DecodeLimit;
pub use parity_scale_codec::{Decode, Encode, MaxEncodedLen};

/// Deepest nesting of any type of ours is below this.
const MAX_DEPTH: u32 = 32;

/// Why bytes are no canonical encoding of the wanted type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the canonical encoding of a {what}: {reason}")]
pub struct DecodeError {
    /// What was expected.
    pub what: &'static str,
    /// What the decoder found.
    pub reason: String,
}

/// Decodes `bytes` as one whole `T`, refusing trailing bytes.
pub fn decode_all<T: Decode>(what: &'static str, bytes: &[u8]) -> Result<T, DecodeError> {
    T::decode_all_with_depth_limit(MAX_DEPTH, &mut &*bytes)
        .map_err(|error| DecodeError { what, reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailing_bytes_are_refused() {
        let mut bytes = 7_u64.encode();
        assert_eq!(decode_all::<u64>("number", &bytes), Ok(7));
        bytes.push(0);
        assert!(decode_all::<u64>("number", &bytes).is_err());
    }
}
