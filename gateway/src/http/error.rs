//! Errors in OpenAI's shape: `{"error": {"message", "type", "param", "code"}}`.

use std::time::Duration;

use axum::Json;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::collective::generate::Failure;
use crate::core::request::Refusal;

/// An answer that is an error.
#[derive(Clone, Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    kind: &'static str,
    code: &'static str,
    param: Option<String>,
    message: String,
    retry_after: Option<Duration>,
}

impl ApiError {
    fn new(status: StatusCode, kind: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, kind, code, param: None, message: message.into(), retry_after: None }
    }

    fn invalid(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self::new(status, "invalid_request_error", code, message)
    }

    pub(super) fn unknown_url(method: &Method, path: &str) -> Self {
        let path: String = path.chars().take(200).collect();
        Self::invalid(StatusCode::NOT_FOUND, "unknown_url", format!("Unknown request URL: {method} {path}."))
    }

    pub(super) fn wrong_method(method: &Method, path: &str) -> Self {
        let message = format!("{path} does not answer {method}: see the `Allow` header.");
        Self::invalid(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
    }

    pub(super) fn no_key() -> Self {
        let message = "You didn't provide an API key: send `Authorization: Bearer KEY`.";
        Self::invalid(StatusCode::UNAUTHORIZED, "missing_api_key", message)
    }

    pub(super) fn wrong_key() -> Self {
        Self::invalid(StatusCode::UNAUTHORIZED, "invalid_api_key", "Incorrect API key provided.")
    }

    pub(super) fn rate_limited(per_minute: u32, retry_after: Duration) -> Self {
        let message = format!("Your key may make {per_minute} requests per minute: slow down.");
        let error =
            Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", "rate_limit_exceeded", message);
        Self { retry_after: Some(retry_after), ..error }
    }

    pub(super) fn overloaded() -> Self {
        let message = "The gateway is answering as many requests as it can: try again in a second.";
        let error = Self::new(StatusCode::SERVICE_UNAVAILABLE, "service_unavailable", "overloaded", message);
        Self { retry_after: Some(Duration::from_secs(1)), ..error }
    }

    pub(super) fn large_body(limit: usize) -> Self {
        let message = format!("The body is larger than {limit} bytes.");
        Self::invalid(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
    }

    pub(super) fn slow_body(limit: Duration) -> Self {
        let message = format!("The body was not complete within {} ms.", limit.as_millis());
        Self::invalid(StatusCode::REQUEST_TIMEOUT, "body_timeout", message)
    }

    pub(super) fn unreadable_body(reason: &str) -> Self {
        Self::invalid(StatusCode::BAD_REQUEST, "unreadable_body", reason)
    }

    /// The answer ended without its last event: its reader was too slow.
    pub(super) fn cut() -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, "timeout_error", "timeout", "the answer was not read in time")
    }

    /// The body, for a response or an event in a stream that has begun.
    pub(super) fn body(&self) -> Value {
        json!({"error": {
            "message": self.message, "type": self.kind, "param": self.param, "code": self.code,
        }})
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let status = if refusal.is_no_model() { StatusCode::NOT_FOUND } else { StatusCode::BAD_REQUEST };
        Self { param: refusal.param, ..Self::invalid(status, refusal.code, refusal.message) }
    }
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        let (status, kind, code) = match failure {
            Failure::NoMiners { .. } => (unavailable, "service_unavailable", "no_miners"),
            Failure::Lost => (unavailable, "service_unavailable", "miners_lost"),
            Failure::ShuttingDown => (unavailable, "service_unavailable", "shutting_down"),
            Failure::TimedOut { .. } => (StatusCode::GATEWAY_TIMEOUT, "timeout_error", "timeout"),
        };
        let retry_after = match failure {
            Failure::NoMiners { retry_after } => Some(retry_after),
            Failure::Lost | Failure::ShuttingDown => Some(Duration::from_secs(1)),
            Failure::TimedOut { .. } => None,
        };
        Self { retry_after, ..Self::new(status, kind, code, failure.to_string()) }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body())).into_response();
        if let Some(pause) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, pause.as_secs().max(1).into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
