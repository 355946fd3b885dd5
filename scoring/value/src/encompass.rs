//! Miners that add nothing to a senior one, however far from it they are.
//!
//! A distance cannot tell a copy under noise from an honest model that is equally far away. What can is the game itself:
//! noise adds nothing. Senior s *encompasses* junior j if no mixture of the two predicts better than s alone,
//! max_w mean_t ln(1 − w + w p_jt / p_st) = 0 (forecast encompassing: Chong & Hendry 1986; Harvey, Leybourne & Newbold
//! 1998). Only probabilities of realised tokens enter, so any disguise that keeps to what s knows is seen through.
//!
//! The burden of proof is on the validator. A junior is absorbed only if the upper 99 % end of what it adds is below
//! [`LEAST_ADDED`], over at least [`MIN_TOKENS`] tokens; doubt is in its favour. On the shipped byte models honest pairs
//! add at least .0042 nats per byte, copies under weight noise, rounding or noise on the logits at most .0005
//! (docs/scoring.md). The weaker member of an honest pair may add little, but the *better* one always adds the difference
//! of the losses: a junior that improves on its senior is never absorbed.
//!
//! Invariant: the pay of a miner that is not absorbed does not depend on this module, so what is proper stays proper.

use crate::Game;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a junior must add to be a player of its own, nats per token: between what honest models (.0042 and more) and
/// copies (.0005 and less) were seen to add, nearer to the copies.
pub const LEAST_ADDED: f64 = 0.002;

/// Fewest tokens on which a junior is judged. What a weak model adds sits in few tokens; over fewer than these it is too
/// often missed. Over 3,072 bytes the weakest honest pair of the shipped models is held back in .9 % of resamples.
pub const MIN_TOKENS: usize = 3_072;

/// Shares of the junior that are tried, the most telling of an honest junior first. The gain is concave in the share and
/// 0 at 0, so a coarse grid finds its sign.
const SHARES: [f64; 4] = [0.05, 0.15, 0.02, 0.4];

/// Standard errors between a mean and the end of its one-sided 99 % interval.
const Z_99: f64 = 2.326;

/// When a junior counts as adding nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EncompassRule {
    /// What it must add, nats per token; 0 or less absorbs nobody.
    pub least_added: f64,
    /// Tokens below which nobody is absorbed.
    pub min_tokens: usize,
}

impl Default for EncompassRule {
    fn default() -> Self {
        Self { least_added: LEAST_ADDED, min_tokens: MIN_TOKENS }
    }
}

/// What a junior adds to a senior in the best of the mixtures tried, nats per token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Added {
    /// Mean gain of the best share.
    pub mean: f64,
    /// Largest upper 99 % end over the shares.
    pub high: f64,
}

/// What `junior` adds to `senior`: probabilities that each gave to the same realised tokens, positive. The standard error
/// is over `documents` where they are known, because tokens of one document move together.
///
/// # Panics
/// If the lengths differ, or there is no token.
#[must_use]
pub fn added(senior: &[f64], junior: &[f64], documents: Option<&[u64]>) -> Added {
    let ratios = ratios(senior, junior);
    let found = SHARES.map(|share| gain(&ratios, documents, share));
    let best = |of: fn(&Added) -> f64| found.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
    Added { mean: best(|added| added.mean), high: best(|added| added.high) }
}

impl EncompassRule {
    /// Whether `junior` adds nothing to `senior`, arguments as in [`added`]; false for too few tokens.
    ///
    /// # Panics
    /// If the lengths differ.
    #[must_use]
    pub fn encompasses(&self, senior: &[f64], junior: &[f64], documents: Option<&[u64]>) -> bool {
        if senior.len() < self.min_tokens.max(1) || self.least_added <= 0.0 {
            return false;
        }
        let ratios = ratios(senior, junior);
        SHARES.iter().all(|&share| gain(&ratios, documents, share).high < self.least_added)
    }
}

/// Index of the miner that is paid in place of each, by the game's clusters and by what they add.
/// Cost: n²/2 · T · 4 logarithms, a quarter of that if all are honest.
#[must_use]
pub fn absorb(game: &Game, rule: &EncompassRule) -> Vec<usize> {
    let leader: BTreeMap<u64, usize> =
        crate::game::seniors(game).into_iter().map(|at| (game.clusters()[at], at)).collect();
    let labels: Vec<usize> = game.clusters().iter().map(|cluster| leader[cluster]).collect();
    settle(&labels, game.seniority(), |senior, junior| {
        rule.encompasses(game.probs(senior), game.probs(junior), game.documents())
    })
}

/// The same for clusters given by `labels` (the index of each miner's senior), seniority numbers `rank` (lowest first,
/// ties by index) and a test `encompasses(senior, junior)`.
///
/// Clusters come first and act as their seniors. Of those, by seniority, each is absorbed by the first one before it that
/// encompasses it, and its whole cluster with it; an absorbed miner absorbs nobody. Two seniors are never merged through
/// a junior, as they would be by linkage.
///
/// # Panics
/// If the lengths differ or a label is out of range.
#[must_use]
pub fn settle(
    labels: &[usize],
    rank: &[u64],
    encompasses: impl Fn(usize, usize) -> bool + Sync,
) -> Vec<usize> {
    assert_eq!(labels.len(), rank.len(), "one seniority number per miner");
    let mut seniors: Vec<usize> = labels.to_vec();
    seniors.sort_unstable_by_key(|&at| (rank[at], at));
    seniors.dedup();
    let mut paid_by: Vec<usize> = (0..labels.len()).collect();
    let mut players: Vec<usize> = Vec::new();
    for junior in seniors {
        match players.par_iter().copied().find_first(|&senior| encompasses(senior, junior)) {
            Some(senior) => paid_by[junior] = senior,
            None => players.push(junior),
        }
    }
    labels.iter().map(|&senior| paid_by[senior]).collect()
}

fn ratios(senior: &[f64], junior: &[f64]) -> Vec<f64> {
    assert_eq!(senior.len(), junior.len(), "the same tokens for both");
    senior.iter().zip(junior).map(|(senior, junior)| junior / senior).collect()
}

/// mean_t ln(1 − w + w r_t) and the end of its interval.
fn gain(ratios: &[f64], documents: Option<&[u64]>, share: f64) -> Added {
    let gains: Vec<f64> = ratios.iter().map(|ratio| (share * (ratio - 1.0)).ln_1p()).collect();
    let count = gains.len() as f64;
    let mean = gains.iter().sum::<f64>() / count;
    let squares: f64 = match documents {
        Some(documents) => {
            let mut sums: BTreeMap<u64, f64> = BTreeMap::new();
            for (gain, document) in gains.iter().zip(documents) {
                *sums.entry(*document).or_default() += gain - mean;
            }
            sums.values().map(|sum| sum * sum).sum()
        }
        None => gains.iter().map(|gain| (gain - mean).powi(2)).sum(),
    };
    Added { mean, high: mean + Z_99 * squares.sqrt() / count }
}

#[cfg(test)]
mod tests;
