//! The composite reward of one evaluation.
//!
//! R_i = α · max(g_i, 0) / Σ max(g, 0) + (1 − α) · max(o_i, 0) / Σ max(o, 0), with g the own gain and o the cluster value
//! ([`crate::game::owen()`]). The first half keeps honest reports optimal, the second pays for what others do not know.
//! Both halves pay only the senior member of a cluster, or copies would collect the first one again and again.
//!
//! Invariants: rewards are ≥ 0 and sum to at most 1; a half whose values are all ≤ 0 is not paid to anyone.

use crate::game::owen::{DEFAULT_PERMUTATIONS, DEFAULT_SEED};
use crate::game::{Game, owen_with, own_gain, seniors};
use serde::{Deserialize, Serialize};

/// Default share of the own gain. At 0.5 the most profitable report was within 0.004 nats of the truth in the cases tried (docs/scoring.md).
pub const DEFAULT_ALPHA: f64 = 0.5;

/// Values of at most this many nats per token are rounding, and are not paid: a field that knows no more than the
/// reference would otherwise be paid by the last bits of its sums.
pub const ROUNDING: f64 = 1e-12;

/// How values become rewards.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RewardRule {
    /// Share of the own gain, 0 to 1; the rest is for the marginal value. Values outside are clamped.
    pub alpha: f64,
    /// Seed of the sampling that is used beyond 20 clusters.
    pub seed: u64,
    /// Orders sampled beyond 20 clusters.
    pub permutations: usize,
}

impl Default for RewardRule {
    fn default() -> Self {
        Self { alpha: DEFAULT_ALPHA, seed: DEFAULT_SEED, permutations: DEFAULT_PERMUTATIONS }
    }
}

/// The parts of a reward, per miner.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Breakdown {
    /// Own gain in nats per token, of every miner: what it would be paid for alone.
    pub own_gain: Vec<f64>,
    /// Cluster value in nats per token; 0 for all but the senior member of a cluster.
    pub marginal: Vec<f64>,
    /// The reward, a share of 1.
    pub reward: Vec<f64>,
}

/// Reward of each miner.
#[must_use]
pub fn composite(game: &Game, rule: &RewardRule) -> Vec<f64> {
    breakdown(game, rule).reward
}

/// Reward of each miner with the values it comes from.
#[must_use]
pub fn breakdown(game: &Game, rule: &RewardRule) -> Breakdown {
    paid(game, owen_with(game, rule.seed, rule.permutations), rule.alpha)
}

/// The reward for cluster values that are known already.
pub(crate) fn paid(game: &Game, marginal: Vec<f64>, alpha: f64) -> Breakdown {
    let own_gain = own_gain(game);
    let mut paid_gain = vec![0.0; game.miners()];
    for senior in seniors(game) {
        paid_gain[senior] = own_gain[senior];
    }
    let reward = combine(&paid_gain, &marginal, alpha);
    Breakdown { own_gain, marginal, reward }
}

/// α · share of `gains` + (1 − α) · share of `marginals`, shares taken over positive values only.
#[must_use]
pub fn combine(gains: &[f64], marginals: &[f64], alpha: f64) -> Vec<f64> {
    let alpha = if alpha.is_nan() { DEFAULT_ALPHA } else { alpha.clamp(0.0, 1.0) };
    let halves = positive_shares(gains).into_iter().zip(positive_shares(marginals));
    halves.map(|(gain, marginal)| alpha * gain + (1.0 - alpha) * marginal).collect()
}

/// max(x, 0) / Σ max(x, 0), or all zero; rounding and what is not finite count as 0.
fn positive_shares(values: &[f64]) -> Vec<f64> {
    let paid = |value: f64| if value > ROUNDING && value.is_finite() { value } else { 0.0 };
    let total: f64 = values.iter().map(|&value| paid(value)).sum();
    let scale = if total > 0.0 { 1.0 / total } else { 0.0 };
    values.iter().map(|&value| paid(value) * scale).collect()
}

#[cfg(test)]
mod tests;
