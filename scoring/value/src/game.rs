//! The value game of one evaluation: who adds how much to the linear pool.
//!
//! Players are miners. The value of a coalition S is what its pool knows beyond the reference model, in nats per token:
//! v(S) = mean_t [ ln( Σ_{i∈S} w_i p_it / Σ_{i∈S} w_i ) − ln q_t ], v(∅) = 0, where p_it is the probability that miner i
//! gave to the realised token t and q_t that of the reference. Only those numbers enter, so a game is an n × T matrix.
//!
//! | function | what it says | cost |
//! |---|---|---|
//! | [`own_gain`] | v({i}): the miner by itself; strictly proper | n T |
//! | [`loo()`] | v(N) − v(N∖i) | n T |
//! | [`shapley_exact`] | average marginal value over all orders | 2^n T, n ≤ 20 |
//! | [`shapley_sampled`] | the same from sampled orders, with intervals | permutations · n T |
//! | [`banzhaf_exact`] | average marginal value over all coalitions | 2^n T, n ≤ 20 |
//! | [`owen()`] | Shapley of clone clusters, paid to the senior member | as Shapley |
//! | [`stacking()`] | mixture weights of highest likelihood | iterations · n T |
//!
//! Source of the choices: docs/scoring.md.

mod exact;
mod logsum;
mod loo;
pub(crate) mod owen;
mod sampled;
mod spec;
mod stacking;
mod table;

pub use exact::{banzhaf_exact, shapley_exact};
pub use loo::{loo, own_gain, pool_loss};
pub use owen::{owen, owen_with, seniors};
pub use sampled::{Estimate, banzhaf_sampled, shapley_sampled};
pub use spec::{GameError, GameSpec, MAX_CELLS, MAX_MINERS};
pub use stacking::{STACKING_TOLERANCE, Stacking, stacking, stacking_exact, stacking_with};
pub use table::{Coalitions, MAX_EXACT};

use serde::{Deserialize, Serialize};

/// A validated game. Rows are miners, columns are scored tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "GameSpec", into = "GameSpec")]
pub struct Game {
    miners: usize,
    tokens: usize,
    /// n × T, row-major: the probability each miner gave the realised token, from 1e-75 to 1.
    probs: Vec<f64>,
    /// Probability the reference gave the realised token, from 1e-75 to 1.
    reference: Vec<f64>,
    /// Sum 1, each positive.
    weights: Vec<f64>,
    documents: Option<Vec<u64>>,
    /// Defaults to one cluster per miner.
    clusters: Vec<u64>,
    /// Defaults to the miner's index.
    seniority: Vec<u64>,
}

impl Game {
    /// Checks a game.
    ///
    /// # Errors
    /// [`GameError`] names the first thing that is wrong.
    pub fn new(spec: GameSpec) -> Result<Self, GameError> {
        spec::validate(spec)
    }

    /// Number of miners, n.
    #[must_use]
    pub fn miners(&self) -> usize {
        self.miners
    }

    /// Number of scored tokens, T.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Probabilities that `miner` gave the realised tokens.
    ///
    /// # Panics
    /// If there is no such miner.
    #[must_use]
    pub fn probs(&self, miner: usize) -> &[f64] {
        &self.probs[miner * self.tokens..(miner + 1) * self.tokens]
    }

    /// Probabilities that the reference gave the realised tokens.
    #[must_use]
    pub fn reference(&self) -> &[f64] {
        &self.reference
    }

    /// Pool weights, sum 1.
    #[must_use]
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Document of each token, where known; tokens of one document are resampled together.
    #[must_use]
    pub fn documents(&self) -> Option<&[u64]> {
        self.documents.as_deref()
    }

    /// Clone cluster of each miner.
    #[must_use]
    pub fn clusters(&self) -> &[u64] {
        &self.clusters
    }

    /// Seniority number of each miner; the lowest of a cluster is its senior member, ties go to the lower index.
    #[must_use]
    pub fn seniority(&self) -> &[u64] {
        &self.seniority
    }

    /// v(S) in nats per token, straight from the definition.
    ///
    /// # Panics
    /// If a member is not a miner of the game.
    #[must_use]
    pub fn value(&self, members: &[usize]) -> f64 {
        if members.is_empty() {
            return 0.0;
        }
        let weight: f64 = members.iter().map(|&miner| self.weights[miner]).sum();
        let total: f64 = (0..self.tokens)
            .map(|t| {
                let mixed: f64 =
                    members.iter().map(|&miner| self.weights[miner] * self.probs(miner)[t]).sum();
                (mixed / weight).ln() - self.reference[t].ln()
            })
            .sum();
        total / self.tokens as f64
    }

    /// The game among `members` only, with their weights rescaled; clusters and seniority go along.
    ///
    /// # Panics
    /// If a member is not a miner of the game, or there is none.
    #[must_use]
    pub fn restrict(&self, members: &[usize]) -> Self {
        assert!(!members.is_empty(), "a game needs at least one miner");
        let total: f64 = members.iter().map(|&miner| self.weights[miner]).sum();
        Self {
            miners: members.len(),
            tokens: self.tokens,
            probs: members.iter().flat_map(|&miner| self.probs(miner)).copied().collect(),
            reference: self.reference.clone(),
            weights: members.iter().map(|&miner| self.weights[miner] / total).collect(),
            documents: self.documents.clone(),
            clusters: members.iter().map(|&miner| self.clusters[miner]).collect(),
            seniority: members.iter().map(|&miner| self.seniority[miner]).collect(),
        }
    }

    /// The same game with other clusters: `labels[i]` names the cluster of miner i.
    ///
    /// # Panics
    /// If there is not one label per miner.
    #[must_use]
    pub fn regrouped(mut self, labels: &[usize]) -> Self {
        assert_eq!(labels.len(), self.miners, "one label per miner");
        self.clusters = labels.iter().map(|&label| label as u64).collect();
        self
    }

    /// The game at the given `tokens` only.
    ///
    /// # Panics
    /// If a token is not one of the game, or there is none.
    #[must_use]
    pub fn at(&self, tokens: &[usize]) -> Self {
        assert!(!tokens.is_empty(), "a game needs at least one token");
        Self {
            tokens: tokens.len(),
            probs: (0..self.miners).flat_map(|i| tokens.iter().map(move |&t| self.probs(i)[t])).collect(),
            reference: tokens.iter().map(|&t| self.reference[t]).collect(),
            documents: self.documents.as_ref().map(|all| tokens.iter().map(|&t| all[t]).collect()),
            ..self.clone()
        }
    }

    /// w_i p_it, n × T.
    fn weighted(&self) -> Vec<f64> {
        let mut weighted = self.probs.clone();
        for (row, &weight) in weighted.chunks_exact_mut(self.tokens).zip(&self.weights) {
            row.iter_mut().for_each(|prob| *prob *= weight);
        }
        weighted
    }

    /// mean_t ln q_t.
    fn mean_ln_reference(&self) -> f64 {
        logsum::ln_product(&self.reference) / self.tokens as f64
    }
}

#[cfg(test)]
mod tests;
