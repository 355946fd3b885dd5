//! The game of one epoch: what each miner that answered at all gave to each realised token.
//!
//! Positions are step-major (position = step · documents + document); a missing answer holds the reference's probability.

use acumen_scoring_value::game::{Game, GameError, GameSpec, owen};

use super::history::Block;
use super::hotkey::Hotkey;

/// Probabilities of the realised tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// Whose rows they are.
    pub miners: Vec<Hotkey>,
    /// One row per miner.
    pub rows: Vec<Vec<f64>>,
    /// Of the reference.
    pub reference: Vec<f64>,
    /// Documents per step.
    pub documents: usize,
}

/// A row's cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat {
    /// Label.
    pub cluster: u64,
    /// Whether it is the member that is paid.
    pub senior: bool,
}

impl Matrix {
    /// Answers per document.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.reference.len() / self.documents.max(1)
    }

    /// Mean gain of each document and marginal value of each senior; `seats` has one entry per row.
    ///
    /// # Errors
    /// [`GameError`] if the rows make no game.
    pub fn block(&self, epoch: u64, seats: &[Seat]) -> Result<Block, GameError> {
        let spec = GameSpec {
            probs: self.rows.clone(),
            reference: self.reference.clone(),
            clusters: Some(seats.iter().map(|seat| seat.cluster).collect()),
            // Inside a cluster the senior is first, whatever its index.
            seniority: Some(seats.iter().map(|seat| u64::from(!seat.senior)).collect()),
            ..GameSpec::default()
        };
        let values = owen(&Game::new(spec)?);
        let miners = || self.miners.iter().copied().enumerate();
        Ok(Block {
            epoch,
            tokens: self.steps(),
            documents: self.documents,
            gains: miners().map(|(at, hotkey)| (hotkey, self.document_gains(at))).collect(),
            marginals: miners()
                .filter(|(at, _)| seats[*at].senior)
                .map(|(at, hotkey)| (hotkey, values[at]))
                .collect(),
        })
    }

    fn document_gains(&self, row: usize) -> Vec<f64> {
        let gain = |position: usize| (self.rows[row][position] / self.reference[position]).ln();
        let positions = |document: usize| (document..self.reference.len()).step_by(self.documents);
        let mean = |document: usize| positions(document).map(gain).sum::<f64>() / self.steps().max(1) as f64;
        (0..self.documents).map(mean).collect()
    }
}
