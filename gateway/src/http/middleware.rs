//! What every response gets: a request id, a line in the log, a count, headers that browsers heed.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::Instant;

use super::App;

const REQUEST_ID: &str = "x-request-id";

/// Longest request id that is taken over from a client.
const MAX_ID_BYTES: usize = 128;

/// Gives the response a request id and counts it.
pub(super) async fn observe(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let given = request.headers().get(REQUEST_ID).filter(|id| is_id(id)).cloned();
    let id = given.or_else(|| HeaderValue::from_str(&app.ids.id("req_")).ok());
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let started = Instant::now();
    let mut response = next.run(request).await;
    let code = response.status().as_u16();
    app.metrics.request(&route, code);
    tracing::debug!(?id, route, code, head_after = ?started.elapsed(), "answered");
    if let Some(id) = id {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// Graphic ASCII only: an id goes into logs.
fn is_id(id: &HeaderValue) -> bool {
    !id.is_empty() && id.len() <= MAX_ID_BYTES && id.as_bytes().iter().all(u8::is_ascii_graphic)
}

/// Nothing served here runs scripts or may be taken for another type than it is.
pub(super) async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    );
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
