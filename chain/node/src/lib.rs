//! A chain node: takes transactions, orders and applies them, serves blocks and proofs.
//!
//! The ledger decides what is valid, the store what is durable; this crate moves data between them and the network.
//! Which block comes next is decided by `acumen-chain-bft`, alone or with others, over [`Executor`].
//! Times are milliseconds, sizes bytes.
#![forbid(unsafe_code)]

mod admission;
mod config;
mod error;
mod evidence;
mod executor;
mod gossip;
mod mempool;
mod metrics;
mod node;
mod ordering;
mod replication;
mod server;
mod service;
mod sync;

pub use config::{Config, Consensus, load_genesis, load_key};
pub use error::NodeError;
pub use executor::Executor;
pub use mempool::{Limits, Mempool, PoolError};
pub use node::{Node, run};
pub use sync::SyncError;
