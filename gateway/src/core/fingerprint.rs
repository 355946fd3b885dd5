//! `system_fingerprint`: changes whenever an answer may change although the request and its seed do not.

use acumen_protocol::{AccountId, Hash};

use crate::core::pooling::Pool;

/// Hex digits shown: 64 bits, enough to tell configurations apart.
const DIGITS: usize = 16;

/// Digest of the pool and of the miners that were asked, with their weights.
#[must_use]
pub fn fingerprint<'a>(pool: Pool, miners: impl IntoIterator<Item = (&'a AccountId, f64)>) -> String {
    let mut bytes = pool.name().as_bytes().to_vec();
    for (hotkey, weight) in miners {
        bytes.extend_from_slice(hotkey.as_bytes());
        bytes.extend_from_slice(&weight.to_le_bytes());
    }
    let digest: String = Hash::of(&bytes).to_string().chars().skip("0x".len()).take(DIGITS).collect();
    format!("fp_{digest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn miners_weights_and_pool_change_it() {
        let (a, b) = (AccountId([1; 32]), AccountId([2; 32]));
        let base = fingerprint(Pool::Linear, [(&a, 0.5), (&b, 0.5)]);
        assert_eq!(base.len(), 3 + DIGITS);
        assert_ne!(base, fingerprint(Pool::Geometric, [(&a, 0.5), (&b, 0.5)]));
        assert_ne!(base, fingerprint(Pool::Linear, [(&a, 0.5), (&b, 0.6)]));
        assert_ne!(base, fingerprint(Pool::Linear, [(&a, 0.5)]));
    }
}
