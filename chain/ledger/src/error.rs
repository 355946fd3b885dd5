//! What must never happen: a state that contradicts itself. A node that meets one of these stops.

use acumen_protocol::codec::DecodeError;

use crate::state::StateError;

/// The state cannot be read, or contradicts the ledger's own rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The storage failed.
    #[error(transparent)]
    State(#[from] StateError),
    /// A value does not decode.
    #[error("the state is damaged: {0}; restore the node's data from a snapshot or another node")]
    Corrupt(#[from] DecodeError),
    /// A record that must be there is not.
    #[error("the state is damaged: {what} is missing; restore the node's data from another node")]
    Missing {
        /// The record.
        what: String,
    },
    /// A sum left the range of its type.
    #[error("arithmetic overflow in {what}: this must not happen, please report it")]
    Overflow {
        /// The computation.
        what: &'static str,
    },
    /// Tokens appeared or disappeared.
    #[error(
        "the supply is not conserved, so the block is not applied: {0}; this must not happen, please report it"
    )]
    Conservation(#[from] crate::Breach),
    /// No set of validators could be formed.
    #[error("the validator set of the next block is impossible: {0}; this must not happen, please report it")]
    Validators(#[from] acumen_protocol::certificate::ValidatorSetError),
    /// Consensus refused the state.
    #[error("the epoch cannot be computed: {0}")]
    Epoch(#[from] acumen_scoring_consensus::Error),
}
