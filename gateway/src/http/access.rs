//! Who may ask, and how often.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use acumen_protocol::Hash;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio::time::Instant;

use super::App;
use super::error::ApiError;
use super::rate::{Allowance, Bucket};

/// Longest key that is hashed: bounds the work for a stranger.
const MAX_KEY_BYTES: usize = 512;

/// The accepted keys with what is left of their allowances; `None` lets everybody ask.
#[derive(Debug)]
pub(super) struct Access {
    buckets: Option<Mutex<BTreeMap<Hash, Bucket>>>,
    per_minute: u32,
}

impl Access {
    pub(super) fn new(keys: Option<BTreeSet<Hash>>, per_minute: u32) -> Self {
        let now = Instant::now();
        let full = |key: Hash| (key, Bucket::full(per_minute, now));
        Self { buckets: keys.map(|keys| Mutex::new(keys.into_iter().map(full).collect())), per_minute }
    }

    pub(super) const fn is_open(&self) -> bool {
        self.buckets.is_none()
    }

    fn take(&self, headers: &HeaderMap, now: Instant) -> Result<Option<Allowance>, ApiError> {
        let Some(buckets) = &self.buckets else { return Ok(None) };
        let header = headers.get(AUTHORIZATION).ok_or_else(ApiError::no_key)?;
        let key = header.to_str().ok().and_then(bearer).ok_or_else(ApiError::no_key)?;
        if key.len() > MAX_KEY_BYTES {
            return Err(ApiError::wrong_key());
        }
        let mut buckets = buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.get_mut(&Hash::of(key.as_bytes())).ok_or_else(ApiError::wrong_key)?;
        Ok(Some(bucket.take(self.per_minute, now)))
    }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim()).filter(|key| !key.is_empty())
}

/// Middleware of `/v1`: checks the key before the body is read.
pub(super) async fn check(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let allowance = match app.access.take(request.headers(), Instant::now()) {
        Err(error) => return error.into_response(),
        Ok(None) => return next.run(request).await,
        Ok(Some(allowance)) => allowance,
    };
    let limit = app.access.per_minute;
    let mut response = match allowance.retry_after {
        Some(pause) => ApiError::rate_limited(limit, pause).into_response(),
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert("x-ratelimit-limit-requests", limit.into());
    headers.insert("x-ratelimit-remaining-requests", allowance.remaining.into());
    if let Ok(reset) = HeaderValue::from_str(&format!("{}s", allowance.reset.as_secs())) {
        headers.insert("x-ratelimit-reset-requests", reset);
    }
    response
}
