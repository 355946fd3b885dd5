//! How much is minted, and how a payout is divided: integers only, conserved to the last base unit.
//!
//! Rounding rule, everywhere: floors first, and what they leave is placed by a stated rule, never
//! lost. Source of the curve and shares: `opentensor/subtensor@14bc6f9f`
//! (`coinbase/block_emission.rs`, `coinbase/run_coinbase.rs`).

/// The supply that emission approaches, in base units: 21 million tokens of 10^9.
pub const MAX_SUPPLY: u64 = 21_000_000_000_000_000;

/// Base units minted per block while less than half the supply is issued: one token.
pub const INITIAL_BLOCK_EMISSION: u64 = 1_000_000_000;

/// The owner's part of a track's emission, of 65 535: 18 %.
pub const OWNER_CUT: u16 = 11_796;

/// The largest (and default) take of a delegate, of 65 535: 18 %.
pub const MAX_TAKE: u16 = 11_796;

/// A division that has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EmissionError {
    /// There is an amount and nobody to give it to.
    #[error("{total} base units and no shares: name at least one holder with a share above zero")]
    NoShares {
        /// Base units to divide.
        total: u64,
    },
}

/// Base units minted by a block when `issuance` base units exist: halves each time the rest of the
/// supply has halved (at 1/2, 3/4, 7/8 … of it), and is zero once all is issued.
///
/// `floor(log2(1 / (1 - issuance / max)))` computed exactly; upstream rounds the logarithm.
#[must_use]
pub fn block_emission(issuance: u64) -> u64 {
    halved_emission(INITIAL_BLOCK_EMISSION, MAX_SUPPLY, issuance)
}

/// [`block_emission`] of another token: `initial` per block at first, `max` in all.
#[must_use]
pub fn halved_emission(initial: u64, max: u64, issuance: u64) -> u64 {
    let rest = max.saturating_sub(issuance);
    let halvings = max.checked_div(rest).and_then(u64::checked_ilog2);
    let emission = halvings.and_then(|k| initial.checked_shr(k)).unwrap_or(0);
    emission.min(rest)
}

/// A track's emission in its three parts; they sum to the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochSplit {
    /// The owner's cut.
    pub owner: u64,
    /// Miners' half of the rest, rounded down.
    pub servers: u64,
    /// Validators' half of the rest, with the odd unit.
    pub validators: u64,
}

/// Splits `total` base units: the owner `floor(total · owner_cut / 65 535)`, miners the smaller half
/// of the rest, validators what remains. With [`OWNER_CUT`]: 18 / 41 / 41.
#[must_use]
pub fn split_epoch(total: u64, owner_cut: u16) -> EpochSplit {
    let owner = fraction(total, owner_cut);
    let rest = total.saturating_sub(owner);
    let servers = rest.checked_div(2).unwrap_or(0);
    EpochSplit { owner, servers, validators: rest.saturating_sub(servers) }
}

/// Divides `total` in proportion to `shares` so that the parts sum to `total`: floors, then one unit
/// each to the largest remainders, lower index first among equals.
///
/// # Errors
/// All shares are zero while `total` is not.
pub fn largest_remainder(total: u64, shares: &[u64]) -> Result<Vec<u64>, EmissionError> {
    let whole: u128 = shares.iter().map(|&share| u128::from(share)).sum();
    if whole == 0 {
        return match total {
            0 => Ok(vec![0; shares.len()]),
            _ => Err(EmissionError::NoShares { total }),
        };
    }
    let mut parts = Vec::with_capacity(shares.len());
    let mut remainders = Vec::with_capacity(shares.len());
    for (i, &share) in shares.iter().enumerate() {
        // 64 by 64 bits: cannot wrap in 128.
        let product = u128::from(total).wrapping_mul(u128::from(share));
        let part = product.checked_div(whole).unwrap_or(0);
        parts.push(u64::try_from(part).unwrap_or(total));
        let remainder = product.checked_rem(whole).unwrap_or(0);
        remainders.push((std::cmp::Reverse(remainder), i));
    }
    let paid = parts.iter().fold(0u64, |sum, &p| sum.saturating_add(p));
    let left = usize::try_from(total.saturating_sub(paid)).unwrap_or(usize::MAX);
    remainders.sort_unstable();
    for &(_, i) in remainders.iter().take(left) {
        if let Some(part) = parts.get_mut(i) {
            *part = part.saturating_add(1);
        }
    }
    Ok(parts)
}

/// A validator's payout between the delegate and those who staked with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelegatePayout {
    /// The delegate's take, before its own part as a staker.
    pub take: u64,
    /// Base units per staker, in the order given.
    pub stakers: Vec<u64>,
}

/// Splits `amount`: the delegate takes `floor(amount · take / 65 535)`, stakers (the delegate's own
/// stake among them) share the rest by [`largest_remainder`]. Without any share all is the take.
#[must_use]
pub fn pay_delegators(amount: u64, take: u16, shares: &[u64]) -> DelegatePayout {
    let taken = fraction(amount, take);
    match largest_remainder(amount.saturating_sub(taken), shares) {
        Ok(stakers) => DelegatePayout { take: taken, stakers },
        Err(EmissionError::NoShares { .. }) => {
            DelegatePayout { take: amount, stakers: vec![0; shares.len()] }
        }
    }
}

/// `floor(amount · part / 65 535)`.
fn fraction(amount: u64, part: u16) -> u64 {
    let product = u128::from(amount).wrapping_mul(u128::from(part));
    let quotient = product.checked_div(u128::from(u16::MAX)).unwrap_or(0);
    u64::try_from(quotient).unwrap_or(amount)
}

#[cfg(test)]
mod tests;
