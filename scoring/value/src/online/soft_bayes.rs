//! Soft-Bayes, with an optional fixed share for drift.

use super::{OnlineError, check, check_miners};

/// Weights that move towards what predicted better than the pool.
#[derive(Debug, Clone, PartialEq)]
pub struct SoftBayes {
    weights: Vec<f64>,
    eta: f64,
    share: f64,
}

impl SoftBayes {
    /// Equal weights for `miners`, learning rate `eta` in (0, 1).
    ///
    /// For a known number T of tokens, √(ln n / (n T)) balances the terms of [`SoftBayes::regret_bound`].
    ///
    /// # Errors
    /// [`OnlineError::Setting`].
    pub fn new(miners: usize, eta: f64) -> Result<Self, OnlineError> {
        check_miners(miners)?;
        if !(eta > 0.0 && eta < 1.0) {
            return Err(OnlineError::Setting { what: "eta", value: eta, range: "above 0 and below 1" });
        }
        Ok(Self { weights: vec![1.0 / miners as f64; miners], eta, share: 0.0 })
    }

    /// After each token, gives `share` of the weight back to all equally, so that a miner that improves is found again
    /// (fixed share, Herbster & Warmuth 1998).
    ///
    /// # Errors
    /// [`OnlineError::Setting`] unless `share` is in [0, 1).
    pub fn with_fixed_share(mut self, share: f64) -> Result<Self, OnlineError> {
        if !(0.0..1.0).contains(&share) {
            return Err(OnlineError::Setting {
                what: "fixed share",
                value: share,
                range: "from 0 to below 1",
            });
        }
        self.share = share;
        Ok(self)
    }

    /// Most nats that all updates so far can have lost to the best fixed mixture in hindsight, whatever the sequence:
    /// ln(n)/η + n ln n + n T ln(1/(1−η)) after `tokens` tokens. Proof in [`crate::online`]. Without a fixed share only.
    #[must_use]
    pub fn regret_bound(&self, tokens: usize) -> f64 {
        let n = self.weights.len() as f64;
        n.ln() / self.eta + n * n.ln() - n * tokens as f64 * (-self.eta).ln_1p()
    }

    /// Current weights, sum 1.
    #[must_use]
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Learns one token; returns the loss of the mixture on it, −ln Σ w_i p_i, in nats.
    ///
    /// # Errors
    /// [`OnlineError`]; nothing is learned then.
    pub fn update(&mut self, probs: &[f64]) -> Result<f64, OnlineError> {
        check(probs, self.weights.len())?;
        let mixed: f64 = self.weights.iter().zip(probs).map(|(weight, prob)| weight * prob).sum();
        let each = self.share / self.weights.len() as f64;
        let mut total = 0.0;
        for (weight, prob) in self.weights.iter_mut().zip(probs) {
            *weight *= 1.0 - self.eta + self.eta * prob / mixed;
            *weight = (1.0 - self.share) * *weight + each;
            total += *weight;
        }
        self.weights.iter_mut().for_each(|weight| *weight /= total);
        Ok(-mixed.ln())
    }
}
