//! How weights are stored: scaled so that the largest is 65 535.
//!
//! Rounded half up, in the two orders of multiplication that `vec_max_upscale_to_u16` of
//! `opentensor/subtensor@14bc6f9f` uses below and above 32 768 (both fit 32 integer bits).

use substrate_fixed::types::I32F32;

/// Above this, `value · 65 535` would not fit.
const LARGE: I32F32 = I32F32::from_bits(32_768 << 32);

/// Weights as a validator gave them, as the chain stores them. All zeros stay zeros.
#[must_use]
pub fn max_upscale(weights: &[u16]) -> Vec<u16> {
    let values: Vec<I32F32> = weights.iter().map(|&w| I32F32::from_num(w)).collect();
    max_upscale_fixed(&values)
}

pub(crate) fn max_upscale_fixed(values: &[I32F32]) -> Vec<u16> {
    let full = I32F32::from_num(u16::MAX);
    let largest = values.iter().copied().max().unwrap_or_default();
    let over = |value: I32F32| value.checked_div(largest).unwrap_or_default();
    let scaled = |value: I32F32| {
        if largest > LARGE { value.saturating_mul(over(full)) } else { over(value.saturating_mul(full)) }
    };
    values.iter().map(|&value| scaled(value).saturating_round().saturating_to_num()).collect()
}

#[cfg(test)]
mod tests;
