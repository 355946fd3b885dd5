//! The ways in which a miner may answer.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// What a miner does with the questions.
#[derive(Clone, Debug)]
pub enum Behaviour {
    /// Answers.
    Good,
    /// Ends the stream with an error after so many answers.
    DieAfter(usize),
    /// Ends the stream without a word after so many answers.
    HangUpAfter(usize),
    /// Claims more than all the mass after so many answers.
    OverclaimAfter(usize),
    /// Signs nothing.
    NoReceipt,
    /// Answers so many times, then never again, and keeps the stream open.
    StallAfter(usize),
    /// Answers once per permit.
    Gated(Arc<Semaphore>),
    /// Answers, and sends so many answers more than it was asked for with each.
    Flood(usize),
    /// Says that it serves words.
    OtherVocabulary,
    /// Reports the last byte that was revealed as certain: only a peek ahead would make this pay.
    Parrot,
}

/// What is claimed of one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// The model's distribution.
    Honest,
    /// The same with a mass above 1.
    TooMuch,
    /// The last byte, for certain.
    LastByte,
}

impl Behaviour {
    /// What is claimed after `answered` answers.
    pub(crate) const fn claim(&self, answered: usize) -> Claim {
        match self {
            Self::OverclaimAfter(count) if answered >= *count => Claim::TooMuch,
            Self::Parrot => Claim::LastByte,
            _ => Claim::Honest,
        }
    }

    /// Size of the vocabulary that it says it serves.
    pub(crate) const fn vocabulary(&self) -> u32 {
        if matches!(self, Self::OtherVocabulary) { 50_257 } else { 256 }
    }

    /// Answers sent beyond those that were asked for.
    pub(crate) const fn surplus(&self) -> usize {
        if let Self::Flood(count) = self { *count } else { 0 }
    }
}
