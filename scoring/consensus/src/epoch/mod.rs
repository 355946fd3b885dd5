//! One epoch of Yuma consensus: weights in, consensus, shares, bonds and emission out.
//!
//! The order of steps is that of `epoch_mechanism` in `opentensor/subtensor@14bc6f9f`
//! (`pallets/subtensor/src/epoch/run_epoch.rs`), the sparse path that runs in production. Time and
//! memory grow linearly in neurons plus entries.

mod bonds;
mod consensus;
mod curve;
mod dividends;
mod follow;
mod liquid;
mod median;
mod part;
mod payout;
mod stake;
mod tasks;
mod weights;

use crate::share::{Share, normalize};
use crate::{EpochInput, EpochOutput, Error, Params};
use bonds::{OldBonds, Target};
use follow::Market;
use stake::Stake;
use tasks::Tasks;
use weights::Weights;

/// Runs one epoch. Pure: the same arguments give the same bytes, whatever the number of threads.
///
/// # Errors
/// Shapes that do not fit together or parameters out of range; see [`Error`]. Stakes of zero, no
/// weights, one neuron or none are not errors: they have a defined result.
pub fn epoch(params: &Params, input: &EpochInput) -> Result<EpochOutput, Error> {
    params.check()?;
    input.check()?;
    let entries = |i: usize| input.weights.row_len(i).saturating_add(input.bonds.row_len(i));
    let tasks = Tasks::new(input.neurons.len(), entries);
    let stake = Stake::new(params, input);
    let weights = Weights::new(params, input, &stake.permits, &tasks);
    let kappa = Share::of_u16(params.kappa);
    let (consensus, mut incentive) = consensus::consensus_and_ranks(&weights, &stake.validating, kappa);
    normalize(&mut incentive);

    let market = Market {
        weights: &weights,
        consensus: &consensus,
        target: Target::new(params),
        old: OldBonds::new(params, input),
        tasks: &tasks,
    };
    let dividends = if params.yuma3 { dividends::yuma3 } else { dividends::original };
    let (parts, dividends) = dividends(params, &market, &incentive, &stake.validating);

    let pay = payout::Payout::new(&incentive, &dividends, &stake, input.emission);
    Ok(EpochOutput {
        consensus: stored(&consensus),
        incentive: stored(&incentive),
        dividends: stored(&dividends),
        validator_trust: parts.iter().flat_map(|part| part.trust()).map(|trust| trust.to_u16()).collect(),
        bonds: part::stored(parts, &stake.next_permits),
        stake_weight: stored(&stake.normalized),
        active: stake.active,
        validator_permits: stake.next_permits,
        server_emission: pay.server,
        validator_emission: pay.validator,
        emission: pay.combined,
    })
}

fn stored(shares: &[Share]) -> Vec<u16> {
    shares.iter().map(|share| share.to_u16()).collect()
}

/// What the vectors of single functions run.
#[cfg(all(test, feature = "case"))]
pub(crate) mod internals {
    pub(crate) use super::bonds::{clip, interpolate};
    pub(crate) use super::consensus::median_of as median;
    pub(crate) use super::curve::exp;
    pub(crate) use super::liquid::capped_average;
    pub(crate) use super::stake::top_k;
}

#[cfg(test)]
mod tests;
