//! Liquid alpha: how fast a bond follows its weight, per entry.
//!
//! `alpha = low + (high - low) / (1 + exp(-steepness · (d - 1/2)))`, where `d` is how far the weight
//! is above consensus when it buys (weight at least the bond), or below the bond when it sells.
//! The exponential is the series of `substrate-fixed` 0.6.0, term by term, so its bits are the same.

use crate::LiquidAlpha;
use crate::fixed::{Fix, GREATEST, ONE, ONE_BITS, ZERO, div, mul, proportion};

/// One half.
const HALF: Fix = Fix::from_bits(0x8000_0000);

/// Beyond this the exponent is cut.
const MAX_EXPONENT: Fix = Fix::from_bits(20 << 32);

/// The curve of one epoch.
pub(super) struct Curve {
    low: Fix,
    high: Fix,
    /// Minus the steepness.
    slope: Fix,
    /// The value at distance zero, by far the most common one.
    at_zero: Fix,
}

impl Curve {
    pub(super) fn new(params: LiquidAlpha) -> Self {
        let slope = Fix::from_num(params.steepness).checked_div(Fix::from_num(-100)).unwrap_or(ZERO);
        let mut curve =
            Self { low: proportion(params.low), high: proportion(params.high), slope, at_zero: ZERO };
        curve.at_zero = curve.at_distance(ZERO);
        curve
    }

    /// The new weight's share in the bond.
    pub(super) fn alpha(&self, consensus: Fix, weight: Fix, bond: Fix) -> Fix {
        let distance =
            if weight >= bond { weight.saturating_sub(consensus) } else { bond.saturating_sub(weight) };
        if distance <= ZERO { self.at_zero } else { self.at_distance(distance.min(ONE)) }
    }

    fn at_distance(&self, distance: Fix) -> Fix {
        let exponent = mul(self.slope, distance.saturating_sub(HALF));
        let sigmoid = div(ONE, ONE.saturating_add(exp(exponent)));
        let span = self.high.saturating_sub(self.low);
        let alpha = self.low.saturating_add(mul(sigmoid, span));
        alpha.clamp(self.low, self.high)
    }
}

/// `e^x`, with `x` cut to ±20.
pub(crate) fn exp(x: Fix) -> Fix {
    if x == ZERO {
        return ONE;
    }
    if x == ONE {
        // The library answers this one from a constant with fewer bits than its series gives.
        return substrate_fixed::transcendental::exp(ONE).unwrap_or(ZERO);
    }
    let magnitude = x.saturating_abs().min(MAX_EXPONENT);
    let grown = series(u64::try_from(magnitude.to_bits()).unwrap_or(0));
    let grown = i64::try_from(grown).map_or(GREATEST, Fix::from_bits);
    if x < ZERO { div(ONE, grown) } else { grown }
}

/// One run of the body per divisor: written out, each division is by a constant, which the compiler
/// turns into a multiplication.
macro_rules! for_each_constant {
    ($divisor:ident in [$($value:literal)*] $body:block) => {
        $({ const $divisor: u64 = $value; $body })*
    };
}

/// `Σ x^k / k!` for raw `x` up to 20, while `k` is below the number of fractional bits: the largest
/// term is 4.4e7, the sum 4.9e8, so the raw values stay below 2^61 and the products below 2^96.
/// Terms fall after they have grown: the first zero ends the sum.
fn series(x: u64) -> u64 {
    let mut term = x;
    let mut sum = x.wrapping_add(ONE_BITS);
    for_each_constant!(DIVISOR in [
        2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
    ] {
        let product = u128::from(term).wrapping_mul(u128::from(x)).wrapping_shr(32);
        term = u64::try_from(product).unwrap_or(u64::MAX).wrapping_div(DIVISOR);
        if term == 0 {
            return sum;
        }
        sum = sum.wrapping_add(term);
    });
    sum
}

#[cfg(test)]
mod tests;
