//! A chain node: takes transactions, orders and applies them, serves blocks and proofs.
//!
//! The ledger decides what is valid, the store what is durable; this crate moves data between them and the network.
//! Ordering is behind [`Engine`]: [`Solo`] decides alone, with the certificate format that a replicated engine uses.
//! Times are milliseconds, sizes bytes.
#![forbid(unsafe_code)]

mod config;
mod engine;
mod error;
mod executor;
mod mempool;
mod metrics;
mod node;
mod service;
mod solo;

pub use config::{Config, load_genesis, load_key};
pub use engine::Engine;
pub use error::NodeError;
pub use executor::Executor;
pub use mempool::{Limits, Mempool, PoolError};
pub use node::{Node, run};
pub use solo::Solo;
