//! Stacking over the most recent positions.

use super::{OnlineError, check, check_miners};
use crate::em;

/// Most probabilities kept by a window: 32 MiB of f64.
pub const MAX_WINDOW_CELLS: usize = 1 << 22;

/// EM steps per fit. A fit that stops early is a valid, slightly worse set of weights, and the next one goes on from it.
const STEPS_PER_FIT: usize = 300;

/// Optimality that is enough for serving: 1e-6 nats per token.
const TOLERANCE: f64 = 1e-6;

/// Weight below which a miner is lifted before a fit, so that one that was useless can come back.
const REVIVAL: f64 = 1e-4;

/// The last `capacity` positions and the mixture that predicts them best.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    miners: usize,
    capacity: usize,
    /// Ring of positions, each with one probability per miner.
    ring: Vec<Vec<f64>>,
    next: usize,
    weights: Vec<f64>,
}

impl Window {
    /// An empty window with equal weights.
    ///
    /// # Errors
    /// [`OnlineError::Setting`] for no miners, no capacity, or more than [`MAX_WINDOW_CELLS`].
    pub fn new(miners: usize, capacity: usize) -> Result<Self, OnlineError> {
        check_miners(miners)?;
        if capacity == 0 || capacity.saturating_mul(miners) > MAX_WINDOW_CELLS {
            let range = "at least 1 position, at most 2^22 probabilities in all";
            return Err(OnlineError::Setting { what: "window capacity", value: capacity as f64, range });
        }
        Ok(Self { miners, capacity, ring: Vec::new(), next: 0, weights: vec![1.0 / miners as f64; miners] })
    }

    /// Adds a position, dropping the oldest when full.
    ///
    /// # Errors
    /// [`OnlineError`]; nothing is added then.
    pub fn push(&mut self, probs: &[f64]) -> Result<(), OnlineError> {
        check(probs, self.miners)?;
        if self.ring.len() < self.capacity {
            self.ring.push(probs.to_vec());
        } else {
            self.ring[self.next].copy_from_slice(probs);
        }
        self.next = (self.next + 1) % self.capacity;
        Ok(())
    }

    /// Positions held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ring.len()
    }

    /// Whether nothing was added yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// Fits the mixture to the window, starting from the last fit, and returns it. Without positions nothing changes.
    pub fn fit(&mut self) -> &[f64] {
        if !self.ring.is_empty() {
            let tokens = self.ring.len();
            let mut probs = Vec::with_capacity(tokens * self.miners);
            for miner in 0..self.miners {
                probs.extend(self.ring.iter().map(|position| position[miner]));
            }
            let lifted: Vec<f64> = self.weights.iter().map(|weight| weight.max(REVIVAL)).collect();
            let total: f64 = lifted.iter().sum();
            let start = lifted.iter().map(|weight| weight / total).collect();
            self.weights = em::maximise(&probs, tokens, start, TOLERANCE, STEPS_PER_FIT).weights;
        }
        &self.weights
    }

    /// Weights of the last fit, sum 1.
    #[must_use]
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }
}
