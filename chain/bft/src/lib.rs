//! Byzantine fault tolerant ordering: blocks are decided by validators of which less than 1/3 of the power may lie.
//!
//! The engine is Malachite (Tendermint's algorithm), used through its application channel. No type of it is in this
//! crate's interface, in what travels between nodes or on disk. The chain itself is an [`Application`]: this crate knows
//! nothing of ledger or store.
//!
//! Safety rests on three things: proposals are durable before they are answered and the same when asked again
//! ([`Application::propose`]), votes are logged before they leave ([`run()`] keeps the log in its folder), and a block is
//! committed with its certificate in one durable step ([`Application::commit`]). Liveness needs more than 2/3 of the power
//! connected. Times are milliseconds, sizes bytes.
#![forbid(unsafe_code)]

mod application;
#[cfg(test)]
mod cluster;
mod config;
mod deaf;
mod driver;
mod error;
mod faithful;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
mod journal;
mod log;
mod null;
mod parts;
mod peers;
mod run;
mod send;
mod signing;
mod types;
mod wire;

pub use application::{Application, Candidate, Observation, Origin};
pub use config::{AddressError, Config, Network, Patience, check_address};
pub use error::Error;
pub use run::{MAX_END, run};
