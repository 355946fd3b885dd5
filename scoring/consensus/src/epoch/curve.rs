//! Liquid alpha: how fast a bond follows its weight, per entry.
//!
//! `alpha = low + (high - low) / (1 + exp(-steepness · (d - 1/2)))`, where `d` is how far the weight
//! is above consensus when it buys (weight at least the bond), or below the bond when it sells.
//! The exponential is the series of `substrate-fixed` 0.6.0, term by term, so its bits are the same.
//! Each term waits for the one before it, so several entries are computed side by side.

use crate::LiquidAlpha;
use crate::share::Share;

/// Entries computed together: one alone leaves the multiplier idle most of the time. An epoch of
/// 4 096 neurons takes 5.4 ms with one, 4.1 with two, 3.2 with four and 3.1 with eight.
pub(super) const LANES: usize = 4;

/// Raw value of one half.
const HALF: i64 = 0x8000_0000;

/// Beyond this (20) the exponent is cut.
const MAX_EXPONENT: u64 = 20 << 32;

/// `exp(1)`: the library answers this argument from a constant with 23 fractional bits.
const E: Share = Share::from_bits(0x15B_F0A8 << 9);

/// The curve of one epoch.
pub(super) struct Curve {
    low: Share,
    high: Share,
    /// Minus the steepness, raw.
    slope: i64,
    /// The value at distance zero, by far the most common one.
    at_zero: Share,
}

impl Curve {
    pub(super) fn new(params: LiquidAlpha) -> Self {
        let slope = i64::from(params.steepness).wrapping_shl(32).wrapping_div(-100);
        let (low, high) = (Share::of_u16(params.low), Share::of_u16(params.high));
        let mut curve = Self { low, high, slope, at_zero: Share::ZERO };
        [curve.at_zero, ..] = curve.alphas([Share::ZERO; LANES]);
        curve
    }

    /// The new weight's share in a bond at no distance.
    pub(super) fn at_zero(&self) -> Share {
        self.at_zero
    }

    /// The new weight's share in bonds at these distances, each at most one.
    pub(super) fn alphas(&self, distances: [Share; LANES]) -> [Share; LANES] {
        let span = self.high.minus(self.low);
        exps(distances.map(|distance| self.exponent(distance))).map(|exp| {
            let sigmoid = Share::ONE.plus(exp).reciprocal();
            self.low.plus(sigmoid.times(span)).min(self.high)
        })
    }

    /// `slope · (distance - 1/2)`, rounded down; at most 328 · 1/2.
    fn exponent(&self, distance: Share) -> i64 {
        let offset = i64::try_from(distance.bits()).unwrap_or(i64::MAX).wrapping_sub(HALF);
        let wide = i128::from(self.slope).wrapping_mul(i128::from(offset)).wrapping_shr(32);
        i64::try_from(wide).unwrap_or(i64::MAX)
    }
}

/// How far an entry is from where it should be, between zero and one.
pub(super) fn distance(consensus: Share, weight: Share, bond: Share) -> Share {
    if weight >= bond { weight.minus(consensus) } else { bond.minus(weight) }
}

/// `e^x` of raw exponents, each cut to ±20.
fn exps(exponents: [i64; LANES]) -> [Share; LANES] {
    let mut exps = series(exponents.map(|x| x.unsigned_abs().min(MAX_EXPONENT))).map(Share::from_bits);
    for (exp, &x) in exps.iter_mut().zip(&exponents) {
        if x < 0 {
            *exp = exp.reciprocal();
        } else if x == 1 << 32 {
            *exp = E;
        }
    }
    exps
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
/// Terms fall after they have grown: once all are zero, so are the rest.
fn series(xs: [u64; LANES]) -> [u64; LANES] {
    let mut terms = xs;
    let mut sums = xs.map(|x| x.wrapping_add(1 << 32));
    for_each_constant!(DIVISOR in [
        2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
    ] {
        let mut any = 0;
        for ((term, sum), &x) in terms.iter_mut().zip(&mut sums).zip(&xs) {
            let product = u128::from(*term).wrapping_mul(u128::from(x)).wrapping_shr(32);
            *term = u64::try_from(product).unwrap_or(u64::MAX).wrapping_div(DIVISOR);
            *sum = sum.wrapping_add(*term);
            any |= *term;
        }
        if any == 0 {
            return sums;
        }
    });
    sums
}

/// One exponential, for the vectors.
#[cfg(test)]
pub(crate) fn exp(x: i64) -> Share {
    let [exp, ..] = exps([x; LANES]);
    exp
}

#[cfg(test)]
mod tests;
