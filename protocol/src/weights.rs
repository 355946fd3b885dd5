//! Weights as validators set them, and the commitment that hides them for an epoch.

use parity_scale_codec::{Decode, Encode};

use crate::limits::MAX_WEIGHTS;
use crate::{AccountId, Epoch, Hash, TrackId, Uid};

/// A validator's row of weights: uids strictly increasing, no zero, the largest is 65,535.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Weights(Vec<(Uid, u16)>);

/// Why a row of weights is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// More entries than uids exist.
    #[error("{count} weights, at most {MAX_WEIGHTS} are possible")]
    TooMany {
        /// Entries given.
        count: usize,
    },
    /// Two entries for one uid, or uids not in increasing order.
    #[error("uid {uid} is out of order: list each uid once, in increasing order")]
    OutOfOrder {
        /// The first uid that does not follow its predecessor.
        uid: Uid,
    },
}

impl Weights {
    /// Checks order and count, drops zeros, and scales the row so that its largest value is 65,535 (rounding half up),
    /// as Bittensor stores them.
    ///
    /// ```
    /// use acumen_protocol::{Uid, weights::Weights};
    ///
    /// let row = Weights::new(vec![(Uid::new(1), 1), (Uid::new(4), 2)])?;
    /// assert_eq!(row.entries(), [(Uid::new(1), 32_768), (Uid::new(4), 65_535)]);
    /// # Ok::<(), acumen_protocol::weights::WeightsError>(())
    /// ```
    pub fn new(entries: Vec<(Uid, u16)>) -> Result<Self, WeightsError> {
        if entries.len() > MAX_WEIGHTS {
            return Err(WeightsError::TooMany { count: entries.len() });
        }
        let mut previous = None;
        for (uid, _) in &entries {
            if previous.is_some_and(|before| before >= *uid) {
                return Err(WeightsError::OutOfOrder { uid: *uid });
            }
            previous = Some(*uid);
        }
        let max = entries.iter().map(|(_, weight)| *weight).max().unwrap_or(0);
        let scaled = entries.into_iter().map(|(uid, weight)| (uid, upscale(weight, max)));
        Ok(Self(scaled.filter(|(_, weight)| *weight > 0).collect()))
    }

    /// The entries, in increasing order of uid.
    #[must_use]
    pub fn entries(&self) -> &[(Uid, u16)] {
        &self.0
    }

    /// What a validator publishes in one epoch to be held to in the next: it binds the committer, the track, the epoch
    /// in which it is made, the row and a secret salt, so that nobody can copy or guess it, nor use it again later.
    #[must_use]
    pub fn commitment(&self, hotkey: &AccountId, track: TrackId, epoch: Epoch, salt: &[u8; 32]) -> Hash {
        Hash::of_encoded(&("acumen/weights/2", hotkey, track, epoch, self, salt))
    }
}

fn upscale(weight: u16, max: u16) -> u16 {
    let (weight, max, full) = (u64::from(weight), u64::from(max), u64::from(u16::MAX));
    let doubled =
        weight.checked_mul(full).and_then(|product| product.checked_mul(2)).and_then(|p| p.checked_add(max));
    let rounded = doubled
        .zip(max.checked_mul(2))
        .and_then(|(numerator, denominator)| numerator.checked_div(denominator));
    rounded.and_then(|value| u16::try_from(value).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(entries: &[(u16, u16)]) -> Result<Weights, WeightsError> {
        Weights::new(entries.iter().map(|(uid, weight)| (Uid::new(*uid), *weight)).collect())
    }

    #[test]
    fn rows_are_scaled_to_the_full_range() {
        assert_eq!(row(&[(1, 1), (2, 2), (3, 0)]), row(&[(1, 32_768), (2, 65_535)]));
        assert_eq!(row(&[(0, 0)]).unwrap().entries(), &[]);
        assert_eq!(row(&[]).unwrap().entries(), &[]);
    }

    #[test]
    fn disorder_is_refused() {
        assert!(row(&[(2, 1), (1, 1)]).is_err());
        assert!(row(&[(1, 1), (1, 1)]).is_err());
    }

    #[test]
    fn the_commitment_binds_everything() {
        let (a, b) = (AccountId([1; 32]), AccountId([2; 32]));
        let weights = row(&[(1, 9)]).unwrap();
        let (epoch, track) = (Epoch::new(7), TrackId::ZERO);
        let base = weights.commitment(&a, track, epoch, &[0; 32]);
        assert_ne!(base, weights.commitment(&b, track, epoch, &[0; 32]));
        assert_ne!(base, weights.commitment(&a, TrackId::new(1), epoch, &[0; 32]));
        assert_ne!(base, weights.commitment(&a, track, Epoch::new(8), &[0; 32]));
        assert_ne!(base, weights.commitment(&a, track, epoch, &[1; 32]));
        assert_ne!(base, row(&[(2, 9)]).unwrap().commitment(&a, track, epoch, &[0; 32]));
    }

    /// The bytes that are hashed, written down by hand: text, hotkey, track, epoch, row, salt.
    #[test]
    fn the_preimage_is_what_the_specification_says() {
        let weights = row(&[(1, 1), (4, 2)]).unwrap();
        let mut bytes = vec![16 << 2];
        bytes.extend(b"acumen/weights/2");
        bytes.extend([9; 32]);
        bytes.extend(3_u16.to_le_bytes());
        bytes.extend(5_u64.to_le_bytes());
        bytes.extend([2 << 2, 1, 0, 0x00, 0x80, 4, 0, 0xff, 0xff]);
        bytes.extend([8; 32]);
        let commitment = weights.commitment(&AccountId([9; 32]), TrackId::new(3), Epoch::new(5), &[8; 32]);
        assert_eq!(commitment, Hash::of(&bytes));
    }
}
