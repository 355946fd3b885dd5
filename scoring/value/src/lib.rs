//! What a response is worth, in nats.
//!
//! A miner answers a context with a next-token distribution; this crate checks it ([`report`]), scores it ([`LogScore`]), mixes it with the
//! others ([`pool`]) and says how much each miner adds to what the rest already know ([`game`]), what that earns
//! ([`reward`]), how sure we are ([`confidence`]) and how it adds up over epochs ([`accumulate`]).
//! Miners that are copies of one another are found by [`cluster`], those that add nothing to a senior one by
//! [`encompass`]; a gateway weights its pool with [`online`].
//!
//! Invariants: every score is in nats per token (natural logarithm); the same input gives the same output for any
//! number of threads; nothing here reads a clock, a socket or an unseeded random source.
#![forbid(unsafe_code)]

pub mod accumulate;
pub mod cluster;
pub mod confidence;
mod em;
pub mod encompass;
pub mod eval;
pub mod game;
pub mod log_score;
mod newton;
pub mod online;
pub mod pool;
pub mod report;
pub mod reward;
mod seeded;
mod student;
pub mod wswm;

#[cfg(test)]
mod testing;

pub use game::{Game, GameError, GameSpec};
pub use log_score::LogScore;
pub use report::{Report, ReportError};
pub use reward::{RewardRule, composite};
