//! Stacking: the weights of the linear pool that would have predicted best.

use super::Game;
use crate::em;

/// Default tolerance of the optimality conditions: the likelihood is within 1e-10 nats per token of the best.
pub const STACKING_TOLERANCE: f64 = 1e-10;

/// Weights of highest likelihood, and how far they are from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Stacking {
    /// Mixture weights, sum 1.
    pub weights: Vec<f64>,
    /// Bound on what the best weights would gain over these, nats per token.
    pub gap: f64,
    /// Iterations of EM that were run.
    pub iterations: usize,
}

/// Weights w on the simplex that maximise Σ_t ln Σ_i w_i p_it, by EM to [`STACKING_TOLERANCE`].
///
/// Exact copies share one weight equally among them; their sum is what a single one would get.
#[must_use]
pub fn stacking(game: &Game) -> Vec<f64> {
    stacking_with(game, STACKING_TOLERANCE, em::MAX_ITERATIONS).weights
}

/// [`stacking`] with its tolerance and a bound on iterations.
#[must_use]
pub fn stacking_with(game: &Game, tolerance: f64, max_iterations: usize) -> Stacking {
    let start = vec![1.0 / game.miners() as f64; game.miners()];
    em::maximise(&game.probs, game.tokens(), start, tolerance, max_iterations)
}
