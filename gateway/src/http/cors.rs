//! Cross-origin requests: which pages in browsers may ask this gateway.
//!
//! Nobody's by default. An origin of the list is echoed, never `*`, and credentials (cookies) are never allowed: an API
//! key travels in `Authorization`, which the page must set itself.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::App;

/// What a page may read beside the body.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "x-request-id, retry-after, x-ratelimit-limit-requests, x-ratelimit-remaining-requests, \
     x-ratelimit-reset-requests",
);

/// Seconds for which a browser may remember a preflight's answer: Chromium's own limit.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

/// Middleware: answers preflights of allowed origins and marks answers as theirs to read.
pub(super) async fn allow(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if app.cors_origins.is_empty() {
        return next.run(request).await;
    }
    let origin = request.headers().get(ORIGIN).filter(|origin| allows(&app.cors_origins, origin)).cloned();
    let asked = preflight(request.method(), request.headers());
    let mut response = match (&origin, &asked) {
        (Some(_), Some(_)) => StatusCode::NO_CONTENT.into_response(),
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("origin"));
    let Some(origin) = origin else { return response };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    if let Some(wanted) = asked {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
        headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        // SDKs send headers of their own, which change from version to version; none of them opens anything.
        wanted.map(|wanted| headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted));
    }
    response
}

fn allows(origins: &[String], origin: &HeaderValue) -> bool {
    origins.iter().any(|allowed| allowed == "*" || allowed.as_bytes() == origin.as_bytes())
}

/// The headers that a preflight asks for; `None` if the request is none.
fn preflight(method: &Method, headers: &HeaderMap) -> Option<Option<HeaderValue>> {
    let is_one = method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    is_one.then(|| headers.get(ACCESS_CONTROL_REQUEST_HEADERS).cloned())
}
