//! Every reason to refuse a question: its gRPC status, its words, its label in `/metrics`.

use std::time::Duration;

use acumen_models::{ModelError, ReplicaError};
use acumen_proto::WireError;
use acumen_protocol::auth::AuthError;
use acumen_protocol::{AccountId, Nacu};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::engine::EngineError;
use crate::upstream::UpstreamError;

/// Metadata key of the pause that a refusal asks for, in milliseconds.
const RETRY_AFTER_MS: &str = "retry-after-ms";

/// Why a question is refused, or a stream ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("the first message of a stream must be `open`")]
    NotOpened,
    #[error("`open` comes once, then `step`")]
    OpenedTwice,
    #[error("the request was not complete within {0:?}")]
    OpeningTimeout(Duration),
    #[error("{what} is {found}, this miner's `{limit}` is {allowed}")]
    Limit { what: &'static str, limit: &'static str, found: u64, allowed: u64 },
    #[error("{found} tokens for {documents} documents: send exactly one for each")]
    TokenCount { found: usize, documents: usize },
    #[error("the step is not signed by the stream's session key over the conversation so far")]
    StepSignature,
    #[error("{sender} has {} staked, this miner answers from {} on", stake.to_acu_string(), least.to_acu_string())]
    Stake { sender: AccountId, stake: Nacu, least: Nacu },
    #[error("the stake of {sender} is not known here yet, try again later")]
    StakeUnknown { sender: AccountId },
    #[error("too many streams opened in this second for the sender's stake")]
    RateLimit { retry_after: Duration },
    #[error("all {allowed} places ({limit}) are in use")]
    Slots { limit: &'static str, allowed: usize, retry_after: Duration },
    #[error(
        "the stream has given its place to a sender who uses less for its stake (all of `max_streams` or `session_tokens` \
         are in use): open it again later"
    )]
    GaveWay { retry_after: Duration },
    #[error("the model is loading")]
    Loading,
    #[error("this miner is shutting down: ask another")]
    Draining,
    #[error("no step within {0:?}")]
    Idle(Duration),
    #[error("the client did not read for {0:?}")]
    Unread(Duration),
    #[error("the waiting queue is full (`{limit}` is {allowed})")]
    Queue { limit: &'static str, allowed: u64, retry_after: Duration },
    #[error("the wait would be {} ms, {} ms are allowed", wait.as_millis(), allowed.as_millis())]
    Wait { wait: Duration, allowed: Duration, retry_after: Duration },
    #[error("the deadline has passed while the request waited for the model")]
    Deadline,
    #[error("{0}")]
    Unsupported(String),
    #[error("the text cannot be encoded: {0}")]
    Text(String),
    #[error(transparent)]
    Model(#[from] ReplicaError),
    #[error("{error}")]
    Upstream { error: UpstreamError, retry_after: Option<Duration> },
}

/// The pause asked for when the engine behind the miner says that it is busy: it does not say for how long.
const UPSTREAM_PAUSE: Duration = Duration::from_secs(1);

impl From<EngineError> for Refusal {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Replica(error) => Self::Model(error),
            EngineError::Upstream(error) => {
                let retry_after = (error == UpstreamError::Busy).then_some(UPSTREAM_PAUSE);
                Self::Upstream { error, retry_after }
            }
        }
    }
}

impl Refusal {
    /// The value of the label `reason`: one of a fixed set.
    pub(crate) const fn label(&self) -> &'static str {
        match self {
            Self::Auth(error) => auth_label(error),
            Self::Wire(_) | Self::NotOpened | Self::OpenedTwice | Self::TokenCount { .. } => "shape",
            Self::Limit { .. } => "limit",
            Self::OpeningTimeout(_) => "opening_timeout",
            Self::StepSignature => "step_signature",
            Self::Stake { .. } => "permission",
            Self::StakeUnknown { .. } => "stake_unknown",
            Self::RateLimit { .. } => "rate_limit",
            Self::Slots { .. } => "slots",
            Self::GaveWay { .. } => "gave_way",
            Self::Loading => "loading",
            Self::Draining => "draining",
            Self::Idle(_) => "idle",
            Self::Unread(_) => "unread",
            Self::Queue { .. } => "queue",
            Self::Wait { .. } => "wait",
            Self::Deadline => "deadline",
            Self::Unsupported(_) => "unsupported",
            Self::Text(_) => "limit",
            Self::Model(ReplicaError::Overloaded { .. }) => "overload",
            Self::Model(error) if is_for_good(error) => "limit",
            Self::Model(_) => "model",
            Self::Upstream { .. } => "upstream",
        }
    }

    /// The status as it is sent.
    pub(crate) fn status(&self) -> Status {
        if let Self::Auth(error) = self {
            return acumen_proto::auth::status(error);
        }
        let Some(pause) = self.retry_after() else { return Status::new(self.code(), self.to_string()) };
        // Ours is easy to read, `google.rpc.RetryInfo` is what gRPC libraries know.
        let milliseconds = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        let mut metadata = MetadataMap::new();
        metadata.insert(RETRY_AFTER_MS, MetadataValue::from(milliseconds));
        let details = ErrorDetails::with_retry_info(Some(pause));
        Status::with_error_details_and_metadata(self.code(), self.to_string(), details, metadata)
    }

    const fn code(&self) -> Code {
        match self {
            Self::Auth(_) | Self::StepSignature => Code::Unauthenticated,
            Self::Wire(_)
            | Self::Text(_)
            | Self::NotOpened
            | Self::OpenedTwice
            | Self::Limit { .. }
            | Self::TokenCount { .. } => Code::InvalidArgument,
            Self::OpeningTimeout(_) | Self::Idle(_) | Self::Unread(_) | Self::Deadline => {
                Code::DeadlineExceeded
            }
            Self::Unsupported(_) => Code::Unimplemented,
            Self::Stake { .. } => Code::PermissionDenied,
            Self::RateLimit { .. }
            | Self::Slots { .. }
            | Self::GaveWay { .. }
            | Self::Queue { .. }
            | Self::Wait { .. }
            | Self::Upstream { error: UpstreamError::Busy, .. }
            | Self::Model(ReplicaError::Overloaded { .. }) => Code::ResourceExhausted,
            Self::Upstream { .. } => Code::Unavailable,
            Self::StakeUnknown { .. } | Self::Loading | Self::Draining => Code::Unavailable,
            Self::Model(error) => model_code(error),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimit { retry_after }
            | Self::Slots { retry_after, .. }
            | Self::GaveWay { retry_after }
            | Self::Queue { retry_after, .. }
            | Self::Wait { retry_after, .. } => Some(*retry_after),
            Self::Upstream { retry_after, .. } => *retry_after,
            Self::Model(ReplicaError::Overloaded { retry_after_ms }) => {
                Some(Duration::from_millis(*retry_after_ms))
            }
            _ => None,
        }
    }
}

const fn auth_label(error: &AuthError) -> &'static str {
    match error {
        AuthError::Missing { .. } => "unsigned",
        AuthError::Receiver { .. } => "receiver",
        AuthError::Stale { .. } => "freshness",
        AuthError::Signature => "signature",
        AuthError::Replay { .. } => "replay",
        AuthError::Store { .. } => "nonce_store",
        _ => "auth_shape",
    }
}

/// Whether the request could not be answered at any time: it is the request's fault, not the model's.
const fn is_for_good(error: &ReplicaError) -> bool {
    matches!(
        error,
        ReplicaError::Model(
            ModelError::Token { .. }
                | ModelError::DocumentCount { .. }
                | ModelError::NoDocuments
                | ModelError::Config { .. }
                | ModelError::CacheFull { .. }
        )
    )
}

const fn model_code(error: &ReplicaError) -> Code {
    match error {
        error if is_for_good(error) => Code::InvalidArgument,
        ReplicaError::Model(ModelError::Engine(_)) => Code::Internal,
        _ => Code::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_waiting_would_mend_is_the_requests_fault() {
        let config = ModelError::Config { field: "contexts", reason: "needs more than there is".to_owned() };
        for error in [config, ModelError::CacheFull { tokens: 9, capacity: 8 }, ModelError::NoDocuments] {
            let refusal = Refusal::from(ReplicaError::from(error));
            assert_eq!(
                (refusal.label(), refusal.status().code()),
                ("limit", Code::InvalidArgument),
                "{refusal}"
            );
        }
        for error in [ModelError::Hung, ModelError::SessionLost, ModelError::Panicked(String::new())] {
            let refusal = Refusal::from(ReplicaError::from(error));
            assert_eq!((refusal.label(), refusal.status().code()), ("model", Code::Unavailable), "{refusal}");
        }
    }
}
