//! Shares to base units (step 12).
//!
//! A payout is `floor(share · emission)`. The shares of both halves sum to at most one, so the two
//! vectors together never exceed the emission; what rounding leaves is the caller's to place.

use super::stake::Stake;
use crate::share::{Share, normalize, normalize_by};

/// Base units per uid.
pub(super) struct Payout {
    pub(super) server: Vec<u64>,
    pub(super) validator: Vec<u64>,
    pub(super) combined: Vec<u64>,
}

impl Payout {
    /// Splits `emission` by incentive and dividends; where there is neither, by stake to validators.
    pub(super) fn new(incentive: &[Share], dividends: &[Share], stake: &Stake, emission: u64) -> Self {
        let mut combined: Vec<Share> =
            incentive.iter().zip(dividends).map(|(&incentive, &dividend)| incentive.plus(dividend)).collect();
        let total: Share = combined.iter().copied().sum();
        if total == Share::ZERO {
            let voted = stake.validating.iter().any(|&share| share > Share::ZERO);
            let paid = amounts(if voted { &stake.validating } else { &stake.normalized }, emission);
            return Self { server: vec![0; incentive.len()], validator: paid.clone(), combined: paid };
        }
        normalize(&mut combined);
        let half = |shares: &[Share]| {
            let mut shares = shares.to_vec();
            normalize_by(&mut shares, total);
            amounts(&shares, emission)
        };
        Self { server: half(incentive), validator: half(dividends), combined: amounts(&combined, emission) }
    }
}

fn amounts(shares: &[Share], emission: u64) -> Vec<u64> {
    shares.iter().map(|&share| amount(share, emission)).collect()
}

/// `floor(share · emission)` for a share between zero and one.
fn amount(share: Share, emission: u64) -> u64 {
    let product = u128::from(share.bits()).wrapping_mul(u128::from(emission)).wrapping_shr(32);
    u64::try_from(product).unwrap_or(u64::MAX)
}
