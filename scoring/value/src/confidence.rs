//! How sure a score is: bootstrap over documents.
//!
//! Tokens of one document are correlated, so whole documents are drawn with replacement and the mean per token is taken
//! over what was drawn. The 95 % interval is the percentile interval, its arms widened by t_{D−2}/z · √(D/(D−1)) for D
//! documents: the plain one is too narrow for few documents (Hesterberg 2015), and a mean per token estimates two sums,
//! hence D−2. Fewer than three documents say nothing about others: their interval is infinite.
//!
//! Every value of a game is a mean over tokens (v is one, and all values are linear in v), so each has an exact value
//! per document, and the interval of a marginal value needs no re-evaluation per draw: [`per_document`].

use crate::game::{Game, owen_with, own_gain};
use crate::reward::RewardRule;
use crate::seeded::Seeded;
use crate::student::{Z_95, t_95};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Default number of draws: the ends of the interval move by about 1 % of its width between seeds.
pub const DEFAULT_RESAMPLES: usize = 2_000;

/// Most draws, so that a configuration cannot stall an epoch.
pub const MAX_RESAMPLES: usize = 100_000;

/// Allowance for the draws being finitely many and documents not normal: without it coverage is .948 to .951.
const MARGIN: f64 = 1.05;

/// Fewest documents of a finite interval.
pub const MIN_DOCUMENTS: usize = 3;

/// A mean and where it could as well be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Mean per token.
    pub mean: f64,
    /// Lower end, 95 %; −∞ for fewer than three documents.
    pub low: f64,
    /// Upper end, 95 %; +∞ for fewer than three documents.
    pub high: f64,
    /// Documents it rests on.
    pub documents: usize,
}

/// Mean of a score over the tokens of one document.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Document {
    /// Mean per token.
    pub mean: f64,
    /// Number of tokens.
    pub tokens: usize,
}

/// Interval of the mean of per-token `values` whose documents are `documents`.
///
/// Deterministic in `seed`. Without values the mean is 0 and the interval infinite.
///
/// # Panics
/// If the lengths differ.
#[must_use]
pub fn bootstrap(values: &[f64], documents: &[u64], seed: u64, resamples: usize) -> Interval {
    assert_eq!(values.len(), documents.len(), "one document per value");
    let mut sums: BTreeMap<u64, (f64, usize)> = BTreeMap::new();
    for (&value, &document) in values.iter().zip(documents) {
        let entry = sums.entry(document).or_default();
        entry.0 += value;
        entry.1 += 1;
    }
    let groups: Vec<Document> =
        sums.into_values().map(|(sum, tokens)| Document { mean: sum / tokens as f64, tokens }).collect();
    bootstrap_documents(&groups, seed, resamples)
}

/// Interval of the mean per token from means per document.
#[must_use]
pub fn bootstrap_documents(groups: &[Document], seed: u64, resamples: usize) -> Interval {
    let count = groups.len();
    let mean = token_mean(groups.iter());
    if count < MIN_DOCUMENTS {
        return Interval { mean, low: f64::NEG_INFINITY, high: f64::INFINITY, documents: count };
    }
    let mut rng = Seeded::new(seed, 0);
    let mut draws: Vec<f64> = (0..resamples.clamp(1, MAX_RESAMPLES))
        .map(|_| {
            let picks: Vec<usize> = (0..count).map(|_| rng.below(count)).collect();
            token_mean(picks.into_iter().map(|at| &groups[at]))
        })
        .collect();
    draws.sort_unstable_by(f64::total_cmp);
    let size = count as f64;
    let widen = MARGIN * t_95(count - 2) / Z_95 * (size / (size - 1.0)).sqrt();
    let low = mean - widen * (mean - quantile(&draws, 0.025));
    let high = mean + widen * (quantile(&draws, 0.975) - mean);
    Interval { mean, low, high, documents: count }
}

/// Own gain and marginal value of each miner, with intervals.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Intervals {
    /// Own gain of each miner.
    pub own_gain: Vec<Interval>,
    /// Cluster value of each miner; exactly 0 for juniors.
    pub marginal: Vec<Interval>,
}

/// Intervals of a game's values. Without documents every token counts as a document of its own.
#[must_use]
pub fn intervals(game: &Game, rule: &RewardRule, seed: u64, resamples: usize) -> Intervals {
    let parts = per_document(game);
    let marginals: Vec<Vec<f64>> =
        parts.iter().map(|part| owen_with(part, rule.seed, rule.permutations)).collect();
    let gains: Vec<Vec<f64>> = parts.iter().map(own_gain).collect();
    let spread = |values: &[Vec<f64>]| spread(game, &parts, values, seed, resamples);
    Intervals { own_gain: spread(&gains), marginal: spread(&marginals) }
}

/// Intervals of the own gain alone, which are cheap for any number of miners. Documents as in [`intervals`].
#[must_use]
pub fn own_gain_intervals(game: &Game, seed: u64, resamples: usize) -> Vec<Interval> {
    let parts = per_document(game);
    let gains: Vec<Vec<f64>> = parts.iter().map(own_gain).collect();
    spread(game, &parts, &gains, seed, resamples)
}

/// The interval of each miner from its values per document.
fn spread(game: &Game, parts: &[Game], values: &[Vec<f64>], seed: u64, resamples: usize) -> Vec<Interval> {
    let of = |miner: usize| {
        let document =
            |(part, values): (&Game, &Vec<f64>)| Document { mean: values[miner], tokens: part.tokens() };
        let groups: Vec<Document> = parts.iter().zip(values).map(document).collect();
        bootstrap_documents(&groups, seed, resamples)
    };
    (0..game.miners()).map(of).collect()
}

/// The game of each document, by ascending document. Values of the whole are their means, weighted by tokens.
#[must_use]
pub fn per_document(game: &Game) -> Vec<Game> {
    let mut columns: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for token in 0..game.tokens() {
        let document = game.documents().map_or(token as u64, |documents| documents[token]);
        columns.entry(document).or_default().push(token);
    }
    columns.into_values().map(|tokens| game.at(&tokens)).collect()
}

fn token_mean<'a>(groups: impl Iterator<Item = &'a Document>) -> f64 {
    let (sum, tokens) = groups.fold((0.0, 0usize), |(sum, tokens), group| {
        (sum + group.mean * group.tokens as f64, tokens + group.tokens)
    });
    if tokens == 0 { 0.0 } else { sum / tokens as f64 }
}

/// Linear interpolation between order statistics.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let below = at.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (at - below as f64) * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests;
