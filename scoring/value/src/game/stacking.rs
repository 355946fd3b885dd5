//! Stacking: the weights of the linear pool that would have predicted best.
//!
//! Two ways to one optimum. [`stacking_exact`] solves it to the last digits by Newton's method. [`stacking_with`] runs EM,
//! w_i ← w_i · mean_t p_it / p̄_t, which raises the likelihood with every step and can be stopped at any: cheap weights
//! that are good enough to serve with, and never give up on anyone entirely. Source: Yao et al. 2018; design of the
//! solvers in the modules `newton` and `em`.

use super::Game;
use crate::{em, newton};

/// Default tolerance of EM's optimality conditions: the likelihood is within 1e-10 nats per token of the best.
pub const STACKING_TOLERANCE: f64 = 1e-10;

/// Weights of highest likelihood, and how far they are from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Stacking {
    /// Mixture weights, one per miner, sum 1.
    pub weights: Vec<f64>,
    /// Bound on what the best weights would gain over these, nats per token: max_i mean_t p_it / p̄_t − 1.
    pub gap: f64,
    /// Steps taken, of Newton's method or of EM.
    pub iterations: usize,
}

/// Weights w on the simplex, one per miner, that maximise Σ_t ln Σ_i w_i p_it; see [`stacking_exact`].
#[must_use]
pub fn stacking(game: &Game) -> Vec<f64> {
    stacking_exact(game).weights
}

/// The mixture of highest likelihood to the last digits, with its certificate.
///
/// Exact copies share one weight equally among them; their sum is what a single one would get, to the bit.
#[must_use]
pub fn stacking_exact(game: &Game) -> Stacking {
    newton::maximise(&game.probs, game.tokens())
}

/// EM from equal weights until the optimality conditions hold within `tolerance`, or for `max_steps`.
#[must_use]
pub fn stacking_with(game: &Game, tolerance: f64, max_steps: usize) -> Stacking {
    let start = vec![1.0 / game.miners() as f64; game.miners()];
    em::maximise(&game.probs, game.tokens(), start, tolerance, max_steps)
}
