//! Probes: alive, ready, counted.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::App;

/// The process answers; says nothing about miners.
pub(super) async fn health() -> impl IntoResponse {
    Json(json!({"status": "ok"}))
}

/// Requests can be answered: miners are known, and no stop was asked for.
pub(super) async fn ready(State(app): State<Arc<App>>) -> impl IntoResponse {
    let roster = app.collective.roster();
    let status = match (app.draining.is_cancelled(), roster.miners.is_empty()) {
        (true, _) => "draining",
        (false, true) => "no miners known",
        (false, false) => "ready",
    };
    let code = if status == "ready" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({
        "status": status,
        "miners": roster.miners.len(),
        "validators": roster.validators,
        "weights": roster.source,
        "height": roster.height.get(),
        "open": app.access.is_open(),
    });
    (code, Json(body))
}

/// For Prometheus.
pub(super) async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    acumen_serving::metrics_page(app.metrics.render(), &headers)
}
