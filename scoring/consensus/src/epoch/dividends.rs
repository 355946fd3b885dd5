//! New bonds and the dividends they earn (step 11), in both forms of Yuma.

use super::curve::Curve;
use super::follow::{Market, Targets, averaged, shared};
use super::part::{Bonds, Part, maxima, totals};
use super::tasks::{each, each_mut};
use super::{bonds::OldBonds, liquid};
use crate::Params;
use crate::share::{Share, at, normalize};

/// Yuma 3: a bond is an absolute proportion that follows the weight; stake counts in the dividend.
pub(super) fn yuma3(
    params: &Params,
    market: &Market<'_>,
    incentive: &[Share],
    stake: &[Share],
) -> (Vec<Part>, Vec<Share>) {
    let agreed = market.consensus.iter().any(|&c| c > Share::ZERO);
    let curve = params.liquid_alpha.filter(|_| agreed).map(Curve::new);
    let mut parts = match &curve {
        Some(curve) => liquid::followed(market, curve),
        None => averaged(market, fresh_share(params)),
    };
    let totals = totals(&mut parts, market.n());
    let dividends = per_row(&parts, |i, row| {
        let stake = stake.get(i).copied().unwrap_or_default();
        if stake == Share::ZERO {
            return Share::ZERO;
        }
        let earned = row.iter().map(|(j, bond)| match at(incentive, j) {
            Share::ZERO => Share::ZERO,
            share => bond.over(at(&totals, j)).times(share),
        });
        earned.sum::<Share>().times(stake)
    });
    (parts, dividends)
}

/// The form before Yuma 3: columns of bonds sum to one, new bonds are weight times stake.
pub(super) fn original(
    params: &Params,
    market: &Market<'_>,
    incentive: &[Share],
    stake: &[Share],
) -> (Vec<Part>, Vec<Share>) {
    let n = market.n();
    let (bought, held) = (bought_sums(market, stake), held_sums(&market.old, n));
    let mut parts = shared(market, fresh_share(params), stake, &bought, &held);
    let totals = totals(&mut parts, n);
    each_mut(&mut parts, |part| part.update(|j, bond| bond.over(at(&totals, j))));
    let dividends = per_row(&parts, |_, row| row.iter().map(|(j, bond)| bond.times(at(incentive, j))).sum());
    let largest = maxima(&parts, n);
    each_mut(&mut parts, |part| part.update(|j, bond| bond.over(at(&largest, j))));
    (parts, dividends)
}

/// The share of the new bond in the moving average.
fn fresh_share(params: &Params) -> Share {
    Share::ONE.minus(Share::of(u128::from(params.bonds_moving_average), 1_000_000))
}

/// What `earned` makes of each row, normalised.
fn per_row(parts: &[Part], earned: impl Fn(usize, Bonds<'_>) -> Share + Send + Sync) -> Vec<Share> {
    let rows = each(parts, |part| part.rows().map(|(i, row)| earned(i, row)).collect::<Vec<_>>());
    let mut all = rows.concat();
    normalize(&mut all);
    all
}

/// Column sums of stored bonds: integers below 2^32.
fn held_sums(old: &OldBonds<'_>, n: usize) -> Vec<u64> {
    let mut sums = vec![0u64; n];
    for (j, bond) in (0..n).flat_map(|i| old.row(i)) {
        if let Some(cell) = sums.get_mut(usize::from(j)) {
            *cell = cell.saturating_add(u64::from(bond));
        }
    }
    sums
}

fn bought_sums(market: &Market<'_>, stake: &[Share]) -> Vec<Share> {
    let mut sums = vec![Share::ZERO; market.n()];
    let mut targets = Targets::new();
    for (i, &stake) in stake.iter().enumerate().filter(|&(_, &s)| s > Share::ZERO) {
        market.targets(i, &mut targets);
        for &(j, weight) in &targets {
            if let Some(cell) = sums.get_mut(usize::from(j)) {
                *cell = cell.plus(weight.times(stake));
            }
        }
    }
    sums
}
