//! The arithmetic of an epoch: `I32F32` exactly as `substrate-fixed` 0.6.0 computes it, only faster.
//!
//! Nearly every operand is a proportion (raw value at most 2^32). For those a division fits one
//! 64-bit machine division (the rest falls back to the library) and a product one widening
//! multiplication. The tests hold both to the library's bits.

use substrate_fixed::types::I32F32;

/// A number with 32 integer and 32 fractional bits.
pub(crate) type Fix = I32F32;

/// Fractional bits.
const FRACTION: u32 = 32;

/// Raw value of one.
pub(crate) const ONE_BITS: u64 = 0x1_0000_0000;

/// One.
pub(crate) const ONE: Fix = Fix::from_bits(0x1_0000_0000);

/// The largest number.
pub(crate) const GREATEST: Fix = Fix::from_bits(i64::MAX);

/// The least number.
const LEAST: Fix = Fix::from_bits(i64::MIN);

/// Zero.
pub(crate) const ZERO: Fix = Fix::from_bits(0);

/// A raw value, or the largest number where it does not fit.
fn saturating(bits: u128) -> Fix {
    i64::try_from(bits).map_or(GREATEST, Fix::from_bits)
}

/// The raw value of a number that is not negative.
fn raw(x: Fix) -> Option<u64> {
    u64::try_from(x.to_bits()).ok()
}

/// `a · b`, rounded down, saturating.
pub(crate) fn mul(a: Fix, b: Fix) -> Fix {
    let wide = i128::from(a.to_bits()).wrapping_mul(i128::from(b.to_bits()));
    let scaled = wide.wrapping_shr(FRACTION);
    let limit = if scaled < 0 { LEAST } else { GREATEST };
    i64::try_from(scaled).map_or(limit, Fix::from_bits)
}

/// `a / b`, rounded towards zero; zero where `b` is zero or the quotient does not fit.
pub(crate) fn div(a: Fix, b: Fix) -> Fix {
    match (raw(a), raw(b)) {
        (Some(a), Some(b)) if a < ONE_BITS => {
            let quotient = a.wrapping_shl(FRACTION).checked_div(b).unwrap_or(0);
            i64::try_from(quotient).map_or(ZERO, Fix::from_bits)
        }
        (Some(ONE_BITS), Some(b)) => reciprocal(b),
        _ => a.checked_div(b).unwrap_or(ZERO),
    }
}

/// `1 / b` for raw `b`: `floor(2^64 / b)`, whose numerator is one more than 64 bits hold.
fn reciprocal(b: u64) -> Fix {
    let below = u64::MAX.checked_div(b).unwrap_or(0);
    let exact = u64::from(b.is_power_of_two());
    i64::try_from(below.saturating_add(exact)).map_or(ZERO, Fix::from_bits)
}

/// `part / whole` of integers, rounded down; zero where `whole` is zero. `part` is at most `whole`.
pub(crate) fn ratio(part: u64, whole: u64) -> Fix {
    match u32::try_from(part) {
        Ok(part) => {
            let quotient = u64::from(part).wrapping_shl(FRACTION).checked_div(whole);
            saturating(u128::from(quotient.unwrap_or(0)))
        }
        Err(_) => wide_ratio(u128::from(part), u128::from(whole)),
    }
}

/// [`ratio`] of sums that need more than 64 bits; `part` is below 2^96.
pub(crate) fn wide_ratio(part: u128, whole: u128) -> Fix {
    saturating(part.wrapping_shl(FRACTION).checked_div(whole).unwrap_or(0))
}

/// A stored proportion of 65 535.
pub(crate) fn proportion(x: u16) -> Fix {
    ratio(u64::from(x), u64::from(u16::MAX))
}

/// A proportion as stored: `floor(x · 65 535)`, at most 65 535.
pub(crate) fn to_u16(x: Fix) -> u16 {
    mul(x, Fix::from_num(u16::MAX)).saturating_to_num()
}

/// Sum; the callers' terms are proportions, at most 65 535 of them, so it cannot saturate.
pub(crate) fn sum(xs: &[Fix]) -> Fix {
    xs.iter().fold(ZERO, |total, &x| total.saturating_add(x))
}

/// Divides by the sum; leaves zeros alone.
pub(crate) fn normalize(xs: &mut [Fix]) {
    normalize_by(xs, sum(xs));
}

/// Divides by `total` unless that is zero.
pub(crate) fn normalize_by(xs: &mut [Fix], total: Fix) {
    if total != ZERO {
        for x in xs {
            *x = div(*x, total);
        }
    }
}

/// Element `i`, zero beyond the end.
pub(crate) fn at(xs: &[Fix], i: u16) -> Fix {
    xs.get(usize::from(i)).copied().unwrap_or(ZERO)
}

#[cfg(test)]
mod tests;
