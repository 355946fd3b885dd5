//! The two generating endpoints: validate, admit, ask the collective, present.

use std::sync::Arc;

use acumen_proto::RequestId;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use futures::StreamExt as _;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::Receiver;

use super::error::ApiError;
use super::render::Reply;
use super::{App, now, stream};
use crate::collective::generate::{Event, Job, start};
use crate::core::decode::Decoding;
use crate::core::request::{Kind, Query};
use crate::metrics::Metrics;

type Id = Extension<RequestId>;

pub(super) async fn completions(
    State(app): State<Arc<App>>,
    Extension(id): Id,
    body: Body,
) -> Result<Response, ApiError> {
    answer(app, Kind::Completion, id, body).await
}

pub(super) async fn chat_completions(
    State(app): State<Arc<App>>,
    Extension(id): Id,
    body: Body,
) -> Result<Response, ApiError> {
    answer(app, Kind::Chat, id, body).await
}

async fn answer(app: Arc<App>, kind: Kind, id: RequestId, body: Body) -> Result<Response, ApiError> {
    let body = read(&app, body).await?;
    let query = Query::parse(kind, &body, &app.limits)?;
    let place = Place::take(&app)?;
    app.metrics.prompt_tokens.inc_by(query.prompt_tokens() as u64);
    let seed = query.seed.unwrap_or_else(|| app.ids.seed());
    let job = Job { decoding: Decoding::new(&query, seed), request_id: id, stop: app.stop.clone(), place };
    let mut events = start(Arc::clone(&app.collective), job);
    // The status is decided by the first event: nobody answers, or tokens follow.
    let fingerprint = match events.recv().await {
        Some(Event::Opened { fingerprint }) => fingerprint,
        Some(Event::Failed(failure)) => return Err(failure.into()),
        Some(Event::Pieces { .. }) | None => return Err(ApiError::cut()),
    };
    let prefix = if kind == Kind::Chat { "chatcmpl-" } else { "cmpl-" };
    let reply = Reply::new(&query, app.ids.id(prefix), now(), app.limits.model.clone(), fingerprint);
    if query.stream {
        return Ok(stream::respond(reply, events).await);
    }
    whole(reply, events).await
}

/// The whole body, within its size and its time.
async fn read(app: &App, body: Body) -> Result<Bytes, ApiError> {
    let limit = app.max_body_bytes;
    let mut parts = body.into_data_stream();
    let reading = async {
        let mut whole = Vec::new();
        while let Some(part) = parts.next().await {
            let part = part.map_err(|error| ApiError::unreadable_body(&error.to_string()))?;
            if part.len() > limit.saturating_sub(whole.len()) {
                return Err(ApiError::large_body(limit));
            }
            whole.extend_from_slice(&part);
        }
        Ok(Bytes::from(whole))
    };
    tokio::time::timeout(app.body_timeout, reading)
        .await
        .unwrap_or_else(|_| Err(ApiError::slow_body(app.body_timeout)))
}

async fn whole(mut reply: Reply, mut events: Receiver<Event>) -> Result<Response, ApiError> {
    let mut shown = Vec::new();
    while let Some(event) = events.recv().await {
        match event {
            Event::Opened { .. } => {}
            Event::Failed(failure) => return Err(failure.into()),
            Event::Pieces { pieces, ending } => {
                shown.extend(pieces);
                if let Some(ending) = ending {
                    return Ok(Json(reply.whole(&shown, &ending)).into_response());
                }
            }
        }
    }
    Err(ApiError::cut())
}

/// A request's place among those answered at once; given back when its task ends.
struct Place {
    metrics: Arc<Metrics>,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    fn take(app: &App) -> Result<Self, ApiError> {
        let permit = Arc::clone(&app.admission).try_acquire_owned().map_err(|_| ApiError::overloaded())?;
        app.metrics.in_flight.inc();
        Ok(Self { metrics: Arc::clone(&app.metrics), _permit: permit })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
    }
}
