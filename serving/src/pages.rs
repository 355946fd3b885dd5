//! `/metrics` for Prometheus, `/livez` and `/readyz` for whoever restarts or routes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::connections::{Incoming, Limits};
use crate::metrics_page;

/// Scrapers and probes are few; whoever scrapes every few minutes may keep its connection.
const LIMITS: Limits = Limits { total: 64, per_address: 32, silence: Duration::from_secs(600) };

/// What a server says of itself.
pub trait Pages: Send + Sync + 'static {
    /// Its metrics, as OpenMetrics text.
    ///
    /// # Errors
    /// If they cannot be written down.
    fn metrics(&self) -> Result<String, fmt::Error>;

    /// Whether it can do its work now.
    ///
    /// # Errors
    /// Why not, in a few words.
    fn ready(&self) -> Result<(), &'static str>;
}

/// Serves until `stop`; without a listener, only waits for it.
///
/// # Errors
/// The server's words, if it cannot go on.
pub async fn serve(
    listener: Option<TcpListener>,
    pages: Arc<impl Pages>,
    stop: CancellationToken,
) -> Result<(), String> {
    let Some(listener) = listener else {
        stop.cancelled().await;
        return Ok(());
    };
    let incoming = Incoming::new(listener, LIMITS, |address| {
        tracing::debug!(%address, "no place for another reader of metrics and probes");
    });
    let served = axum::serve(incoming, routes(pages)).with_graceful_shutdown(stop.cancelled_owned());
    served.await.map_err(|error| error.to_string())
}

fn routes<P: Pages>(pages: Arc<P>) -> Router {
    Router::new()
        .route("/metrics", get(metrics::<P>))
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(ready::<P>))
        .with_state(pages)
}

async fn metrics<P: Pages>(State(pages): State<Arc<P>>, headers: HeaderMap) -> Response {
    metrics_page(pages.metrics(), &headers)
}

async fn ready<P: Pages>(State(pages): State<Arc<P>>) -> Response {
    match pages.ready() {
        Ok(()) => "ready\n".into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}

#[cfg(test)]
mod tests;
