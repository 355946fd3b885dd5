//! A checked next-token distribution: what one miner said about one position.
//!
//! Invariant: the mass of a [`Report`] is at most 1. A claim of more is refused beyond [`MASS_TOLERANCE`] and scaled
//! *down* within it; mass that a report leaves out is spread evenly over the ids it does not name, and is never
//! given back to the ids it does name. So nobody gains by leaving the accounts open.
//!
//! Reads of a report are floored: p ← (1−ε)p + ε/V with ε = [`EPSILON`], so that −ln p ≤ ln(V/ε) is bounded and one
//! confident mistake cannot outweigh an epoch. Units: probabilities, not logarithms. Source: docs/scoring.md.

use serde::{Deserialize, Serialize};

/// Weight of the uniform distribution in every probability read from a report.
///
/// It costs an honest miner at most −ln(1−ε) = 1.0e-4 nats per token, far below what an epoch can resolve
/// (two close miners differ by about 0.04 nats with a standard deviation of 1.5 per token), and caps the loss of
/// one token at ln V + 9.2 nats.
pub const EPSILON: f64 = 1e-4;

/// How far the mass of a report may be from 1: what f32 log-probabilities of a large vocabulary lose by rounding.
pub const MASS_TOLERANCE: f64 = 1e-3;

/// Largest vocabulary accepted; a dense distribution of it is 8 MiB.
pub const MAX_VOCAB: u32 = 1 << 20;

/// Why a report is worth nothing.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ReportError {
    /// The vocabulary is empty, of one token, or too large.
    #[error("vocabulary of {0} ids: give 2 to {MAX_VOCAB}")]
    Vocab(u32),
    /// Ids and log-probabilities do not pair up.
    #[error("{ids} ids with {logprobs} log-probabilities: send one log-probability per id")]
    Length {
        /// Number of ids.
        ids: usize,
        /// Number of log-probabilities.
        logprobs: usize,
    },
    /// No id at all.
    #[error("an empty report: name at least one id")]
    Empty,
    /// NaN, or a log-probability of +∞.
    #[error("log-probability {logprob} of id {id} is not the logarithm of a probability")]
    NotANumber {
        /// The id.
        id: u32,
        /// What was claimed.
        logprob: f32,
    },
    /// One id claims more than all the mass.
    #[error("id {id} claims probability {prob}: at most 1 is possible")]
    AboveOne {
        /// The id.
        id: u32,
        /// What was claimed.
        prob: f64,
    },
    /// The tail is negative, NaN, or above 1.
    #[error("tail mass {0} is not in [0, 1]")]
    Tail(f32),
    /// The total is above 1.
    #[error("report claims total mass {0}: normalise it, at most 1 + {MASS_TOLERANCE} is accepted")]
    Overweight(f64),
    /// Every id is named, and the total is below 1: there is no tail that could hold the rest.
    #[error("report names every id and holds only mass {0}: normalise it to 1 within {MASS_TOLERANCE}")]
    Underweight(f64),
    /// The same id twice.
    #[error("id {0} is named twice: name each id once")]
    Duplicate(u32),
    /// An id outside the vocabulary.
    #[error("id {id} is not in a vocabulary of {vocab}")]
    OutOfVocab {
        /// The id.
        id: u32,
        /// Size of the vocabulary.
        vocab: u32,
    },
}

/// A next-token distribution that passed every check. Total mass is at most 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Named ids and their probabilities, by ascending id.
    head: Vec<(u32, f64)>,
    /// Probability of each id that is not named.
    tail_each: f64,
    vocab: u32,
}

impl Report {
    /// Checks a top-k answer: `ids` with natural log-probabilities `logprobs`, and the mass of all other ids.
    ///
    /// A log-probability of −∞ is a probability of 0. Mass missing from 1 counts as tail.
    ///
    /// # Errors
    /// See [`ReportError`]; each is a reason to count the answer as worth nothing.
    pub fn from_top_k(
        ids: &[u32],
        logprobs: &[f32],
        tail_mass: f32,
        vocab: u32,
    ) -> Result<Self, ReportError> {
        check_shape(ids, logprobs, tail_mass, vocab)?;
        let mut head = Vec::with_capacity(ids.len());
        for (&id, &logprob) in ids.iter().zip(logprobs) {
            head.push((id, probability(id, logprob, vocab)?));
        }
        head.sort_unstable_by_key(|&(id, _)| id);
        if let Some(pair) = head.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(ReportError::Duplicate(pair[0].0));
        }
        Self::balance(head, f64::from(tail_mass), vocab)
    }

    /// Checks a full distribution, `probs[id]`.
    ///
    /// # Errors
    /// As [`Report::from_top_k`].
    pub fn from_dense(probs: &[f64]) -> Result<Self, ReportError> {
        let vocab = u32::try_from(probs.len()).unwrap_or(u32::MAX);
        if !(2..=MAX_VOCAB).contains(&vocab) {
            return Err(ReportError::Vocab(vocab));
        }
        let mut head = Vec::with_capacity(probs.len());
        for (id, &prob) in (0..vocab).zip(probs) {
            if !prob.is_finite() || prob < 0.0 {
                return Err(ReportError::NotANumber { id, logprob: prob.ln() as f32 });
            }
            head.push((id, prob));
        }
        Self::balance(head, 0.0, vocab)
    }

    /// The distribution of a miner that knows nothing.
    ///
    /// # Errors
    /// [`ReportError::Vocab`].
    pub fn uniform(vocab: u32) -> Result<Self, ReportError> {
        if !(2..=MAX_VOCAB).contains(&vocab) {
            return Err(ReportError::Vocab(vocab));
        }
        Ok(Self { head: Vec::new(), tail_each: 1.0 / f64::from(vocab), vocab })
    }

    /// Settles the total: refuses too much, scales a rounding excess down, gives missing mass to the tail.
    fn balance(mut head: Vec<(u32, f64)>, tail: f64, vocab: u32) -> Result<Self, ReportError> {
        let named: f64 = head.iter().map(|&(_, prob)| prob).sum();
        let total = named + tail;
        if total > 1.0 + MASS_TOLERANCE {
            return Err(ReportError::Overweight(total));
        }
        let unnamed = vocab as usize - head.len();
        if unnamed == 0 {
            if tail > MASS_TOLERANCE {
                return Err(ReportError::Tail(tail as f32));
            }
            if named < 1.0 - MASS_TOLERANCE {
                return Err(ReportError::Underweight(named));
            }
        }
        let scale = 1.0 / total.max(1.0);
        for (_, prob) in &mut head {
            *prob *= scale;
        }
        let tail_each = if unnamed == 0 { 0.0 } else { (1.0 - named * scale).max(0.0) / unnamed as f64 };
        Ok(Self { head, tail_each, vocab })
    }

    /// Probability of `id`, floored: in [ε/V, 1]. An id outside the vocabulary has probability 0.
    #[must_use]
    pub fn prob(&self, id: u32) -> f64 {
        if id >= self.vocab {
            return 0.0;
        }
        let raw = match self.head.binary_search_by_key(&id, |&(named, _)| named) {
            Ok(at) => self.head[at].1,
            Err(_) => self.tail_each,
        };
        self.floored(raw)
    }

    /// ln p(id) of the floored report, in nats: the logarithmic score, strictly proper.
    #[must_use]
    pub fn log_score(&self, id: u32) -> f64 {
        self.prob(id).ln()
    }

    /// The whole floored distribution, `dense()[id]`; sums to 1 within [`MASS_TOLERANCE`], and never above 1.
    #[must_use]
    pub fn dense(&self) -> Vec<f64> {
        let mut probs = vec![self.floored(self.tail_each); self.vocab as usize];
        for &(id, prob) in &self.head {
            probs[id as usize] = self.floored(prob);
        }
        probs
    }

    /// Number of ids a token can have.
    #[must_use]
    pub fn vocab(&self) -> u32 {
        self.vocab
    }

    /// Total probability of the ids that are not named, before the floor.
    #[must_use]
    pub fn tail_mass(&self) -> f64 {
        self.tail_each * (self.vocab as usize - self.head.len()) as f64
    }

    fn floored(&self, prob: f64) -> f64 {
        (1.0 - EPSILON) * prob + EPSILON / f64::from(self.vocab)
    }
}

fn check_shape(ids: &[u32], logprobs: &[f32], tail_mass: f32, vocab: u32) -> Result<(), ReportError> {
    if !(2..=MAX_VOCAB).contains(&vocab) {
        return Err(ReportError::Vocab(vocab));
    }
    if ids.len() != logprobs.len() {
        return Err(ReportError::Length { ids: ids.len(), logprobs: logprobs.len() });
    }
    if ids.is_empty() {
        return Err(ReportError::Empty);
    }
    if !(0.0..=1.0 + MASS_TOLERANCE).contains(&f64::from(tail_mass)) {
        return Err(ReportError::Tail(tail_mass));
    }
    Ok(())
}

fn probability(id: u32, logprob: f32, vocab: u32) -> Result<f64, ReportError> {
    if id >= vocab {
        return Err(ReportError::OutOfVocab { id, vocab });
    }
    if logprob.is_nan() || logprob == f32::INFINITY {
        return Err(ReportError::NotANumber { id, logprob });
    }
    let prob = f64::from(logprob).exp();
    if prob > 1.0 + MASS_TOLERANCE {
        return Err(ReportError::AboveOne { id, prob });
    }
    Ok(prob)
}

#[cfg(test)]
mod tests;
