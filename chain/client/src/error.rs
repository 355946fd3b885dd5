//! Why the chain could not be read or written.

use acumen_chain_ledger::{GenesisError, Rejection};
use acumen_proto::WireError;
use acumen_protocol::codec::DecodeError;
use acumen_protocol::miner_record::RecordError;
use acumen_protocol::transaction::TransactionError;
use acumen_protocol::{Hash, Height};

use crate::light::LightError;

/// A failure of [`crate::ChainClient`].
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// No node was named.
    #[error("no chain node is configured: name at least one, like http://127.0.0.1:9900")]
    NoNodes,
    /// Not the address of a node.
    #[error("`{url}` is no node's address (write http://HOST:PORT): {reason}")]
    BadUrl {
        /// The text.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// No answer.
    #[error("chain node {node} does not answer: {reason}")]
    Unreachable {
        /// Its address.
        node: String,
        /// The transport's words.
        reason: String,
    },
    /// The node will not do it.
    #[error("chain node {node} refused: {reason}")]
    Refused {
        /// Its address.
        node: String,
        /// Its words.
        reason: String,
    },
    /// A gRPC server, but no node's, or that of an older one.
    #[error(
        "{node} does not know the chain's calls: is it the address of a miner or a validator, or a node of an older version?"
    )]
    NoNode {
        /// Its address.
        node: String,
    },
    /// The node's pool has no room.
    #[error("chain node {node} is busy: {reason}")]
    Busy {
        /// Its address.
        node: String,
        /// Its words.
        reason: String,
    },
    /// The answer does not verify.
    #[error("chain node {node} gave an answer that does not verify, do not use it: {reason}")]
    Lying {
        /// Its address.
        node: String,
        /// What does not verify.
        reason: String,
    },
    /// Two certified blocks at one height.
    #[error(
        "chain node {node} shows that the chain has forked: {fork}; trust neither block, report both certificates"
    )]
    Forked {
        /// Its address.
        node: String,
        /// The certificates.
        fork: Box<crate::light::Fork>,
    },
    /// Too far back to be verified from where trust began.
    #[error("{reason}")]
    TooOld {
        /// How far, and what to do.
        reason: String,
    },
    /// The node lags behind what was verified already.
    #[error("chain node {node} is at height {height}, behind the verified height {known}")]
    Stale {
        /// Its address.
        node: String,
        /// The height that it offered.
        height: Height,
        /// The height known.
        known: Height,
    },
    /// Another chain.
    #[error("chain node {node} serves the chain with genesis {found}, expected {expected}")]
    WrongChain {
        /// Its address.
        node: String,
        /// The genesis hash wanted.
        expected: Hash,
        /// Its genesis hash.
        found: Hash,
    },
    /// Every node failed.
    #[error("no chain node could be used: {}", .failures.join("; "))]
    AllFailed {
        /// One line for each.
        failures: Vec<String>,
    },
    /// There is no such thing in the chain's state: this is proven.
    #[error("{what} is not on the chain")]
    NotFound {
        /// The thing.
        what: String,
    },
    /// The node says that it does not have it, which proves nothing: another one may.
    #[error("chain node {node} does not have {what}")]
    Missing {
        /// Its address.
        node: String,
        /// The thing, in the node's words.
        what: String,
    },
    /// The node cannot answer for this height: it has pruned the state, or began with a later one.
    #[error("chain node {node} cannot answer: {reason}")]
    NotKept {
        /// Its address.
        node: String,
        /// What it keeps.
        reason: String,
    },
    /// No node has it, which proves nothing about the chain.
    #[error("no node that was asked has it: {}", .denials.join("; "))]
    NobodyHas {
        /// One line for each node.
        denials: Vec<String>,
    },
    /// The transaction was refused before it was queued.
    #[error("the transaction was refused: {0}")]
    Rejected(Rejection),
    /// The transaction failed in a block; it has paid its fee.
    #[error("the transaction failed in block {height}: {reason}")]
    Failed {
        /// The block.
        height: Height,
        /// Why.
        reason: Rejection,
    },
    /// The transaction can no longer be included.
    #[error("transaction {id} was not included up to height {valid_until}: submit it again")]
    Expired {
        /// The transaction.
        id: Hash,
        /// Its last height.
        valid_until: Height,
    },
    /// A proven value cannot be read.
    #[error("a proven value cannot be read, this program is older or newer than the chain: {reason}")]
    Incompatible {
        /// What does not fit.
        reason: String,
    },
    /// The transaction is impossible.
    #[error(transparent)]
    Transaction(#[from] TransactionError),
}

impl ClientError {
    /// True if another node may do better.
    pub(crate) const fn try_another(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Busy { .. }
                | Self::Lying { .. }
                | Self::Stale { .. }
                | Self::WrongChain { .. }
                | Self::NoNode { .. }
                | Self::Missing { .. }
                | Self::NotKept { .. }
        )
    }

    /// True if nodes have said that they do not have it: an answer without a proof.
    #[must_use]
    pub const fn is_denial(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::NotKept { .. } | Self::NobodyHas { .. })
    }

    /// Why none of the nodes did it.
    pub(crate) fn of_all(mut failures: Vec<Self>) -> Self {
        let lines = |failures: &[Self]| failures.iter().map(ToString::to_string).collect();
        match failures.as_slice() {
            [] => Self::NoNodes,
            [_] => failures.remove(0),
            all if all.iter().all(Self::is_denial) => Self::NobodyHas { denials: lines(all) },
            all => Self::AllFailed { failures: lines(all) },
        }
    }

    pub(crate) fn lying(node: &str, reason: impl ToString) -> Self {
        Self::Lying { node: node.to_owned(), reason: reason.to_string() }
    }

    /// What a node's status means.
    pub(crate) fn from_status(node: &str, status: &tonic::Status) -> Self {
        use tonic::Code;
        let node = node.to_owned();
        let reason = status.message().to_owned();
        match status.code() {
            Code::FailedPrecondition => match rejection(status.details()) {
                Some(rejection) => Self::Rejected(rejection),
                None => Self::Refused { node, reason },
            },
            Code::NotFound => Self::Missing { node, what: reason },
            Code::OutOfRange => Self::NotKept { node, reason },
            Code::ResourceExhausted => Self::Busy { node, reason },
            Code::InvalidArgument => Self::Refused { node, reason },
            Code::Unimplemented => Self::NoNode { node },
            code => Self::Unreachable { node, reason: format!("{code:?}: {reason}") },
        }
    }
}

fn rejection(details: &[u8]) -> Option<Rejection> {
    acumen_protocol::codec::decode_all("rejection", details).ok()
}

/// Turns an answer's own fault into [`ClientError::Lying`].
pub(crate) trait Blame<T> {
    fn blame(self, node: &str) -> Result<T, ClientError>;
}

macro_rules! blame {
    ($($error:ty),*) => {$(
        impl<T> Blame<T> for Result<T, $error> {
            fn blame(self, node: &str) -> Result<T, ClientError> {
                self.map_err(|error| ClientError::lying(node, error))
            }
        }
    )*};
}
blame!(WireError, DecodeError, GenesisError, RecordError);

impl<T> Blame<T> for Result<T, LightError> {
    fn blame(self, node: &str) -> Result<T, ClientError> {
        self.map_err(|error| crate::witness::blamed(node, error))
    }
}
