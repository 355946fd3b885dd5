//! What one miner answered, judged position by position.
//!
//! Positions are step-major: position = step · documents + document, so that the first steps are a prefix. A position
//! holds the floored probability that the miner gave to the realised byte, or nothing: an invalid, late or missing
//! answer is never repaired, it is scored as the reference and counted as a fault.

use std::collections::BTreeMap;

use acumen_scoring_value::Report;

use super::reference::VOCABULARY;

/// Most positions per miner whose whole distribution is kept to compare miners: 256 KiB of f32.
pub const MAX_SHAPES: usize = 256;

/// A distribution as claimed: ids, natural-log probabilities, tail mass.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// Named ids.
    pub ids: &'a [u32],
    /// ln p of each.
    pub logprobs: &'a [f32],
    /// Mass of all others.
    pub tail: f32,
}

/// Why an answer counts as missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Not a distribution: mass above 1, NaN, negative, wrong ids.
    Invalid,
    /// After its deadline, or not before the evaluation closed.
    Late,
    /// Over another vocabulary than the track's.
    Vocabulary,
    /// No connection.
    Unreachable,
    /// The miner refused, broke the protocol or proved nothing.
    Protocol,
}

impl Kind {
    /// Label in metrics and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Late => "late",
            Self::Vocabulary => "vocabulary",
            Self::Unreachable => "unreachable",
            Self::Protocol => "protocol",
        }
    }
}

/// A fault with the words that explain it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Its kind.
    pub kind: Kind,
    /// For a person.
    pub reason: String,
}

/// One miner's answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    documents: usize,
    steps: usize,
    /// Probability of the realised byte, floored; None where there is no valid answer.
    probs: Vec<Option<f64>>,
    /// Dense distributions of the positions that are compared.
    shapes: BTreeMap<usize, Vec<f32>>,
    /// Steps that were answered, validly or not.
    reached: usize,
    /// What ended the stream before its last step.
    ended: Option<Fault>,
    /// Refused answers by kind.
    refused: BTreeMap<Kind, u64>,
    newest: Option<String>,
}

impl Sheet {
    /// An empty sheet for `steps` answers over `documents`.
    #[must_use]
    pub fn new(documents: usize, steps: usize) -> Self {
        Self {
            documents,
            steps,
            probs: vec![None; documents * steps],
            shapes: BTreeMap::new(),
            reached: 0,
            ended: None,
            refused: BTreeMap::new(),
            newest: None,
        }
    }

    /// Judges the answer of the next step: one claim and one realised byte per document. Distributions of documents
    /// marked in `compared` are kept for the comparison of miners, up to [`MAX_SHAPES`].
    pub fn record(&mut self, claims: &[Claim<'_>], truths: &[u8], compared: &[bool]) {
        if self.reached >= self.steps {
            return;
        }
        let base = self.reached * self.documents;
        self.reached += 1;
        for (document, (claim, &truth)) in claims.iter().zip(truths).take(self.documents).enumerate() {
            match Report::from_top_k(claim.ids, claim.logprobs, claim.tail, VOCABULARY) {
                Ok(report) => {
                    self.probs[base + document] = Some(report.prob(u32::from(truth)));
                    if is_kept(self.reached - 1, document, compared) {
                        let dense = report.dense().into_iter().map(|prob| prob as f32).collect();
                        self.shapes.insert(base + document, dense);
                    }
                }
                Err(error) => {
                    *self.refused.entry(Kind::Invalid).or_default() += 1;
                    self.newest = Some(error.to_string());
                }
            }
        }
    }

    /// Notes what ended the stream: all answers from here on are missing.
    pub fn end(&mut self, fault: Fault) {
        if self.reached < self.steps {
            self.newest = Some(fault.reason.clone());
            self.ended = Some(fault);
        }
    }

    /// Steps that were answered before the stream ended or the evaluation closed.
    #[must_use]
    pub fn reached(&self) -> usize {
        self.reached
    }

    /// Whether a fault ended the stream, rather than the end of the evaluation.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.ended.is_some()
    }

    /// Keeps the first `steps` steps; whatever is missing in them is counted as a fault.
    pub fn close(&mut self, steps: usize) {
        let steps = steps.min(self.steps);
        let missing = (steps.saturating_sub(self.reached) * self.documents) as u64;
        if missing > 0 {
            let kind = self.ended.as_ref().map_or(Kind::Late, |fault| fault.kind);
            *self.refused.entry(kind).or_default() += missing;
            self.newest.get_or_insert_with(|| "did not finish before the evaluation closed".to_owned());
        }
        self.steps = steps;
        self.reached = self.reached.min(steps);
        self.probs.truncate(steps * self.documents);
        self.shapes.retain(|&position, _| position < steps * self.documents);
    }

    /// Probability given to the realised byte at each position.
    #[must_use]
    pub fn probs(&self) -> &[Option<f64>] {
        &self.probs
    }

    /// The distribution at a compared position.
    #[must_use]
    pub fn shape(&self, position: usize) -> Option<&[f32]> {
        self.shapes.get(&position).map(Vec::as_slice)
    }

    /// Valid answers.
    #[must_use]
    pub fn answered(&self) -> usize {
        self.probs.iter().flatten().count()
    }

    /// Share of the wanted answers that came in time and were valid, 0 to 1.
    #[must_use]
    pub fn availability(&self) -> f64 {
        if self.probs.is_empty() { 0.0 } else { self.answered() as f64 / self.probs.len() as f64 }
    }

    /// Faults by kind.
    #[must_use]
    pub fn refused(&self) -> &BTreeMap<Kind, u64> {
        &self.refused
    }

    /// The newest reason for a fault.
    #[must_use]
    pub fn newest(&self) -> Option<&str> {
        self.newest.as_deref()
    }
}

/// Whether a position's distribution is kept: the first [`MAX_SHAPES`] of the compared ones, the same for every miner.
fn is_kept(step: usize, document: usize, compared: &[bool]) -> bool {
    let marked = |documents: &[bool]| documents.iter().filter(|compared| **compared).count();
    let (before, _) = compared.split_at(document.min(compared.len()));
    compared.get(document) == Some(&true) && step * marked(compared) + marked(before) < MAX_SHAPES
}

/// Steps that count for everybody: the furthest that at least half of the miners whose streams still ran have reached.
///
/// A miner that is slower than that is late. If all are slow, it was the validator, and nobody is blamed.
#[must_use]
pub fn extent<'a>(sheets: impl IntoIterator<Item = &'a Sheet>) -> usize {
    let mut reached: Vec<usize> = Vec::new();
    let mut longest = 0;
    for sheet in sheets {
        longest = longest.max(sheet.reached);
        if !sheet.failed() && sheet.reached > 0 {
            reached.push(sheet.reached);
        }
    }
    reached.sort_unstable();
    let median = reached.len().saturating_sub(1) / 2;
    // Rounded up: of two miners the faster one decides, so that one slow miner cannot shorten the epoch of another.
    let upper = if reached.len().is_multiple_of(2) { median + 1 } else { median };
    reached.get(upper).copied().unwrap_or(longest)
}

#[cfg(test)]
mod tests;
