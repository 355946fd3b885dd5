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
//! Units: amounts in base units (`u64`); proportions as `u16` of 65 535; time in blocks. Every vector
//! has one element per uid, every matrix one row per uid; errors are typed and hold the values that
//! explain them.
//!
//! # Example
//!
//! Two validators with stake 3 and 1 weigh two miners, uids 2 and 3. Half of the stake must back a
//! weight, so the small validator's wish to pay all to miner 3 counts only as far as the large one
//! shares it.
//!
//! ```
//! use acumen_scoring_consensus::{EpochInput, Neuron, Params, SparseRows, epoch};
//!
//! let neuron = |stake, permit| Neuron {
//!     stake,
//!     permit,
//!     block_at_registration: 1,
//!     last_update: 90,
//!     ..Neuron::default()
//! };
//! let input = EpochInput {
//!     block: 100,
//!     last_tempo: Some(80),
//!     tempo: 20,
//!     owner_uid: None,
//!     neurons: vec![neuron(3, true), neuron(1, true), neuron(0, false), neuron(0, false)],
//!     weights: SparseRows::new(4, vec![vec![(2, 49_151), (3, 16_384)], vec![(3, 65_535)], vec![], vec![]])?,
//!     bonds: SparseRows::empty(4)?,
//!     emission: 1_000_000_000,
//! };
//! let out = epoch(&Params::default(), &input)?;
//! assert_eq!(out.consensus, [0, 0, 49_150, 16_383]);
//! assert_eq!(out.incentive, [0, 0, 45_370, 20_164]);
//! // The small validator asked for what nobody else backs: a quarter of its row is within consensus.
//! assert_eq!(out.validator_trust, [65_534, 16_383, 0, 0]);
//! assert_eq!(out.server_emission, [0, 0, 346_151_679, 153_848_320]);
//! assert_eq!(out.validator_emission, [471_428_123, 28_571_876, 0, 0]);
//! assert_eq!(out.remainder(input.emission), 2);
//! // What to keep for the next epoch: `bonds` and, as each neuron's permit, `validator_permits`.
//! assert_eq!(out.validator_permits, [true, true, false, false]);
//! # Ok::<(), acumen_scoring_consensus::Error>(())
//! ```
//!
//! An epoch takes time and memory linear in neurons and entries, at most four times the memory of its
//! input (`docs/performance.md`); rows and columns are spread over the current rayon pool, so
//! `ThreadPool::install` limits its threads.
//!
//! Features: `case` (on by default) reads the JSON cases of `vectors/`; without it the crate needs no
//! serde.

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
