//! The validator: asks miners questions whose answers it knows, scores what they add, and sets weights.
//!
//! Two halves. [`core`] is pure: questions, judging, scores, weights, the rhythm of an epoch; seeds and heights are
//! arguments. The shell around it talks to miners and the chain, keeps state on disk and serves
//! `acumen.validation.v1` and metrics: [`run`], or [`Validator`] with a [`Chain`] of the caller's.
#![forbid(unsafe_code)]

mod config;
pub mod core;
mod error;
mod shell;

pub use config::{Config, ConfigError};
pub use error::Error;
pub use shell::chain::{Chain, ChainError, Miner, Nodes, View};
pub use shell::server::{Validator, run};
