//! One epoch of Yuma consensus: weights in, consensus, shares, bonds and emission out.
//!
//! The order of steps is that of `epoch_mechanism` in `opentensor/subtensor@14bc6f9f`
//! (`pallets/subtensor/src/epoch/run_epoch.rs`), the sparse path that runs in production. Time and
//! memory grow linearly in neurons plus entries (medians: `m log m` in the entries of a column).

mod bonds;
mod consensus;
mod curve;
mod dividends;
mod payout;
mod stake;
mod weights;

use crate::fixed::{Fix, normalize, proportion, to_u16};
use crate::{EpochInput, EpochOutput, Error, Params, SparseRows};
use bonds::{BondRow, OldBonds, Targets};
use stake::Stake;
use weights::Weights;

/// Runs one epoch. Pure: the same arguments give the same bytes, whatever the number of threads.
///
/// # Errors
/// Shapes that do not fit together or parameters out of range; see [`Error`]. Stakes of zero, no
/// weights, one neuron or none are not errors: they have a defined result.
pub fn epoch(params: &Params, input: &EpochInput) -> Result<EpochOutput, Error> {
    params.check()?;
    input.check()?;
    let stake = Stake::new(params, input);
    let weights = Weights::new(params, input, &stake.permits);
    let (consensus, mut incentive) =
        consensus::consensus_and_ranks(&weights, &stake.validating, proportion(params.kappa));
    normalize(&mut incentive);
    let trust = weights.trust(&consensus);

    let targets = Targets::new(&weights, &consensus, params.bonds_penalty);
    let old = OldBonds::new(params, input);
    let (bonds, dividends) = if params.yuma3 {
        dividends::yuma3(params, &targets, &old, &incentive, &stake.validating)
    } else {
        dividends::original(params, &targets, &old, &incentive, &stake.validating)
    };

    let pay = payout::Payout::new(&incentive, &dividends, &stake, input.emission);
    Ok(EpochOutput {
        bonds: stored_bonds(&bonds, &stake.next_permits),
        consensus: stored(&consensus),
        incentive: stored(&incentive),
        dividends: stored(&dividends),
        validator_trust: stored(&trust),
        stake_weight: stored(&stake.normalized),
        active: stake.active,
        validator_permits: stake.next_permits,
        server_emission: pay.server,
        validator_emission: pay.validator,
        emission: pay.combined,
    })
}

fn stored(xs: &[Fix]) -> Vec<u16> {
    xs.iter().map(|&x| to_u16(x)).collect()
}

/// Only validators of the next epoch keep bonds.
fn stored_bonds(rows: &[BondRow], keep: &[bool]) -> SparseRows {
    let kept = || rows.iter().zip(keep);
    let entries = kept().filter(|&(_, &keep)| keep).map(|(row, _)| row.len()).sum();
    let mut built = SparseRows::with_capacity(rows.len(), entries);
    for (row, &keep) in kept() {
        built.push_row(row.iter().filter(|_| keep).map(|(j, b)| (j, to_u16(b))));
    }
    built
}

/// What the vectors of single functions run.
#[cfg(all(test, feature = "case"))]
pub(crate) mod internals {
    pub(crate) use super::bonds::{clip, interpolate};
    pub(crate) use super::consensus::median_of as median;
    pub(crate) use super::curve::exp;
    pub(crate) use super::dividends::capped_average;
    pub(crate) use super::stake::top_k;
}

#[cfg(test)]
mod tests;
