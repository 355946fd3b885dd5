//! Pools with shares: how stake, and stake that is being taken off, is held in common.
//!
//! Whole shares change hands for what they are worth, so that nobody draws base units out of a pool, or leaves more than
//! one in it, by many small moves; what rounding leaves belongs to the pool. Invariant: a pool has shares just if it has
//! base units, after any sequence of moves, also if earnings have made a share dearer than a base unit. Width: a share is
//! worth at least 2^-64 base units (it begins at 2^-16, earnings raise it, and a slash stops at this bound), so with an
//! issuance below 2^55 shares stay below 2^119; products that leave 128 bits are divided the long way.

use acumen_protocol::Nacu;

use crate::LedgerError;
use crate::mint::{minus, plus};

/// Shares of the first base unit of a pool: fine enough that rounding costs a staker less than one base unit.
const SHARES_PER_NACU: u128 = 1 << 16;

/// Most shares for each base unit, where a slash stops.
const MAX_SHARES_PER_NACU: u128 = 1 << 64;

/// One million: parts per million.
const MILLION: u128 = 1_000_000;

/// Base units that belong to the holders of shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pool {
    pub(crate) stake: Nacu,
    pub(crate) shares: u128,
}

const fn overflow() -> LedgerError {
    LedgerError::Overflow { what: "shares" }
}

impl Pool {
    /// Worth of `shares`, rounded down; the dust stays with the pool.
    pub(crate) fn worth(&self, shares: u128) -> Nacu {
        let value = mul_div(shares, u128::from(self.stake.get()), self.shares);
        Nacu::new(value.and_then(|(value, _)| u64::try_from(value).ok()).unwrap_or(0))
    }

    /// Sells the most shares that `amount` pays for, perhaps none, and takes what they cost, rounded up. Returns both; the
    /// cost is `amount` itself as long as a share is worth no more than a base unit.
    pub(crate) fn buy(&mut self, amount: Nacu) -> Result<(u128, Nacu), LedgerError> {
        let bought = self.shares_for(amount)?;
        let cost = if self.shares == 0 {
            amount
        } else {
            let cost = mul_div(bought, u128::from(self.stake.get()), self.shares).and_then(rounded_up);
            Nacu::new(cost.and_then(|cost| u64::try_from(cost).ok()).ok_or_else(overflow)?)
        };
        self.put(cost, bought)?;
        Ok((bought, cost))
    }

    /// Adds all of `amount` for as many shares as it pays for, perhaps none: what is left of it belongs to everybody.
    pub(crate) fn earn(&mut self, amount: Nacu) -> Result<u128, LedgerError> {
        let bought = self.shares_for(amount)?;
        self.put(amount, bought)?;
        Ok(bought)
    }

    /// The most shares that `amount` pays for.
    fn shares_for(&self, amount: Nacu) -> Result<u128, LedgerError> {
        let wanted = u128::from(amount.get());
        let bought = if self.shares == 0 {
            wanted.checked_mul(SHARES_PER_NACU)
        } else {
            mul_div(wanted, self.shares, u128::from(self.stake.get())).map(|(bought, _)| bought)
        };
        bought.ok_or_else(overflow)
    }

    fn put(&mut self, amount: Nacu, shares: u128) -> Result<(), LedgerError> {
        self.stake = plus(self.stake, amount, "stake")?;
        self.shares = self.shares.checked_add(shares).ok_or_else(overflow)?;
        Ok(())
    }

    /// Takes out the fewest of the `held` shares that are worth `amount`, which is not above the worth of all of them;
    /// all of them if it is just that. Returns the shares, and all that they are worth: `amount` itself as long as a
    /// share is worth no more than a base unit. Paying less than the worth would let the last holder go with all shares
    /// and leave base units that belong to nobody.
    pub(crate) fn sell(&mut self, held: u128, amount: Nacu) -> Result<(u128, Nacu), LedgerError> {
        let sold = if amount == self.worth(held) {
            held
        } else {
            let cost = mul_div(u128::from(amount.get()), self.shares, u128::from(self.stake.get()));
            cost.and_then(rounded_up).ok_or_else(overflow)?
        };
        Ok((sold, self.redeem(sold)?))
    }

    /// Takes `shares` out with all that they are worth.
    pub(crate) fn redeem(&mut self, shares: u128) -> Result<Nacu, LedgerError> {
        let amount = self.worth(shares);
        self.stake = minus(self.stake, amount, "stake")?;
        self.shares = self.shares.checked_sub(shares).ok_or_else(overflow)?;
        Ok(amount)
    }

    /// Takes `ppm` parts per million from everybody, rounded down; returns the amount. A pool that has shares keeps at
    /// least what their width needs, one base unit or more.
    pub(crate) fn slash(&mut self, ppm: u32) -> Result<Nacu, LedgerError> {
        let stake = u128::from(self.stake.get());
        let (part, _) = mul_div(stake, u128::from(ppm), MILLION).ok_or_else(overflow)?;
        let least = mul_div(self.shares, 1, MAX_SHARES_PER_NACU).and_then(rounded_up).ok_or_else(overflow)?;
        let part = part.min(stake.saturating_sub(least));
        let part = Nacu::new(u64::try_from(part).map_err(|_| overflow())?);
        self.stake = minus(self.stake, part, "stake")?;
        Ok(part)
    }
}

/// A quotient and whether something is left of it, rounded up.
fn rounded_up((quotient, rest): (u128, bool)) -> Option<u128> {
    quotient.checked_add(u128::from(rest))
}

/// `floor(a × b / c)` and whether something is left, exactly; `None` if `c` is zero or above 2^125 (where the long way
/// could overflow), or the result too wide.
fn mul_div(a: u128, b: u128, c: u128) -> Option<(u128, bool)> {
    if let Some(product) = a.checked_mul(b) {
        return Some((product.checked_div(c)?, product.checked_rem(c)? > 0));
    }
    if c > 1 << 125 {
        return None;
    }
    let (whole, part) = (a.checked_div(c)?, a.checked_rem(c)?);
    // part × b / c, one bit of b after the other; the rest stays below c.
    let (mut quotient, mut rest) = (0_u128, 0_u128);
    for bit in (0..u128::BITS).rev() {
        quotient = quotient.checked_mul(2)?;
        rest = rest.checked_mul(2)?;
        if b.checked_shr(bit)? & 1 == 1 {
            rest = rest.checked_add(part)?;
        }
        while let Some(less) = rest.checked_sub(c) {
            rest = less;
            quotient = quotient.checked_add(1)?;
        }
    }
    Some((whole.checked_mul(b)?.checked_add(quotient)?, rest > 0))
}

#[cfg(test)]
mod tests;
