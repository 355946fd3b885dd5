//! The arithmetic of an epoch: upstream's `I32F32` on the numbers that occur, as plain integers.
//!
//! Every quantity of an epoch is a share, or a sum of at most 65 535 of them, so it is not negative
//! and its raw value (2^32 is one) stays below 2^48. There a product is one widening multiplication
//! and a quotient one 64-bit division, where `substrate-fixed` divides 128 bits; the tests hold each
//! operation to the library's bits. What falls outside saturates or takes the wide path, never wraps.

use std::iter::Sum;

/// Fractional bits.
const FRACTION: u32 = 32;

/// A number that is not negative, with 32 fractional bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Share(u64);

impl Share {
    /// Zero.
    pub(crate) const ZERO: Self = Self(0);

    /// One.
    pub(crate) const ONE: Self = Self(1 << FRACTION);

    /// A raw value.
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The raw value.
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    /// A stored proportion of 65 535.
    pub(crate) fn of_u16(x: u16) -> Self {
        // The divisor is a constant: no division is left.
        Self(u64::from(x).wrapping_shl(FRACTION).wrapping_div(65_535))
    }

    /// `part / whole` of integers, rounded down; zero where `whole` is zero. `part` is below 2^96.
    pub(crate) fn of(part: u128, whole: u128) -> Self {
        let quotient = part.wrapping_shl(FRACTION).checked_div(whole).unwrap_or(0);
        Self(u64::try_from(quotient).unwrap_or(u64::MAX))
    }

    /// `part / whole` of integers, rounded down; zero where `whole` is zero.
    pub(crate) fn of_part(part: u16, whole: u64) -> Self {
        Self(u64::from(part).wrapping_shl(FRACTION).checked_div(whole).unwrap_or(0))
    }

    /// As stored: `floor(x · 65 535)`, at most 65 535.
    pub(crate) fn to_u16(self) -> u16 {
        u16::try_from(self.0.saturating_mul(65_535).wrapping_shr(FRACTION)).unwrap_or(u16::MAX)
    }

    /// Sum.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Difference, at least zero.
    pub(crate) fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Product, rounded down.
    pub(crate) fn times(self, other: Self) -> Self {
        let wide = u128::from(self.0).wrapping_mul(u128::from(other.0));
        Self(u64::try_from(wide.wrapping_shr(FRACTION)).unwrap_or(u64::MAX))
    }

    /// Product, rounded up; of shares at most one.
    pub(crate) fn times_up(self, other: Self) -> Self {
        let wide = u128::from(self.0).wrapping_mul(u128::from(other.0)).saturating_add(0xFFFF_FFFF);
        Self(u64::try_from(wide.wrapping_shr(FRACTION)).unwrap_or(u64::MAX))
    }

    /// Quotient, rounded down; zero where `whole` is zero.
    pub(crate) fn over(self, whole: Self) -> Self {
        if self < Self::ONE {
            return Self(self.0.wrapping_shl(FRACTION).checked_div(whole.0).unwrap_or(0));
        }
        if self == Self::ONE {
            return whole.reciprocal();
        }
        Self::of(u128::from(self.0), u128::from(whole.0))
    }

    /// `1 / self`: `floor(2^64 / self)`, whose numerator is one more than 64 bits hold.
    pub(crate) fn reciprocal(self) -> Self {
        let below = u64::MAX.checked_div(self.0).unwrap_or(0);
        Self(below.saturating_add(u64::from(self.0.is_power_of_two())))
    }
}

impl Sum for Share {
    fn sum<I: Iterator<Item = Self>>(shares: I) -> Self {
        shares.fold(Self::ZERO, Self::plus)
    }
}

/// Divides by the sum; leaves zeros alone.
pub(crate) fn normalize(shares: &mut [Share]) {
    normalize_by(shares, shares.iter().copied().sum());
}

/// Divides by `whole` unless that is zero.
pub(crate) fn normalize_by(shares: &mut [Share], whole: Share) {
    if whole > Share::ZERO {
        for share in shares.iter_mut().filter(|share| **share > Share::ZERO) {
            *share = share.over(whole);
        }
    }
}

/// Element `uid`, zero beyond the end.
pub(crate) fn at(shares: &[Share], uid: u16) -> Share {
    shares.get(usize::from(uid)).copied().unwrap_or_default()
}

/// Divides many weights by one sum, each by a multiplication.
///
/// With `b` the bits of the sum and `s = 16 + b`, the factor is `ceil(2^(32 + s) / sum)`, at most
/// 2^49: that is `(2^(32 + s) + e) / sum` with `e < sum < 2^b`. A weight `w` below 2^16 then gives
/// `w · 2^32 / sum` plus `w · e / (sum · 2^s) < 1 / sum`, too little to reach the next integer.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Divisor {
    factor: u64,
    shift: u32,
}

impl Divisor {
    /// Of a row of at most 65 535 weights; their sum is below 2^32. A sum of zero divides to zero.
    pub(crate) fn new(sum: u32) -> Self {
        if sum == 0 {
            return Self::default();
        }
        let bits = u32::BITS.saturating_sub(sum.leading_zeros());
        let power = 1u128.wrapping_shl(bits.saturating_add(48));
        let factor = power.div_ceil(u128::from(sum));
        Self { factor: u64::try_from(factor).unwrap_or(u64::MAX), shift: 48u32.saturating_sub(bits) }
    }

    /// `weight / sum`, rounded down.
    pub(crate) fn share(self, weight: u16) -> Share {
        // Shifted left first, so that the high half of the product is the quotient.
        let shifted = u64::from(weight).wrapping_shl(self.shift);
        let wide = u128::from(shifted).wrapping_mul(u128::from(self.factor));
        Share(u64::try_from(wide.wrapping_shr(64)).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests;
