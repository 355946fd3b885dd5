//! Pool weights that follow the stream: for a gateway that must weight miners before it knows who is best.
//!
//! * [`BayesMixture`] weights by posterior. Its regret is at most ln n nats in total against the best *single* miner, on
//!   every prefix; it selects a model and does not learn to mix.
//! * [`SoftBayes`] moves gently (Orseau, Lattimore & Legg 2017): w_i ← w_i (1 − η + η p_i / p̄). It competes with the best
//!   fixed *mixture*: [`SoftBayes::regret_bound`], proved below, on every prefix. Against the best single miner it loses at
//!   most ln(n)/η on every prefix (ln(1 − η + ηx) ≥ η ln x; sum over one miner's updates; its weight stays ≤ 1).
//! * [`Window`] keeps the last positions and fits the mixture to them by EM: the best fixed mixture of the recent past.
//!
//! All take p_i(y), the probability each miner gave to the realised token, which must be in (0, 1]; a missing answer is
//! given as the pool's own probability ([`impute`]), so that it moves nothing.
//!
//! # The bound of Soft-Bayes
//! Let x_i = p_i/p̄ at a token, M = max_i x_i, u any fixed mixture, s = Σ u_i x_i; the regret of the token is ln s.
//! 1. ln(1 − η + ηx) is concave, so on [0, M] it lies above its chord. With y = ηM/(1−η), Σ u_i ln(1 − η + ηx_i) ≥ ln(1−η) +
//!    (s/M) ln(1 + y). Over all s, η ln s less this is largest at s = ηM/ln(1+y); with y/ln(1+y) ≤ 1 + y/2 and −(1−η)
//!    ln(1−η) ≤ η it is at most η ln(1 + y/2). Hence ln s ≤ (1/η) Σ u_i ln(1 − η + ηx_i) + ln(1 + y/2).
//! 2. The first terms telescope to the fall of KL(u‖w), at most ln n for equal first weights. So on every prefix
//!    regret ≤ ln(n)/η + Σ_t ln(1 + ηM_t / (2(1−η))).
//! 3. Each Σ_t ln(1 − η + ηx_it) ≤ ln n, because weights stay ≤ 1. Summed over i, with at least ln(1−η) for all but the
//!    largest: Σ_t ln(1 + ηM_t/(1−η)) ≤ n ln n + n T ln(1/(1−η)). Hence, whatever the sequence,
//!    **regret ≤ ln(n)/η + n ln n + n T ln(1/(1−η))**, of order √(n T ln n) for η = √(ln n / (n T)).

mod bayes;
mod soft_bayes;
mod window;

pub use bayes::BayesMixture;
pub use soft_bayes::SoftBayes;
pub use window::{MAX_WINDOW_CELLS, Window};

/// Why a position was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum OnlineError {
    /// Not one probability per miner.
    #[error("{found} probabilities for {expected} miners")]
    Length {
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// A probability outside (0, 1].
    #[error("miner {miner} gave probability {value}: floor reports to (0, 1]")]
    Probability {
        /// Which miner.
        miner: usize,
        /// What it is.
        value: f64,
    },
    /// No miners, or a setting out of range.
    #[error("{what} is {value}: {range}")]
    Setting {
        /// Which setting.
        what: &'static str,
        /// What it is.
        value: f64,
        /// What it may be.
        range: &'static str,
    },
}

/// Fills in miners that did not answer with the pooled probability of those that did (or with 1 if none did).
#[must_use]
pub fn impute(weights: &[f64], probs: &[Option<f64>]) -> Vec<f64> {
    let answered = weights.iter().zip(probs).filter_map(|(&weight, prob)| prob.map(|prob| (weight, prob)));
    let (mass, mixed) =
        answered.fold((0.0, 0.0), |(mass, mixed), (weight, prob)| (mass + weight, mixed + weight * prob));
    let fallback = if mass > 0.0 { mixed / mass } else { 1.0 };
    probs.iter().map(|prob| prob.unwrap_or(fallback)).collect()
}

fn check(probs: &[f64], expected: usize) -> Result<(), OnlineError> {
    if probs.len() != expected {
        return Err(OnlineError::Length { found: probs.len(), expected });
    }
    match probs.iter().position(|&prob| !(prob.is_normal() && prob > 0.0 && prob <= 1.0)) {
        Some(miner) => Err(OnlineError::Probability { miner, value: probs[miner] }),
        None => Ok(()),
    }
}

fn check_miners(miners: usize) -> Result<(), OnlineError> {
    if (1..=crate::game::MAX_MINERS).contains(&miners) {
        return Ok(());
    }
    Err(OnlineError::Setting { what: "number of miners", value: miners as f64, range: "1 to 4096" })
}

#[cfg(test)]
mod tests;
