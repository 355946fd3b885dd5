//! An epoch's sheets as one [`Matrix`], and what else is read off them.

use acumen_scoring_value::cluster::ClusterError;
use acumen_scoring_value::game::GameError;

use super::{Candidate, Round, ScoreError};
use crate::core::clusters::Measured;
use crate::core::history::Block;
use crate::core::hotkey::Hotkey;
use crate::core::matrix::{Matrix, Seat};
use crate::core::pool::Shapes;
use crate::core::positions::Positions;
use crate::core::sheet::{MAX_SHAPES, Sheet};

/// What the miners gave that answered at all.
pub(super) struct Answers {
    /// Indices of those candidates.
    pub(super) present: Vec<usize>,
    /// One row for each of them.
    pub(super) matrix: Matrix,
}

impl Answers {
    pub(super) fn of(round: &Round<'_>, steps: usize) -> Result<Self, ScoreError> {
        let answered = |candidate: &Candidate| candidate.sheet.as_ref().is_some_and(|s| s.answered() > 0);
        let present: Vec<usize> =
            (0..round.candidates.len()).filter(|&at| answered(&round.candidates[at])).collect();
        if present.is_empty() {
            let asked = round.candidates.iter().filter(|candidate| candidate.sheet.is_some()).count();
            return Err(ScoreError::Void { asked, example: example(round) });
        }
        let truth = |step: usize| round.questions.iter().map(move |question| question.truth[step]);
        let reference: Vec<f64> = (0..steps).flat_map(truth).map(|byte| round.reference.prob(byte)).collect();
        let fill = |&at: &usize| {
            let probs = round.candidates[at].sheet.as_ref().map_or(&[][..], Sheet::probs);
            probs.iter().zip(&reference).map(|(prob, reference)| prob.unwrap_or(*reference)).collect()
        };
        let rows = present.iter().map(fill).collect();
        let miners = present.iter().map(|&at| round.candidates[at].hotkey).collect();
        let matrix = Matrix { miners, rows, reference, documents: round.questions.len() };
        Ok(Self { present, matrix })
    }

    fn sheet<'a>(&self, round: &'a Round<'_>, at: usize) -> Option<&'a Sheet> {
        round.candidates[self.present[at]].sheet.as_ref()
    }

    pub(super) fn measured(&self, round: &Round<'_>) -> Result<Measured, ClusterError> {
        let sheet = |at: usize| Some((round.candidates[self.present[at]].hotkey, self.sheet(round, at)?));
        let sheets: Vec<(Hotkey, &Sheet)> = (0..self.present.len()).filter_map(sheet).collect();
        Measured::new(&sheets, self.matrix.reference.len())
    }

    /// What the epoch measured; `senior` has one entry per candidate.
    pub(super) fn block(&self, round: &Round<'_>, senior: &[usize]) -> Result<Block, GameError> {
        let seat = |&at: &usize| Seat { cluster: senior[at] as u64, senior: senior[at] == at };
        self.matrix.block(round.epoch.get(), &self.present.iter().map(seat).collect::<Vec<_>>())
    }

    /// Held-out positions, in order.
    fn held_out_positions(&self, round: &Round<'_>) -> Vec<usize> {
        let held_out = |position: &usize| round.questions[position % self.matrix.documents].is_held_out();
        (0..self.matrix.reference.len()).filter(held_out).collect()
    }

    /// The positions of held-out documents, for the pool.
    pub(super) fn held_out(&self, round: &Round<'_>) -> Positions {
        let held_out = self.held_out_positions(round);
        let row = |at: usize| {
            let probs = self.sheet(round, at).map_or(&[][..], Sheet::probs);
            held_out.iter().map(|&position| probs[position].map(|prob| prob as f32)).collect()
        };
        Positions {
            reference: held_out.iter().map(|&position| self.matrix.reference[position] as f32).collect(),
            miners: (0..self.present.len())
                .map(|at| (round.candidates[self.present[at]].hotkey, row(at)))
                .collect(),
        }
    }

    /// The whole distributions at the first of those positions, as many as are kept.
    pub(super) fn shapes<'a>(&self, round: &'a Round<'_>) -> Vec<Shapes<'a>> {
        let positions = self.held_out_positions(round).into_iter().take(MAX_SHAPES);
        let shapes = |position: usize| {
            let (step, document) = (position / self.matrix.documents, position % self.matrix.documents);
            let miners = (0..self.present.len()).filter_map(|at| {
                let hotkey = round.candidates[self.present[at]].hotkey;
                Some((hotkey, self.sheet(round, at)?.shape(position)?))
            });
            Shapes { truth: round.questions[document].truth[step], miners: miners.collect() }
        };
        positions.map(shapes).collect()
    }
}

/// The newest fault of some miner: what a person looks at first if nobody answered.
fn example(round: &Round<'_>) -> String {
    let newest = round.candidates.iter().filter_map(|candidate| candidate.sheet.as_ref()?.newest()).next();
    newest.unwrap_or("no miner was asked").to_owned()
}
