//! The Bayes mixture: posterior weights under a uniform prior.

use super::{OnlineError, check, check_miners};

/// Weights proportional to the likelihood of each miner so far.
#[derive(Debug, Clone, PartialEq)]
pub struct BayesMixture {
    /// Log-likelihood of each miner, less the highest.
    scores: Vec<f64>,
}

impl BayesMixture {
    /// Equal weights for `miners`.
    ///
    /// # Errors
    /// [`OnlineError::Setting`] for no miners or too many.
    pub fn new(miners: usize) -> Result<Self, OnlineError> {
        check_miners(miners)?;
        Ok(Self { scores: vec![0.0; miners] })
    }

    /// Current weights, sum 1.
    #[must_use]
    pub fn weights(&self) -> Vec<f64> {
        let likelihoods = self.scores.iter().map(|score| score.exp());
        let total: f64 = likelihoods.clone().sum();
        likelihoods.map(|likelihood| likelihood / total).collect()
    }

    /// Learns one token; returns the loss of the mixture on it, −ln Σ w_i p_i, in nats.
    ///
    /// # Errors
    /// [`OnlineError`]; nothing is learned then.
    pub fn update(&mut self, probs: &[f64]) -> Result<f64, OnlineError> {
        check(probs, self.scores.len())?;
        let mixed: f64 = self.weights().iter().zip(probs).map(|(weight, prob)| weight * prob).sum();
        self.scores.iter_mut().zip(probs).for_each(|(score, prob)| *score += prob.ln());
        let top = self.scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        self.scores.iter_mut().for_each(|score| *score -= top);
        Ok(-mixed.ln())
    }
}
