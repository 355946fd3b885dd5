//! Continuous batching over a cache that is allocated once.
//!
//! Every text that is open is a sequence of tokens, of which the first so many have keys and values in the arena. One
//! step takes whatever waits, single tokens of running texts first and chunks of new texts after them, and runs all of it
//! as one batch: each matrix of the network is read once a step, however many texts share it.
//!
//! | module | what it keeps |
//! |---|---|
//! | `extents` | which stretches of the arena are free |
//! | `arena` | keys and values |
//! | `sequence` | the texts, and which of them hold a stretch |
//! | `plan` | what a step runs |
//! | `batch` | a step as tensors |
//! | `step` | one step from plan to answers |
//! | `model` | the engine as a [`crate::LanguageModel`] |
//!
//! Invariants: a step runs at most [`STEP_ROWS`] tokens, so that no text waits long behind another's prompt; the cache
//! never holds more than its capacity in tokens (a text that must wait for room is computed again later); a failure
//! touches only the sequences of the step that failed.

mod arena;
mod batch;
mod extents;
mod model;
mod plan;
mod sequence;
mod step;

#[cfg(test)]
mod tests;

pub(crate) use arena::Arena;
pub(crate) use batch::{Batch, Group};
pub(crate) use model::DecoderModel;
pub(crate) use sequence::SequenceId;
pub(crate) use step::Engine;

/// Longest text that a cache of so many tokens can hold.
pub(crate) fn longest_text(cache_tokens: usize) -> usize {
    extents::Extents::longest(cache_tokens)
}

/// Tokens in one step: bounds its activations, and how long a running text waits while a new one is read.
pub(crate) const STEP_ROWS: usize = 512;
/// Tokens that two texts must share before copying is worth more than computing.
pub(crate) const SHORTEST_PREFIX: usize = 8;
/// Closed texts that are kept for the next one that begins like them.
pub(crate) const MOST_KEPT: usize = 256;
