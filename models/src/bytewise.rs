//! Any token model as a model of bytes.
//!
//! Track 0 asks for the next byte, whatever a model's own vocabulary is, so that models with different tokenizers can be
//! compared, pooled and paid on one scale. This adapter sums a token model's probabilities over the ways in which the
//! bytes so far may have been cut into tokens (`spelling`), and asks the model only where a token may have ended.

mod model;
mod session;
mod spelling;
mod vocabulary;

#[cfg(test)]
mod tests;

pub use model::Bytewise;
