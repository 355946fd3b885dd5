//! New bonds and the dividends they earn (step 11), in both forms of Yuma.

use rayon::prelude::*;

use super::bonds::{BondRow, OldBonds, Targets};
use super::curve::Curve;
use crate::Params;
use crate::fixed::{Fix, ONE, ZERO, at, div, mul, normalize, proportion, ratio};

/// Yuma 3: a bond is an absolute proportion that follows the weight; stake counts in the dividend.
pub(super) fn yuma3(
    params: &Params,
    targets: &Targets<'_>,
    old: &OldBonds<'_>,
    incentive: &[Fix],
    stake: &[Fix],
) -> (Vec<BondRow>, Vec<Fix>) {
    let agreed = targets.consensus.iter().any(|&c| c != ZERO);
    let curve = params.liquid_alpha.filter(|_| agreed).map(Curve::new);
    let alpha = fresh_share(params);
    let rows = per_row(targets.n(), |i| match &curve {
        Some(curve) => follow_liquid(targets, old, curve, i),
        None => follow(alpha, targets, old, i),
    });
    let totals = column_sums(&rows, targets.n());
    let mut dividends: Vec<Fix> = rows
        .par_iter()
        .zip(stake)
        .map(|(row, &stake)| {
            let earned = row.iter().fold(ZERO, |sum, (j, bond)| {
                let share = at(incentive, j);
                if share == ZERO {
                    return sum;
                }
                sum.saturating_add(mul(div(bond, at(&totals, j)), share))
            });
            mul(earned, stake)
        })
        .collect();
    normalize(&mut dividends);
    (rows, dividends)
}

/// The form before Yuma 3: columns of bonds sum to one, new bonds are weight times stake.
pub(super) fn original(
    params: &Params,
    targets: &Targets<'_>,
    old: &OldBonds<'_>,
    incentive: &[Fix],
    stake: &[Fix],
) -> (Vec<BondRow>, Vec<Fix>) {
    let alpha = fresh_share(params);
    let keep = ONE.saturating_sub(alpha);
    let stored = stored_sums(old, targets.n());
    let bought = bought_sums(targets, stake);
    let mut rows = per_row(targets.n(), |i| {
        let stake = stake.get(i).copied().unwrap_or(ZERO);
        let capacity = targets.row_capacity(i).saturating_add(old.row_capacity(i));
        BondRow::merge(capacity, targets.row(i), old.row(i), |j, new, bond| {
            let new = new.map_or(ZERO, |w| div(mul(w, stake), at(&bought, j)));
            let total = stored.get(usize::from(j)).copied().unwrap_or(0);
            let bond = bond.map_or(ZERO, |b| ratio(u64::from(b), total));
            mul(alpha, new).saturating_add(mul(keep, bond))
        })
    });
    let totals = column_sums(&rows, targets.n());
    rows.par_iter_mut().for_each(|row| row.update(|j, bond| div(bond, at(&totals, j))));
    let mut dividends: Vec<Fix> = rows
        .par_iter()
        .map(|row| row.iter().fold(ZERO, |sum, (j, bond)| sum.saturating_add(mul(bond, at(incentive, j)))))
        .collect();
    normalize(&mut dividends);
    let largest = column_maxima(&rows, targets.n());
    rows.par_iter_mut().for_each(|row| row.update(|j, bond| div(bond, at(&largest, j))));
    (rows, dividends)
}

/// The share of the new bond in the moving average.
fn fresh_share(params: &Params) -> Fix {
    ONE.saturating_sub(ratio(params.bonds_moving_average, 1_000_000))
}

fn per_row(n: usize, row: impl Fn(usize) -> BondRow + Send + Sync) -> Vec<BondRow> {
    (0..n).into_par_iter().map(row).collect()
}

fn follow(alpha: Fix, targets: &Targets<'_>, old: &OldBonds<'_>, i: usize) -> BondRow {
    let keep = ONE.saturating_sub(alpha);
    let capacity = targets.row_capacity(i).saturating_add(old.row_capacity(i));
    BondRow::merge(capacity, targets.row(i), old.row(i), |_, new, bond| {
        let bond = bond.map_or(ZERO, proportion);
        mul(alpha, new.unwrap_or(ZERO)).saturating_add(mul(keep, bond))
    })
}

/// A bond without a present weight falls to zero at once, a weight of zero lets it decay: upstream's
/// sparse path, kept on purpose.
fn follow_liquid(targets: &Targets<'_>, old: &OldBonds<'_>, curve: &Curve, i: usize) -> BondRow {
    let capacity = targets.row_capacity(i);
    BondRow::merge(capacity, targets.row(i), old.row(i), |j, new, bond| {
        let Some(weight) = new else { return ZERO };
        let bond = bond.map_or(ZERO, proportion);
        capped_average(curve.alpha(at(targets.consensus, j), weight, bond), weight, bond)
    })
}

/// `alpha · new + (1 - alpha) · old`, at most one.
pub(crate) fn capped_average(alpha: Fix, new: Fix, old: Fix) -> Fix {
    let kept = mul(ONE.saturating_sub(alpha), old);
    kept.saturating_add(mul(alpha, new)).min(ONE)
}

fn column_sums(rows: &[BondRow], n: usize) -> Vec<Fix> {
    fold_columns(rows, n, |sum, bond| sum.saturating_add(bond))
}

fn column_maxima(rows: &[BondRow], n: usize) -> Vec<Fix> {
    fold_columns(rows, n, Fix::max)
}

fn fold_columns(rows: &[BondRow], n: usize, f: impl Fn(Fix, Fix) -> Fix) -> Vec<Fix> {
    let mut columns = vec![ZERO; n];
    for (j, bond) in rows.iter().flat_map(BondRow::iter) {
        if let Some(cell) = columns.get_mut(usize::from(j)) {
            *cell = f(*cell, bond);
        }
    }
    columns
}

/// Column sums of stored bonds: integers below 2^32, so exact.
fn stored_sums(old: &OldBonds<'_>, n: usize) -> Vec<u64> {
    let mut sums = vec![0u64; n];
    for (j, bond) in (0..n).flat_map(|i| old.row(i)) {
        if let Some(cell) = sums.get_mut(usize::from(j)) {
            *cell = cell.saturating_add(u64::from(bond));
        }
    }
    sums
}

fn bought_sums(targets: &Targets<'_>, stake: &[Fix]) -> Vec<Fix> {
    let mut sums = vec![ZERO; targets.n()];
    for (i, &stake) in stake.iter().enumerate().filter(|&(_, &s)| s > ZERO) {
        for (j, weight) in targets.row(i) {
            if let Some(cell) = sums.get_mut(usize::from(j)) {
                *cell = cell.saturating_add(mul(weight, stake));
            }
        }
    }
    sums
}
