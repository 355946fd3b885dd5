//! How weights are stored: scaled so that the largest is 65 535.
//!
//! Rounded half up, in the two orders of multiplication that `vec_max_upscale_to_u16` of
//! `opentensor/subtensor@14bc6f9f` uses below and above 32 768 (both fit 32 integer bits).

use crate::fixed::{Fix, ZERO, div, mul};

/// Above this, `value · 65 535` would not fit.
const LARGE: Fix = Fix::from_bits(32_768 << 32);

/// Weights as a validator gave them, as the chain stores them. All zeros stay zeros.
#[must_use]
pub fn max_upscale(weights: &[u16]) -> Vec<u16> {
    let values: Vec<Fix> = weights.iter().map(|&w| Fix::from_num(w)).collect();
    max_upscale_fixed(&values)
}

pub(crate) fn max_upscale_fixed(values: &[Fix]) -> Vec<u16> {
    let full = Fix::from_num(u16::MAX);
    let largest = values.iter().fold(ZERO, |max, &v| max.max(v));
    let scaled = |value: Fix| {
        if largest > LARGE { mul(value, div(full, largest)) } else { div(mul(value, full), largest) }
    };
    values.iter().map(|&value| scaled(value).saturating_round().saturating_to_num()).collect()
}

#[cfg(test)]
mod tests;
