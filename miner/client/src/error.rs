//! Why a miner gave no usable answer, by kind: a validator counts faults, a gateway decides whom to ask instead.

use std::error::Error as _;
use std::time::Duration;

use acumen_proto::WireError;
use acumen_protocol::AccountId;
use tonic::{Code, Status};

/// Metadata key of the pause that a refusal asks for, in milliseconds.
pub(crate) const RETRY_AFTER_MS: &str = "retry-after-ms";

/// Longest text of a refusal that is kept, in characters: the miner chose it.
const MAX_MESSAGE_CHARS: usize = 300;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The published endpoint cannot be used.
    #[error("endpoint `{url}`: {reason}")]
    Endpoint {
        /// The URL.
        url: String,
        /// Why.
        reason: String,
    },
    /// No connection, or it broke.
    #[error("the miner cannot be reached: {reason}")]
    Unreachable {
        /// The transport's words.
        reason: String,
    },
    /// The miner answered with an error.
    #[error("the miner refused ({code:?}): {message}")]
    Refused {
        /// The gRPC code.
        code: Code,
        /// The miner's words, cut to 300 characters.
        message: String,
        /// The pause it asks for.
        retry_after: Option<Duration>,
    },
    /// No answer before the deadline.
    #[error("no answer within {limit:?}")]
    Late {
        /// The deadline.
        limit: Duration,
    },
    /// The answer's receipt is missing or not the miner's over this conversation.
    #[error("the answer carries no valid receipt of {miner}")]
    BadReceipt {
        /// Who should have signed.
        miner: AccountId,
    },
    /// The answer cannot be what was asked for.
    #[error("the answer is malformed: {0}")]
    Malformed(#[from] WireError),
    /// Another hotkey serves at the endpoint.
    #[error("{found} answers at the endpoint of {expected}")]
    OtherMiner {
        /// The miner that was asked.
        expected: AccountId,
        /// The hotkey that answered.
        found: AccountId,
    },
    /// The stream has ended: by the miner without a word, or by an earlier error of this session.
    #[error("the stream is closed; open a new one")]
    Closed,
    /// The operating system gave no random bytes for the session key.
    #[error("no random bytes for a session key: {reason}")]
    Randomness {
        /// The system's words.
        reason: String,
    },
}

impl ClientError {
    /// True if what happened may mean that the miner serves somewhere else now. A refusal is not signed: only those that a
    /// miner gives for its load, or for the asker's stake, are taken for a sign that it is there.
    #[must_use]
    pub const fn may_have_moved(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Late { .. }
            | Self::BadReceipt { .. }
            | Self::OtherMiner { .. }
            | Self::Endpoint { .. }
            | Self::Closed => true,
            Self::Refused { code, .. } => !matches!(code, Code::ResourceExhausted | Code::PermissionDenied),
            Self::Malformed(_) | Self::Randomness { .. } => false,
        }
    }
}

impl From<Status> for ClientError {
    /// A status with a source was made on this side, of a transport error; one without came from the miner.
    fn from(status: Status) -> Self {
        if let Some(mut cause) = status.source() {
            while let Some(next) = cause.source() {
                cause = next;
            }
            return Self::Unreachable { reason: cause.to_string() };
        }
        let retry_after = status
            .metadata()
            .get(RETRY_AFTER_MS)
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .map(Duration::from_millis);
        let message = status.message().chars().take(MAX_MESSAGE_CHARS).collect();
        Self::Refused { code: status.code(), message, retry_after }
    }
}
