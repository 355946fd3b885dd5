//! Shares to base units (step 12).
//!
//! A payout is `floor(share · emission)`. The shares of both halves sum to at most one, so the two
//! vectors together never exceed the emission; what rounding leaves is the caller's to place.

use super::stake::Stake;
use crate::fixed::{Fix, ZERO, normalize, normalize_by, sum};

/// Base units per uid.
pub(super) struct Payout {
    pub(super) server: Vec<u64>,
    pub(super) validator: Vec<u64>,
    pub(super) combined: Vec<u64>,
}

impl Payout {
    /// Splits `emission` by incentive and dividends; where there is neither, by stake to validators.
    pub(super) fn new(incentive: &[Fix], dividends: &[Fix], stake: &Stake, emission: u64) -> Self {
        let mut combined: Vec<Fix> = incentive
            .iter()
            .zip(dividends)
            .map(|(&incentive, &dividend)| incentive.saturating_add(dividend))
            .collect();
        let total = sum(&combined);
        if total == ZERO {
            let shares = if sum(&stake.validating) == ZERO { &stake.normalized } else { &stake.validating };
            let paid = amounts(shares, emission);
            return Self { server: vec![0; incentive.len()], validator: paid.clone(), combined: paid };
        }
        let (mut server, mut validator) = (incentive.to_vec(), dividends.to_vec());
        normalize_by(&mut server, total);
        normalize_by(&mut validator, total);
        normalize(&mut combined);
        Self {
            server: amounts(&server, emission),
            validator: amounts(&validator, emission),
            combined: amounts(&combined, emission),
        }
    }
}

fn amounts(shares: &[Fix], emission: u64) -> Vec<u64> {
    shares.iter().map(|&share| amount(share, emission)).collect()
}

/// `floor(share · emission)` for a share between zero and one.
fn amount(share: Fix, emission: u64) -> u64 {
    let share = u128::try_from(share.to_bits()).unwrap_or(0);
    let product = share.wrapping_mul(u128::from(emission)).wrapping_shr(32);
    u64::try_from(product).unwrap_or(u64::MAX)
}
