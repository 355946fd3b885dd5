//! Why a transaction is not queued.

use acumen_chain_ledger::Rejection;
use acumen_protocol::transaction::TransactionError;
use acumen_protocol::{AccountId, ConsensusPublic, Nacu, Nonce};

/// A refusal, in words for the person who sent the transaction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// Not a transaction of this chain.
    #[error(transparent)]
    Transaction(TransactionError),
    /// The ledger would refuse it.
    #[error(transparent)]
    Rejected(Rejection),
    /// The pool is full of transactions that pay at least as much for each byte.
    #[error(
        "the pool holds {count} transactions ({bytes} bytes), its limit: try again after the next block, or offer a \
         higher tip"
    )]
    Full {
        /// Transactions waiting.
        count: usize,
        /// Their bytes.
        bytes: usize,
    },
    /// The sender has too many.
    #[error("{sender} has {count} transactions ({bytes} bytes) waiting, the limit: wait for the next block")]
    Sender {
        /// The sender.
        sender: AccountId,
        /// Its transactions waiting.
        count: usize,
        /// Their bytes.
        bytes: usize,
    },
    /// The nonce is taken by a transaction that pays nearly as much.
    #[error(
        "a transaction of {sender} with nonce {nonce} waits already: to replace it, pay a fee of at least {needs}, with \
         the tip (this one pays {offers})",
        needs = .needs.to_acu_string(),
        offers = .offers.to_acu_string()
    )]
    Replacement {
        /// The sender.
        sender: AccountId,
        /// The nonce.
        nonce: Nonce,
        /// Least fee, tip included, of a replacement.
        needs: Nacu,
        /// What this one pays.
        offers: Nacu,
    },
    /// Another report of the same key waits.
    #[error("a report of consensus key {key} waits for the next block already")]
    Reported {
        /// The key.
        key: ConsensusPublic,
    },
    /// The node failed.
    #[error("the node failed: {reason}")]
    Internal {
        /// Why.
        reason: String,
    },
}
