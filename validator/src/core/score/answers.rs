//! The matrix of an epoch: what each miner that answered at all gave to the realised bytes.
//!
//! Positions are step-major, as in [`Sheet`]; missing ones hold the reference's probability.

use acumen_scoring_value::cluster::ClusterError;
use acumen_scoring_value::game::{Game, GameError, GameSpec, owen};

use super::{Candidate, Round, ScoreError};
use crate::core::clusters::Measured;
use crate::core::history::Block;
use crate::core::hotkey::Hotkey;
use crate::core::pool::{Positions, Shapes};
use crate::core::sheet::{MAX_SHAPES, Sheet};

/// Probabilities of the realised bytes, of the miners that answered at all.
pub(super) struct Answers {
    /// Indices of those candidates.
    pub(super) present: Vec<usize>,
    /// Of the reference, by position.
    pub(super) reference: Vec<f64>,
    /// Of each present miner, by position, missing ones at the reference.
    pub(super) filled: Vec<Vec<f64>>,
    pub(super) steps: usize,
    pub(super) documents: usize,
}

impl Answers {
    pub(super) fn of(round: &Round<'_>, steps: usize) -> Result<Self, ScoreError> {
        let answered = |candidate: &Candidate| candidate.sheet.as_ref().is_some_and(|s| s.answered() > 0);
        let present: Vec<usize> =
            (0..round.candidates.len()).filter(|&at| answered(&round.candidates[at])).collect();
        if present.is_empty() {
            let asked = round.candidates.iter().filter(|candidate| candidate.sheet.is_some()).count();
            return Err(ScoreError::Void { asked });
        }
        let documents = round.questions.len();
        let truth = |step: usize| round.questions.iter().map(move |question| question.truth[step]);
        let reference: Vec<f64> = (0..steps).flat_map(truth).map(|byte| round.reference.prob(byte)).collect();
        let fill = |&at: &usize| {
            let probs = round.candidates[at].sheet.as_ref().map_or(&[][..], Sheet::probs);
            probs.iter().zip(&reference).map(|(prob, reference)| prob.unwrap_or(*reference)).collect()
        };
        let filled = present.iter().map(fill).collect();
        Ok(Self { present, reference, filled, steps, documents })
    }

    fn sheet<'a>(&self, round: &'a Round<'_>, at: usize) -> Option<&'a Sheet> {
        round.candidates[self.present[at]].sheet.as_ref()
    }

    pub(super) fn measured(&self, round: &Round<'_>) -> Result<Measured, ClusterError> {
        let sheet = |at: usize| Some((round.candidates[self.present[at]].hotkey, self.sheet(round, at)?));
        let sheets: Vec<(Hotkey, &Sheet)> = (0..self.present.len()).filter_map(sheet).collect();
        Measured::new(&sheets, self.reference.len())
    }

    /// Mean gain of each document and marginal value of each senior, in this epoch.
    pub(super) fn block(&self, round: &Round<'_>, senior: &[usize]) -> Result<Block, GameError> {
        let spec = GameSpec {
            probs: self.filled.clone(),
            reference: self.reference.clone(),
            clusters: Some(self.present.iter().map(|&at| senior[at] as u64).collect()),
            // Inside a cluster the senior is first, whatever its index.
            seniority: Some(self.present.iter().map(|&at| u64::from(senior[at] != at)).collect()),
            ..GameSpec::default()
        };
        let values = owen(&Game::new(spec)?);
        let hotkey = |at: usize| round.candidates[self.present[at]].hotkey;
        let paid = (0..self.present.len()).filter(|&at| senior[self.present[at]] == self.present[at]);
        Ok(Block {
            epoch: round.epoch.get(),
            tokens: self.steps,
            documents: self.documents,
            gains: (0..self.present.len()).map(|at| (hotkey(at), self.document_gains(at))).collect(),
            marginals: paid.map(|at| (hotkey(at), values[at])).collect(),
        })
    }

    fn document_gains(&self, at: usize) -> Vec<f64> {
        let gain = |position: usize| (self.filled[at][position] / self.reference[position]).ln();
        let positions = |document: usize| (document..self.reference.len()).step_by(self.documents);
        let mean = |document: usize| positions(document).map(gain).sum::<f64>() / self.steps.max(1) as f64;
        (0..self.documents).map(mean).collect()
    }

    /// Held-out positions, in order.
    fn held_out_positions(&self, round: &Round<'_>) -> Vec<usize> {
        let held_out = |position: &usize| round.questions[position % self.documents].is_held_out();
        (0..self.reference.len()).filter(held_out).collect()
    }

    /// The positions of held-out documents, for the pool.
    pub(super) fn held_out(&self, round: &Round<'_>) -> Positions {
        let held_out = self.held_out_positions(round);
        let row = |at: usize| {
            let probs = self.sheet(round, at).map_or(&[][..], Sheet::probs);
            held_out.iter().map(|&position| probs[position].map(|prob| prob as f32)).collect()
        };
        Positions {
            reference: held_out.iter().map(|&position| self.reference[position] as f32).collect(),
            miners: (0..self.present.len())
                .map(|at| (round.candidates[self.present[at]].hotkey, row(at)))
                .collect(),
        }
    }

    /// The whole distributions at the first of those positions, as many as are kept.
    pub(super) fn shapes<'a>(&self, round: &'a Round<'_>) -> Vec<Shapes<'a>> {
        let positions = self.held_out_positions(round).into_iter().take(MAX_SHAPES);
        let shapes = |position: usize| {
            let (step, document) = (position / self.documents, position % self.documents);
            let miners = (0..self.present.len()).filter_map(|at| {
                let hotkey = round.candidates[self.present[at]].hotkey;
                Some((hotkey, self.sheet(round, at)?.shape(position)?))
            });
            Shapes { truth: round.questions[document].truth[step], miners: miners.collect() }
        };
        positions.map(shapes).collect()
    }
}
