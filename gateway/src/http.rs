//! The HTTP side: OpenAI's API, probes, metrics, a page.
//!
//! Order for a request to `/v1`: request id, origin, API key, rate limit, size, validation, admission, miners. Each refusal has
//! OpenAI's error shape and a status that tells the client's fault (4xx) from a busy network (503).

mod access;
mod answer;
mod cors;
mod error;
mod ids;
pub(crate) mod keys;
mod middleware;
mod models;
mod page;
mod rate;
mod render;
mod status;
mod stream;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::http::{Method, Uri};
use axum::middleware::{from_fn_with_state, map_response};
use axum::routing::{get, post};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::collective::Collective;
use crate::core::request::Limits;
use crate::metrics::Metrics;
use crate::{Config, Error};
use access::Access;
use error::ApiError;
use ids::Ids;

/// What all handlers share.
#[derive(Debug)]
pub struct App {
    limits: Limits,
    max_body_bytes: usize,
    body_timeout: Duration,
    cors_origins: Vec<String>,
    collective: Arc<Collective>,
    metrics: Arc<Metrics>,
    access: Access,
    admission: Arc<Semaphore>,
    ids: Ids,
    /// Seconds since the Unix epoch at which the gateway started: when its model was "created".
    started: u64,
    draining: CancellationToken,
    stop: CancellationToken,
}

impl App {
    /// Reads the API keys; `draining` refuses new answers in `/ready`, `stop` cuts answers in flight.
    ///
    /// # Errors
    /// [`Error::ApiKeys`], [`Error::Randomness`].
    pub fn new(
        config: &Config,
        collective: Arc<Collective>,
        metrics: Arc<Metrics>,
        draining: CancellationToken,
        stop: CancellationToken,
    ) -> Result<Self, Error> {
        let keys = config.api_keys.as_deref().map(keys::load).transpose()?;
        if keys.is_none() {
            tracing::warn!(listen = %config.listen, "no `api_keys`: everybody who reaches this address may ask");
        }
        Ok(Self {
            limits: config.limits(),
            max_body_bytes: config.max_body_bytes,
            body_timeout: Duration::from_millis(config.body_timeout_ms),
            cors_origins: config.cors_origins.clone(),
            collective,
            metrics,
            access: Access::new(keys, config.requests_per_minute),
            admission: Arc::new(Semaphore::new(config.max_concurrent_requests)),
            ids: Ids::from_system()?,
            started: now(),
            draining,
            stop,
        })
    }
}

/// Seconds since the Unix epoch.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// All routes.
pub fn router(app: Arc<App>) -> Router {
    let api = Router::new()
        .route("/v1/completions", post(answer::completions))
        .route("/v1/chat/completions", post(answer::chat_completions))
        .route("/v1/models", get(models::list))
        .route("/v1/models/{id}", get(models::one))
        .route_layer(from_fn_with_state(Arc::clone(&app), access::check));
    Router::new()
        .merge(api)
        .route("/", get(page::page))
        .route("/health", get(status::health))
        .route("/ready", get(status::ready))
        .route("/metrics", get(status::metrics))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(Arc::clone(&app), cors::allow))
        .layer(from_fn_with_state(Arc::clone(&app), middleware::observe))
        .layer(map_response(middleware::harden))
        .with_state(app)
}

async fn unknown(method: Method, uri: Uri) -> ApiError {
    ApiError::unknown_url(&method, uri.path())
}

async fn wrong_method(method: Method, uri: Uri) -> ApiError {
    ApiError::wrong_method(&method, uri.path())
}
