//! `/metrics` for Prometheus, `/livez` and `/readyz` for whoever restarts it.

use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::metrics::Metrics;

/// What OpenMetrics text calls itself.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves until `stop`. Ready means: the hotkey is registered, so weights can be set.
pub(crate) async fn serve(
    listener: TcpListener,
    registry: Registry,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) -> Result<(), String> {
    let registry = Arc::new(registry);
    let page = move || {
        let registry = Arc::clone(&registry);
        async move {
            let mut text = String::new();
            match prometheus_client::encoding::text::encode(&mut text, &registry) {
                Ok(()) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
                Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
            }
        }
    };
    let ready = move || {
        let registered = metrics.registered.get() == 1;
        let status = if registered { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        std::future::ready((status, if registered { "ready\n" } else { "the hotkey is not registered\n" }))
    };
    let routes = Router::new()
        .route("/metrics", get(page))
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(ready));
    let served = axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned()).await;
    served.map_err(|error| error.to_string())
}
