//! Yuma consensus in fixed point, and the economics around it: emission, registration price, pruning.
//!
//! Whatever two machines must agree on about a track's payout is here: [`epoch()`] turns validators'
//! weights into consensus, incentive, dividends, bonds and integer emission; [`emission`] halves and
//! splits the supply; [`registration`] prices a slot; [`pruning`] says who loses one.
//!
//! Invariants: the same input gives the same bytes on every machine, for any number of threads; no
//! input panics; nothing saturates silently (the widths are argued where they matter). There is no
//! clock, float, randomness or hash-map order. Values are those of Subtensor
//! (`opentensor/subtensor@14bc6f9f`, sparse path) bit for bit; deviations are listed in
//! `docs/adr/0008-yuma-quirks.md`.
//!
//! Units: amounts in base units (`u64`); proportions as `u16` of 65 535; time in blocks.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::float_arithmetic,
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::as_conversions
    )
)]

#[cfg(feature = "case")]
pub mod case;
pub mod emission;
mod epoch;
mod error;

mod input;
mod params;
pub mod pruning;
pub mod registration;
mod share;
mod sparse;
pub mod upscale;

pub use epoch::epoch;
pub use error::Error;
pub use input::{EpochInput, EpochOutput, Neuron};
pub use params::{LiquidAlpha, Params};
#[cfg(test)]
mod tests_support;
#[cfg(all(test, feature = "case"))]
mod vectors;

pub use sparse::{MAX_NEURONS, SparseRows};
