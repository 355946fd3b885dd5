//! What every response gets: a request id, a line in the log, a count, headers that browsers heed.
//!
//! The id is the client's `x-request-id` if it sends a sound one, else one made here. It names the span in which everything
//! of the request is logged, goes to each miner that is asked ([`crate::collective::generate`]), and comes back.

use std::sync::Arc;

use acumen_proto::RequestId;
use acumen_proto::request_id::X_REQUEST_ID;
use axum::extract::{MatchedPath, Request, State};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::App;

/// Gives the request its id and its span, counts it, and sends the id back.
pub(super) async fn observe(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let given = request.headers().get(X_REQUEST_ID).and_then(|id| RequestId::parse(id.as_bytes()));
    let own = || RequestId::parse_or_fresh(Some(app.ids.id("req_").as_bytes()));
    let id = given.unwrap_or_else(own);
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!("request", id = id.as_str(), route);
    request.extensions_mut().insert(id.clone());
    let started = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let code = response.status().as_u16();
    app.metrics.request(&route, code);
    span.in_scope(|| tracing::debug!(code, head_after = ?started.elapsed(), "answered"));
    // An id is visible ASCII, which a header can hold.
    if let Ok(id) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(X_REQUEST_ID, id);
    }
    response
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
