//! Weights of miners out of what several validators report.
//!
//! Invariant: each validator has one voice, whatever the scale of its numbers, and the median decides: a minority of
//! validators that lie cannot move a weight beyond what honest ones say.

use std::collections::BTreeMap;

use acumen_protocol::AccountId;

/// The median over validators of each miner's share in their pools; a miner that a validator does not list has 0 there.
#[must_use]
pub fn median_shares(reports: &[Vec<(AccountId, f64)>]) -> BTreeMap<AccountId, f64> {
    let reports: Vec<BTreeMap<AccountId, f64>> =
        reports.iter().map(|report| shares(report)).filter(|report| !report.is_empty()).collect();
    let mut medians: BTreeMap<AccountId, f64> = BTreeMap::new();
    for hotkey in reports.iter().flat_map(BTreeMap::keys) {
        let of = |report: &BTreeMap<AccountId, f64>| report.get(hotkey).copied().unwrap_or(0.0);
        medians.insert(*hotkey, median(reports.iter().map(of).collect()));
    }
    medians
}

/// One validator's weights scaled to sum 1; what is no positive number counts as 0, all zero as no report.
fn shares(report: &[(AccountId, f64)]) -> BTreeMap<AccountId, f64> {
    let usable = |weight: f64| if weight.is_finite() { weight.max(0.0) } else { 0.0 };
    let total: f64 = report.iter().map(|&(_, weight)| usable(weight)).sum();
    if !(total > 0.0 && total.is_finite()) {
        return BTreeMap::new();
    }
    report.iter().map(|&(hotkey, weight)| (hotkey, usable(weight) / total)).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: AccountId = AccountId([1; 32]);
    const B: AccountId = AccountId([2; 32]);

    #[test]
    fn scale_does_not_matter_and_a_liar_is_outvoted() {
        let honest = vec![(A, 3.0), (B, 1.0)];
        let scaled = vec![(A, 300.0), (B, 100.0)];
        let liar = vec![(B, 1e9)];
        assert_eq!(median_shares(&[honest, scaled, liar])[&A], 0.75);
    }

    #[test]
    fn nonsense_counts_as_nothing() {
        let nonsense = vec![(A, f64::NAN), (B, -1.0)];
        assert!(median_shares(std::slice::from_ref(&nonsense)).is_empty());
        assert_eq!(median_shares(&[nonsense, vec![(A, 1.0), (B, 3.0)]])[&B], 0.75);
    }
}
