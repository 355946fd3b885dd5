//! An answer as server-sent events.
//!
//! Order: the role of each choice (chats), text, for each choice a last chunk without text and with the reason, usage if
//! asked for, `[DONE]`. An error after the head is an event of its own, after which the stream ends without a false
//! reason and without `[DONE]`. While nothing happens a comment is sent every [`PING`].

use std::convert::Infallible;
use std::time::Duration;

use axum::http::HeaderValue;
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use tokio::sync::mpsc::Receiver;

use super::error::ApiError;
use super::render::Reply;
use crate::collective::generate::{Ending, Event};
use crate::core::decode::Piece;
use crate::core::request::Kind;

/// Shorter than the idle limits of common proxies.
const PING: Duration = Duration::from_secs(10);

/// Starts the response; it fails with a status while no token is there, because then it still can. Dropping it drops
/// `events`, which cancels the request.
pub(super) async fn respond(reply: Reply, mut events: Receiver<Event>) -> Response {
    let first = match events.recv().await {
        Some(Event::Failed(failure)) => return ApiError::from(failure).into_response(),
        None => return ApiError::cut().into_response(),
        Some(event) => event,
    };
    let keep_alive = KeepAlive::new().interval(PING).text("ping");
    let mut response = Sse::new(events_of(reply, first, events)).keep_alive(keep_alive).into_response();
    // Proxies that buffer would turn a stream into a late whole answer.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

fn events_of(
    mut reply: Reply,
    first: Event,
    mut events: Receiver<Event>,
) -> impl futures::Stream<Item = Result<sse::Event, Infallible>> {
    async_stream::stream! {
        if reply.kind == Kind::Chat {
            for choice in 0..reply.choices() {
                yield data(&reply.role(choice));
            }
        }
        let mut next = Some(first);
        loop {
            let event = match next.take() {
                Some(event) => event,
                None => match events.recv().await {
                    Some(event) => event,
                    None => { yield data(&ApiError::cut().body()); return; }
                },
            };
            match event {
                Event::Opened { .. } => {}
                Event::Failed(failure) => { yield data(&ApiError::from(failure).body()); return; }
                Event::Pieces { pieces, ending } => {
                    for chunk in chunks(&mut reply, &pieces, ending.as_ref()) {
                        yield data(&chunk);
                    }
                    if ending.is_some() {
                        yield Ok(sse::Event::default().data("[DONE]"));
                        return;
                    }
                }
            }
        }
    }
}

/// The chunks of one event; the record of who answered goes with the last finish.
fn chunks(reply: &mut Reply, pieces: &[Piece], ending: Option<&Ending>) -> Vec<Value> {
    let mut chunks = Vec::new();
    let last = pieces.iter().rposition(|piece| piece.finish.is_some());
    for (at, piece) in pieces.iter().enumerate() {
        if !piece.text.is_empty() {
            chunks.push(reply.text(piece));
        }
        if let Some(reason) = piece.finish {
            chunks.push(reply.finish(piece.choice, reason, ending.filter(|_| Some(at) == last)));
        }
    }
    if let Some(ending) = ending.filter(|_| reply.include_usage) {
        chunks.push(reply.usage_chunk(ending));
    }
    chunks
}

fn data(value: &Value) -> Result<sse::Event, Infallible> {
    Ok(sse::Event::default().data(value.to_string()))
}
