//! The collective: whose distributions to mix with which weight, and how well the mixture predicts.
//!
//! Weights are those of the linear pool that would have predicted the recent held-out positions best (EM stacking). They
//! are served, and measured, in the geometric pool, the gateway's default: on the shipped models it gains half as much
//! again over the best miner as the linear one does with the same weights. What the pool is credited with is
//! *prequential*: each epoch is predicted with weights that were fitted on earlier epochs only, and beside it every miner
//! is measured on the same bytes. The first evaluated epoch has no earlier one, so it only fits. A miner that gave no
//! answer is mixed as the reference when weights are fitted (trust is earned), and is left out of the mixture, as a
//! gateway would, when it predicts.

use std::collections::BTreeMap;

use acumen_scoring_value::game::{Game, GameSpec, stacking_with};
use acumen_scoring_value::pool::geometric;
use serde::{Deserialize, Serialize};

use super::hotkey::Hotkey;
use super::positions::{Positions, Window};

/// Tolerance of the fit in nats per byte, and EM steps at most: far below what the window can resolve.
const TOLERANCE: f64 = 1e-6;
const MAX_ITERATIONS: usize = 3_000;

/// Whole distributions at one held-out position, to be pooled as a gateway does.
#[derive(Debug, Clone, PartialEq)]
pub struct Shapes<'a> {
    /// The realised byte.
    pub truth: u8,
    /// Of each miner with a valid answer there.
    pub miners: Vec<(Hotkey, &'a [f32])>,
}

/// Nats and the bytes they were lost on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Loss {
    /// Sum over bytes.
    pub nats: f64,
    /// Number of bytes.
    pub bytes: u64,
}

impl Loss {
    fn add(&mut self, nats: f64) {
        self.nats += nats;
        self.bytes += 1;
    }

    /// Bits per byte; 0 without bytes.
    #[must_use]
    pub fn bits_per_byte(&self) -> f64 {
        if self.bytes == 0 { 0.0 } else { self.nats / self.bytes as f64 / std::f64::consts::LN_2 }
    }
}

/// The pool's memory.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    window: Window,
    /// Fitted on the window; sum 1 over its miners.
    weights: BTreeMap<Hotkey, f64>,
    /// Of the pool, on all epochs after the first.
    collective: Loss,
    /// Of each miner, on the same bytes.
    miners: BTreeMap<Hotkey, Loss>,
    /// Of each miner, on the first epoch; shown until there is another.
    first: BTreeMap<Hotkey, Loss>,
}

impl Pool {
    /// Measures the pool and its miners on an epoch, with the weights fitted before it. `shapes` holds the whole
    /// distributions of the first so many positions; what has none is not measured, for the pool and the miners alike.
    pub fn measure(&mut self, positions: &Positions, shapes: &[Shapes<'_>]) {
        let warm = !self.weights.is_empty();
        let tally = if warm { &mut self.miners } else { &mut self.first };
        for (hotkey, probs) in &positions.miners {
            let loss = tally.entry(*hotkey).or_default();
            for (prob, reference) in probs.iter().zip(&positions.reference).take(shapes.len()) {
                loss.add(-f64::from(prob.unwrap_or(*reference)).ln());
            }
        }
        if warm {
            for (shapes, reference) in shapes.iter().zip(&positions.reference) {
                let pooled = self.pooled(shapes).unwrap_or_else(|| f64::from(*reference));
                self.collective.add(-pooled.ln());
            }
        }
    }

    /// Probability that the geometric pool of the members that answered gives to the realised byte.
    fn pooled(&self, shapes: &Shapes<'_>) -> Option<f64> {
        let members = shapes.miners.iter().filter(|(hotkey, _)| self.weight(hotkey) > 0.0);
        let (weights, dense): (Vec<f64>, Vec<Vec<f64>>) = members
            .map(|(hotkey, shape)| (self.weight(hotkey), shape.iter().map(|&prob| f64::from(prob)).collect()))
            .unzip();
        let rows: Vec<&[f64]> = dense.iter().map(Vec::as_slice).collect();
        if rows.is_empty() {
            return None;
        }
        geometric(&rows, &weights).get(usize::from(shapes.truth)).copied()
    }

    /// Learns an epoch and fits the weights of `members` (those that a gateway may ask) to the window.
    pub fn learn(&mut self, positions: Positions, members: &[Hotkey]) {
        self.window.push(positions);
        if let Some(weights) = self.fit(members) {
            self.weights = members.iter().copied().zip(weights).collect();
        }
    }

    fn fit(&self, members: &[Hotkey]) -> Option<Vec<f64>> {
        let row = |hotkey: &Hotkey| -> Vec<f64> {
            let block = |positions: &Positions| -> Vec<f64> {
                let own = positions.miners.get(hotkey);
                let prob = |(at, reference): (usize, &f32)| {
                    f64::from(own.and_then(|own| own.get(at).copied().flatten()).unwrap_or(*reference))
                };
                positions.reference.iter().enumerate().map(prob).collect()
            };
            self.window.epochs().flat_map(block).collect()
        };
        let reference =
            self.window.epochs().flat_map(|p| p.reference.iter().map(|&q| f64::from(q))).collect();
        let spec = GameSpec { probs: members.iter().map(row).collect(), reference, ..GameSpec::default() };
        // Refused only without members or positions: then the old weights stay.
        Game::new(spec).ok().map(|game| stacking_with(&game, TOLERANCE, MAX_ITERATIONS).weights)
    }

    /// The held-out positions that weights are fitted to.
    #[must_use]
    pub const fn window(&self) -> &Window {
        &self.window
    }

    /// Forgets miners for which `keep` is false.
    pub fn retain(&mut self, keep: impl Fn(&Hotkey) -> bool) {
        self.window.retain(&keep);
        self.miners.retain(|hotkey, _| keep(hotkey));
        self.first.retain(|hotkey, _| keep(hotkey));
    }

    /// Weight that a gateway should give a miner.
    #[must_use]
    pub fn weight(&self, hotkey: &Hotkey) -> f64 {
        self.weights.get(hotkey).copied().unwrap_or(0.0)
    }

    /// Loss of the collective on held-out bytes so far.
    #[must_use]
    pub fn collective(&self) -> Loss {
        self.collective
    }

    /// Loss of one miner on the bytes that the collective was measured on; before there are any, on the first epoch's.
    #[must_use]
    pub fn miner(&self, hotkey: &Hotkey) -> Loss {
        let tally = if self.collective.bytes > 0 { &self.miners } else { &self.first };
        tally.get(hotkey).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
