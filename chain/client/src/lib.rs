//! Reading and writing the chain without believing any node.
//!
//! [`light`] is the core: from a genesis document it follows certificates and checks proofs, without I/O, clock or
//! async. [`ChainClient`] asks nodes over gRPC and hands out only what the core has verified; [`Verified::at`] says
//! against which block. The one exception is [`ChainClient::supply`], which no proof can show, and which says so.
#![forbid(unsafe_code)]

mod client;
mod error;
pub mod light;
mod metagraph;
mod nodes;
mod read;
mod stream;
mod submit;
mod types;

pub use acumen_chain_ledger as ledger;
pub use client::ChainClient;
pub use error::ClientError;
pub use light::{LightClient, LightError};
pub use metagraph::{Metagraph, MetagraphNeuron};
pub use stream::BlockStream;
pub use types::{Included, Status, SupplyReport, TxId, Verified, VerifiedAt, VerifiedBlock};
