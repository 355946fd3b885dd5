//! What the next step runs: single tokens of running texts first, then chunks of new texts, oldest first.

use super::sequence::{SequenceId, Sequences};
use super::{SHORTEST_PREFIX, STEP_ROWS};
use crate::nn::rope::Spans;

/// Tokens of one sequence that run in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    /// The sequence.
    pub(crate) id: SequenceId,
    /// Its first token that runs: as many are cached.
    pub(crate) from: usize,
    /// How many run.
    pub(crate) tokens: usize,
}

/// The runs of a step, if memory allows all of them, in the order in which they claim it.
///
/// A new text that begins like one that is being read in the same step waits: it will copy instead of compute. `spans`
/// as in [`super::sequence::Sequence::shared`].
pub(crate) fn plan(sequences: &Sequences, spans: Spans) -> Vec<Run> {
    let pending = |single: bool| {
        sequences.iter().filter(move |(_, text)| text.pending() > 0 && (text.pending() == 1) == single)
    };
    let mut runs: Vec<Run> = pending(true)
        .take(STEP_ROWS)
        .map(|(id, text)| Run { id: *id, from: text.cached, tokens: 1 })
        .collect();
    let mut room = STEP_ROWS - runs.len();
    for (id, text) in pending(false) {
        if room == 0 {
            break;
        }
        let have = sequences.values().map(|other| other.shared(text, other.cached, spans)).max().unwrap_or(0);
        let better = |run: &Run| {
            let shared = || sequences[&run.id].shared(text, run.from + run.tokens, spans);
            run.tokens > 1 && shared() >= have.max(text.cached) + SHORTEST_PREFIX
        };
        if runs.iter().any(better) {
            continue;
        }
        let tokens = text.pending().min(room);
        runs.push(Run { id: *id, from: text.cached, tokens });
        room -= tokens;
    }
    runs
}
