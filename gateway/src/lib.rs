//! The OpenAI-compatible gateway: questions over HTTP, answered by the collective of the subnet's miners.
//!
//! For each request one signed Predict stream goes to each of the best miners. At each step their distributions are
//! checked, pooled with the weights that validators measured, a token is drawn, and all miners are told. An answer
//! says which miners gave it ([`collective::provenance`]). [`core`] is pure; [`collective`] speaks gRPC to miners and
//! validators; [`http`] speaks HTTP to clients.
#![forbid(unsafe_code)]

pub mod collective;
pub mod config;
pub mod core;
mod error;
pub mod http;
pub mod metrics;
mod run;

pub use config::{Config, ConfigError};
pub use error::Error;
pub use run::{run, run_with};
