//! The pure half of a validator: what to ask, what the answers are worth, which weights follow.
//!
//! Nothing here reads a clock, a socket, a file or a random source; seeds and heights are arguments, so that every score
//! can be computed again from the evidence. Values are in nats per byte (natural logarithm) unless a name says otherwise.

pub mod clusters;
pub mod copies;
pub mod fit;
pub mod history;
pub mod hotkey;
pub mod matrix;
pub mod plan;
pub mod pool;
pub mod positions;
pub mod reference;
pub mod report;
pub mod rhythm;
pub mod score;
pub mod sheet;
pub mod weights;
pub mod windows;

#[cfg(test)]
mod simulation;
