//! Reading and writing the chain without believing any node.
//!
//! [`light`] is the core: from a genesis document or a checkpoint it follows certificates and checks proofs, without I/O,
//! clock or async. With `default-features = false` the crate is this core alone, for programs that bring their own
//! transport. [`ChainClient`] (feature `grpc`, on by default) asks nodes and hands out only what the core has verified;
//! [`Verified::at`] says against which block. There are two exceptions, which say so: [`ChainClient::supply`], which no proof
//! can show, and miners' records ([`ChainClient::find_record`], [`RecordFinder`]), which their hotkeys have signed and the
//! chain does not hold.
#![forbid(unsafe_code)]

#[cfg(feature = "grpc")]
mod checkpoint_age;
#[cfg(feature = "grpc")]
mod client;
#[cfg(feature = "grpc")]
mod dry_run;
#[cfg(feature = "grpc")]
mod error;
#[cfg(feature = "grpc")]
mod events;
#[cfg(feature = "grpc")]
mod follow;
pub mod light;
#[cfg(feature = "grpc")]
mod metagraph;
#[cfg(feature = "grpc")]
mod miners;
#[cfg(feature = "grpc")]
mod nodes;
#[cfg(feature = "grpc")]
mod read;
#[cfg(feature = "grpc")]
mod record_finder;
#[cfg(feature = "grpc")]
mod stream;
#[cfg(feature = "grpc")]
mod submit;
mod types;
#[cfg(feature = "grpc")]
mod witness;

pub use acumen_chain_ledger as ledger;
#[cfg(feature = "grpc")]
pub use checkpoint_age::OldCheckpoint;
#[cfg(feature = "grpc")]
pub use client::{ChainClient, Trust};
#[cfg(feature = "grpc")]
pub use dry_run::DryRun;
#[cfg(feature = "grpc")]
pub use error::ClientError;
pub use light::{Checkpoint, LightClient, LightError, VerifiedBlock};
#[cfg(feature = "grpc")]
pub use metagraph::{Metagraph, MetagraphNeuron};
#[cfg(feature = "grpc")]
pub use nodes::check_url;
#[cfg(feature = "grpc")]
pub use read::Position;
#[cfg(feature = "grpc")]
pub use record_finder::RecordFinder;
#[cfg(feature = "grpc")]
pub use stream::BlockStream;
pub use types::{Included, Status, SupplyReport, TxId, Verified, VerifiedAt};
#[cfg(feature = "grpc")]
pub use witness::{Testimony, Witness};
