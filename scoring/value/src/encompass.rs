//! Miners that add nothing to a senior one, however far from it they are.
//!
//! A distance cannot tell a copy under noise from an honest model that is equally far away. What can is the game itself:
//! noise adds nothing. Senior s *encompasses* junior j if no mixture of the two predicts better than s alone,
//! max_w mean_t ln(1 − w + w p_jt / p_st) = 0 (forecast encompassing: Chong & Hendry 1986; Harvey, Leybourne & Newbold
//! 1998). Only probabilities of realised tokens enter, so any disguise that keeps to what s knows is seen through.
//!
//! The burden of proof is on the validator. A junior is absorbed only if the upper 99 % end of what it adds is below
//! [`LEAST_ADDED`], over at least [`MIN_TOKENS`] tokens; doubt is in its favour. On the shipped byte models honest pairs
//! add at least .0044 nats per byte, copies under weight noise, rounding or noise on the logits at most .0006
//! (docs/scoring.md). The weaker member of an honest pair may add little, but the *better* one always adds the difference
//! of the losses: a junior that improves on its senior is never absorbed.
//!
//! Invariant: the pay of a miner that is not absorbed does not depend on this module, so what is proper stays proper.

use crate::Game;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a junior must add to be a player of its own, nats per token: between what honest models and copies were seen to.
pub const LEAST_ADDED: f64 = 0.003;

/// Fewest tokens on which a junior is judged. What a weak model adds sits in few tokens; over fewer than these its mean
/// is often below [`LEAST_ADDED`] although the true one is not.
pub const MIN_TOKENS: usize = 4_096;

/// Shares of the junior that are tried. The gain is concave in the share and 0 at 0, so a coarse grid finds its sign.
const SHARES: [f64; 4] = [0.02, 0.05, 0.15, 0.4];

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

/// What `junior` adds to `senior` in a game. The standard error is over documents where the game knows them.
///
/// # Panics
/// If there is no such miner.
#[must_use]
pub fn added(game: &Game, senior: usize, junior: usize) -> Added {
    let ratios: Vec<f64> =
        game.probs(senior).iter().zip(game.probs(junior)).map(|(senior, junior)| junior / senior).collect();
    let found = SHARES.map(|share| gain(&ratios, game.documents(), share));
    let best = |of: fn(&Added) -> f64| found.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
    Added { mean: best(|added| added.mean), high: best(|added| added.high) }
}

/// Index of the miner that is paid in place of each, by the game's clusters and by what they add.
///
/// Clusters come first: a cluster acts as its senior. Of those seniors, by seniority, each is absorbed by the first one
/// before it that encompasses it, and its whole cluster with it. Two miners are never merged through a third.
/// Cost: n²/2 · T · 4 logarithms.
#[must_use]
pub fn absorb(game: &Game, rule: &EncompassRule) -> Vec<usize> {
    let mut seniors = crate::game::seniors(game);
    let leader: BTreeMap<u64, usize> = seniors.iter().map(|&at| (game.clusters()[at], at)).collect();
    let mut paid_by: BTreeMap<usize, usize> = BTreeMap::new();
    let mut players: Vec<usize> = Vec::new();
    seniors.sort_unstable_by_key(|&at| (game.seniority()[at], at));
    for junior in seniors {
        let nothing = |senior: &usize| added(game, *senior, junior).high < rule.least_added;
        let judged = game.tokens() >= rule.min_tokens && rule.least_added > 0.0;
        let by = if judged { players.par_iter().copied().find_first(nothing) } else { None };
        paid_by.insert(junior, by.unwrap_or(junior));
        if by.is_none() {
            players.push(junior);
        }
    }
    game.clusters().iter().map(|cluster| paid_by[&leader[cluster]]).collect()
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
