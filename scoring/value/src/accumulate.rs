//! Scores over epochs, by samples rather than by epochs.
//!
//! A sample (a scored token) of age a samples has weight 2^(−a/h) for a half-life of h samples. Age counts the miner's
//! own samples, so a miner that was not asked in an epoch keeps its score and its certainty: silence of the validator
//! is not a failure of the miner. (A miner that was asked and did not answer must be given its samples with the score
//! of an empty answer.) Scores are in whatever unit goes in, usually nats per token.

use serde::{Deserialize, Serialize};

/// A running mean that forgets by half-life.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Weighted mean of the samples; 0 before the first.
    pub mean: f64,
    /// Effective number of samples, (Σw)² / Σw² (Kish 1965): never more than were seen, at most 2h/ln 2 in the limit.
    pub n_eff: f64,
    /// Sum of the weights of the samples.
    pub weight: f64,
    /// Samples after which a sample counts half.
    pub half_life: f64,
}

impl Score {
    /// No samples yet. A half-life that is not positive is taken as infinite: nothing is forgotten.
    #[must_use]
    pub fn new(half_life_samples: f64) -> Self {
        let half_life = if half_life_samples > 0.0 { half_life_samples } else { f64::INFINITY };
        Self { mean: 0.0, n_eff: 0.0, weight: 0.0, half_life }
    }

    /// Adds an epoch: the mean of `epoch_n` new samples. Nothing happens for `epoch_n` = 0 or a mean that is not finite.
    ///
    /// The result does not depend on how samples of one mean are cut into epochs.
    pub fn update(&mut self, epoch_mean: f64, epoch_n: u64) {
        if epoch_n == 0 || !epoch_mean.is_finite() {
            return;
        }
        let (fresh, fresh_sq, keep) = self.block(epoch_n as f64);
        let old = self.weight * keep;
        let old_sq = if self.n_eff > 0.0 { old * old / self.n_eff } else { 0.0 };
        self.weight = old + fresh;
        self.mean = (old * self.mean + fresh * epoch_mean) / self.weight;
        self.n_eff = self.weight * self.weight / (old_sq + fresh_sq);
    }

    /// Σ r^a and Σ r^2a over `n` new samples, and r^n, with r = 2^(−1/h).
    fn block(&self, n: f64) -> (f64, f64, f64) {
        let decay = std::f64::consts::LN_2 / self.half_life;
        if decay == 0.0 {
            return (n, n, 1.0);
        }
        let geometric = |rate: f64| (-n * rate).exp_m1() / (-rate).exp_m1();
        (geometric(decay), geometric(2.0 * decay), (-n * decay).exp())
    }
}

#[cfg(test)]
mod tests;
