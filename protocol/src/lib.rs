//! What every part of Acumen agrees on: units, identifiers, the canonical encoding, keys, signing domains,
//! transactions, blocks, certificates and request authentication.
//!
//! This crate is pure. It reads no clock, opens no file, draws no random number and holds no float: time and
//! randomness are arguments. Everything that is signed or hashed is encoded with SCALE ([`codec`]) under a
//! [`domain::Domain`] of its own; protobuf is transport only.
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
#![forbid(unsafe_code)]

pub mod account;
pub mod auth;
pub mod block;
pub mod call;
pub mod certificate;
pub mod codec;
pub mod domain;
pub mod finality;
pub mod hash;
pub mod keyfile;
pub mod keys;
pub mod limits;
pub mod merkle;
pub mod miner_record;
pub mod session;
pub mod transaction;
pub mod units;
pub mod vote;
pub mod weights;

pub use account::AccountId;
pub use block::{Block, Header};
pub use call::{Call, Endpoint};
pub use certificate::{Certificate, ConsensusValidator, ValidatorSet};
pub use hash::Hash;
pub use keys::{ConsensusKeypair, ConsensusPublic, ConsensusSignature, Keypair, Signature};
pub use transaction::{SignedTransaction, Transaction};
pub use units::{Epoch, Height, Nacu, Nonce, TimestampMs, TrackId, Uid};
pub use vote::{Equivocation, Proposal, Signed, Vote, VoteKind};
