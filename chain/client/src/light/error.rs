//! Why something does not verify.

use acumen_chain_ledger::tree::ProofError;
use acumen_protocol::certificate::{CertificateError, ValidatorSetError};
use acumen_protocol::codec::DecodeError;
use acumen_protocol::{Hash, Height};

use super::{Checkpoint, Fork};

/// Why something does not verify.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LightError {
    /// A header without a certificate.
    #[error("the header at height {height} has no certificate")]
    NoCertificate {
        /// Its height.
        height: Height,
    },
    /// Another block than the one that is known or proven.
    #[error("the block at height {height} is {found}, expected {expected}")]
    OtherBlock {
        /// The height.
        height: Height,
        /// The block given.
        found: Hash,
        /// The block expected.
        expected: Hash,
    },
    /// Decided by a set that is not trusted (yet): follow the headers that end the epochs in between.
    #[error(
        "height {height} names validator set {found}, which is not known to decide there: the newest known one is \
         {trusted}, and the last headers of the epochs in between come first"
    )]
    UnknownSet {
        /// The header's height.
        height: Height,
        /// The set it names.
        found: Hash,
        /// The newest set trusted.
        trusted: Hash,
    },
    /// The certificate proves nothing.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The next set is not the one that the header names.
    #[error("the header at height {height} names another next validator set than the one given")]
    NextSet {
        /// The header's height.
        height: Height,
    },
    /// The next set is impossible.
    #[error(transparent)]
    ValidatorSet(#[from] ValidatorSetError),
    /// Two blocks were decided at one height.
    #[error("{0}")]
    Fork(Box<Fork>),
    /// Not this chain's genesis.
    #[error("the genesis header is {found}, expected {expected}")]
    Genesis {
        /// The one given.
        found: Hash,
        /// This chain's.
        expected: Hash,
    },
    /// Not the checkpoint that was trusted.
    #[error("the header is {found}, the trusted checkpoint is {expected}")]
    Checkpoint {
        /// The one given.
        found: Hash,
        /// The checkpoint.
        expected: Checkpoint,
    },
    /// Transactions or events are not those of the header.
    #[error("the {part} of the block at height {height} are not those that its header commits to")]
    Body {
        /// `transactions` or `events`.
        part: &'static str,
        /// The height.
        height: Height,
    },
    /// An event's proof proves nothing.
    #[error("the proof of event {index} does not lead to the events root of the block at height {height}")]
    EventProof {
        /// The height.
        height: Height,
        /// The event's place.
        index: u32,
    },
    /// An event does not decode.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A proof proves nothing.
    #[error(transparent)]
    Proof(#[from] ProofError),
}
