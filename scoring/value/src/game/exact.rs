//! Exact Shapley and Banzhaf values from the table of coalitions.
//!
//! Shapley: φ_i = Σ_S |S|!(n−|S|−1)!/n! · (v(S∪i) − v(S)), the only efficient, symmetric, additive value with φ = 0 for a
//! dummy (Shapley 1953). Banzhaf: the plain mean over the 2^(n−1) coalitions without i. Both in nats per token.

use super::{Coalitions, Game, GameError};
use rayon::prelude::*;

impl Coalitions {
    /// Shapley value of each player; sums to the value of the whole.
    #[must_use]
    pub fn shapley(&self) -> Vec<f64> {
        let n = self.players();
        let mut weight = Vec::with_capacity(n);
        let mut choices = 1.0; // C(n−1, s)
        for size in 0..n {
            weight.push(1.0 / (n as f64 * choices));
            choices *= (n - 1 - size) as f64 / (size + 1) as f64;
        }
        self.marginals(&weight)
    }

    /// Banzhaf value of each player.
    #[must_use]
    pub fn banzhaf(&self) -> Vec<f64> {
        let n = self.players();
        let each = 1.0 / (1u64 << n.saturating_sub(1)) as f64;
        self.marginals(&vec![each; n])
    }

    fn marginals(&self, weight: &[f64]) -> Vec<f64> {
        (0..self.players()).into_par_iter().map(|player| self.marginal_sum(player, weight)).collect()
    }
}

/// Exact Shapley value of each miner, 2^n T operations.
///
/// # Errors
/// [`GameError::TooManyPlayers`] beyond [`super::MAX_EXACT`] miners.
pub fn shapley_exact(game: &Game) -> Result<Vec<f64>, GameError> {
    Ok(Coalitions::of(game)?.shapley())
}

/// Exact Banzhaf value of each miner, 2^n T operations.
///
/// # Errors
/// [`GameError::TooManyPlayers`] beyond [`super::MAX_EXACT`] miners.
pub fn banzhaf_exact(game: &Game) -> Result<Vec<f64>, GameError> {
    Ok(Coalitions::of(game)?.banzhaf())
}
