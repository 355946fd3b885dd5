//! The price of a slot: decays with a half-life every block, multiplies after each registration,
//! stays within bounds.
//!
//! Prices in base units. Source: `opentensor/subtensor@14bc6f9f` (`subnets/registration.rs`,
//! `utils/misc.rs`); the per-block factor is the same Q32 number.

/// One in Q32.
const ONE_Q32: u64 = 0x1_0000_0000;

/// One half in Q32.
const HALF_Q32: u64 = 0x8000_0000;

/// Parts per million in one.
const PPM: u128 = 1_000_000;

/// A price rule that cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationError {
    /// The bounds are the wrong way round.
    #[error("minimum price {min} is above maximum {max}: swap them")]
    Bounds {
        /// Lower bound, base units.
        min: u64,
        /// Upper bound, base units.
        max: u64,
    },
    /// A registration would make the next one cheaper.
    #[error("multiplier of {ppm} ppm is below 1000000: a registration must not lower the price")]
    Multiplier {
        /// The value given, parts per million.
        ppm: u32,
    },
}

/// How the price moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceRule {
    min: u64,
    max: u64,
    multiplier_ppm: u32,
    factor_q32: u64,
}

impl Default for PriceRule {
    /// Upstream's: 0.0005 to 100 tokens, half-life 360 blocks, 1.26 per registration.
    fn default() -> Self {
        Self {
            min: 500_000,
            max: 100_000_000_000,
            multiplier_ppm: 1_260_000,
            factor_q32: decay_factor_q32(360),
        }
    }
}

impl PriceRule {
    /// A rule with bounds in base units, `half_life` in blocks (0: no decay) and the multiplier of a
    /// registration in parts per million.
    ///
    /// # Errors
    /// Bounds the wrong way round, or a multiplier below one.
    pub fn new(min: u64, max: u64, half_life: u16, multiplier_ppm: u32) -> Result<Self, RegistrationError> {
        if min > max {
            return Err(RegistrationError::Bounds { min, max });
        }
        if u128::from(multiplier_ppm) < PPM {
            return Err(RegistrationError::Multiplier { ppm: multiplier_ppm });
        }
        Ok(Self { min, max, multiplier_ppm, factor_q32: decay_factor_q32(half_life) })
    }

    /// The price one block later, rounded down.
    #[must_use]
    pub fn next_block(&self, price: u64) -> u64 {
        mul_q32(price, self.factor_q32).clamp(self.min, self.max)
    }

    /// The price after a successful registration, rounded down.
    ///
    /// Upstream keeps 1.26 in 64 binary places; the floors agree for every price up to 2 million
    /// tokens, 20 000 times its maximum.
    #[must_use]
    pub fn after_registration(&self, price: u64) -> u64 {
        let product = u128::from(price).wrapping_mul(u128::from(self.multiplier_ppm));
        let raised = product.checked_div(PPM).unwrap_or(0);
        u64::try_from(raised).unwrap_or(u64::MAX).clamp(self.min, self.max)
    }
}

/// The per-block factor for a half-life in blocks, in Q32: the largest `f` whose `half_life`-th power
/// is at most one half. Zero blocks: one.
#[must_use]
pub fn decay_factor_q32(half_life: u16) -> u64 {
    if half_life == 0 {
        return ONE_Q32;
    }
    let (mut low, mut high) = (0, ONE_Q32);
    while low < high.saturating_sub(1) {
        let middle = u64::midpoint(low, high);
        if pow_q32(middle, half_life) > HALF_Q32 {
            high = middle;
        } else {
            low = middle;
        }
    }
    low
}

/// `base^exponent` by squaring, each product rounded down. The order of products is part of the bits.
fn pow_q32(base: u64, exponent: u16) -> u64 {
    let (mut result, mut factor, mut left) = (ONE_Q32, base, exponent);
    while left > 0 {
        if left & 1 == 1 {
            result = mul_q32(result, factor);
        }
        factor = mul_q32(factor, factor);
        left = left.wrapping_shr(1);
    }
    result
}

/// `value · factor`, rounded down; the factors are at most one, so it fits.
fn mul_q32(value: u64, factor: u64) -> u64 {
    let product = u128::from(value).wrapping_mul(u128::from(factor));
    u64::try_from(product.wrapping_shr(32)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
