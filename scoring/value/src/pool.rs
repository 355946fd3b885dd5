//! Opinion pools: one distribution out of many.
//!
//! The linear pool Σ w_i p_i cannot be vetoed: its loss is at most L_i + ln(1/w_i) for every miner i. The geometric
//! pool ∏ p_i^{w_i} / Z has a loss of at most Σ w_i L_i and often predicts better, but one probability near 0 vetoes a
//! token, so it is floored. Value is scored on the linear pool; a gateway serves whichever wins on held-out text.
//! Shapes: `dists[i][id]`, all of one length; the result has that length and sums to 1. Source: docs/scoring.md.

/// Smallest probability the geometric pool takes the logarithm of: one miner of weight w can lower a token by a factor
/// of at most 1e-9^w, instead of to zero.
pub const GEOMETRIC_FLOOR: f64 = 1e-9;

/// Σ w_i p_i, normalised. Weights are scaled to sum 1; if none is positive they count as equal.
///
/// # Panics
/// If there is no distribution, or lengths differ.
#[must_use]
pub fn linear(dists: &[&[f64]], weights: &[f64]) -> Vec<f64> {
    let shares = shares(dists, weights);
    let mut pooled = vec![0.0; dists[0].len()];
    for (dist, share) in dists.iter().zip(shares) {
        for (sum, &prob) in pooled.iter_mut().zip(*dist) {
            *sum += share * prob;
        }
    }
    normalise(&mut pooled);
    pooled
}

/// ∏ max(p_i, floor)^{w_i} / Z, with [`GEOMETRIC_FLOOR`]. Weights as in [`linear`].
///
/// # Panics
/// If there is no distribution, or lengths differ.
#[must_use]
pub fn geometric(dists: &[&[f64]], weights: &[f64]) -> Vec<f64> {
    let shares = shares(dists, weights);
    let mut pooled = vec![0.0; dists[0].len()];
    for (dist, share) in dists.iter().zip(shares) {
        for (sum, &prob) in pooled.iter_mut().zip(*dist) {
            *sum += share * prob.max(GEOMETRIC_FLOOR).ln();
        }
    }
    let top = pooled.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    for log in &mut pooled {
        *log = (*log - top).exp();
    }
    normalise(&mut pooled);
    pooled
}

/// Checks the shapes and scales the weights to sum 1.
fn shares(dists: &[&[f64]], weights: &[f64]) -> Vec<f64> {
    assert!(!dists.is_empty(), "a pool needs at least one distribution");
    assert_eq!(dists.len(), weights.len(), "one weight per distribution");
    assert!(dists.iter().all(|dist| dist.len() == dists[0].len()), "distributions of one vocabulary");
    let usable = |weight: f64| if weight.is_finite() { weight.max(0.0) } else { 0.0 };
    let total: f64 = weights.iter().map(|&weight| usable(weight)).sum();
    if total > 0.0 && total.is_finite() {
        weights.iter().map(|&weight| usable(weight) / total).collect()
    } else {
        vec![1.0 / dists.len() as f64; dists.len()]
    }
}

/// Scales to sum 1; mass of 0 becomes uniform.
fn normalise(probs: &mut [f64]) {
    let total: f64 = probs.iter().sum();
    if total > 0.0 && total.is_finite() {
        probs.iter_mut().for_each(|prob| *prob /= total);
    } else {
        let each = 1.0 / probs.len() as f64;
        probs.fill(each);
    }
}

#[cfg(test)]
mod tests;
