//! One request as a task: open, pool, draw, tell, until done.
//!
//! The task ends, and with it the miners' streams, as soon as the client is gone (its receiver is dropped), the
//! request's time is over, or the gateway stops. It never waits for a slow reader beyond the request's time.

use std::sync::Arc;
use std::time::Duration;

use acumen_proto::RequestId;
use acumen_protocol::AccountId;
use futures::future::join_all;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::backoff::FIRST;
use super::contacts::EndpointSource;
use super::directory::Roster;
use super::ensemble::Ensemble;
use super::provenance::{Provenance, fingerprint_of};
use super::{Candidate, Collective};
use crate::core::decode::{Decoding, Piece};

/// Events that may wait for a slow reader; then the miners wait too.
const QUEUE: usize = 32;

/// A request that nobody has answered waits so long for where its miners may be now.
const SEARCH_WAIT: Duration = Duration::from_secs(3);

/// What a client is told.
#[derive(Debug)]
pub enum Event {
    /// Miners answer: tokens follow.
    Opened {
        /// Digest of miners and weights.
        fingerprint: String,
    },
    /// Text, and in the last one the record of who gave it.
    Pieces {
        /// Of any choice.
        pieces: Vec<Piece>,
        /// Set once, at the end.
        ending: Option<Ending>,
    },
    /// Nothing follows.
    Failed(Failure),
}

/// What is known at the end.
#[derive(Clone, Debug, PartialEq)]
pub struct Ending {
    /// Tokens of the completion that reached the client.
    pub completion_tokens: usize,
    /// Whose answer it is.
    pub provenance: Provenance,
}

/// Why an answer cannot be given, or not to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Nobody to ask.
    #[error("no miner of the subnet can be asked right now; try again in {} s", retry_after.as_secs())]
    NoMiners {
        /// When to try again.
        retry_after: Duration,
    },
    /// All that were asked stopped answering.
    #[error("every miner stopped answering before the answer was complete; try again")]
    Lost,
    /// The request's time is over.
    #[error("the answer was not complete within {} s; ask for fewer tokens", limit.as_secs())]
    TimedOut {
        /// The limit.
        limit: Duration,
    },
    /// The gateway stops.
    #[error("the gateway is shutting down; try again")]
    ShuttingDown,
}

/// What a task needs.
#[derive(Debug)]
pub struct Job<Guard> {
    /// What to decode.
    pub decoding: Decoding,
    /// Sent to every miner that is asked, as `x-request-id`.
    pub request_id: RequestId,
    /// Cancelled when the gateway stops waiting for requests in flight.
    pub stop: CancellationToken,
    /// Held until the task ends: the request's place.
    pub place: Guard,
}

/// Starts a request. Dropping the receiver cancels it.
pub fn start<Guard: Send + 'static>(collective: Arc<Collective>, job: Job<Guard>) -> Receiver<Event> {
    let (events, receiver) = mpsc::channel(QUEUE);
    let task = async move {
        let Job { decoding, request_id, stop, place } = job;
        let limit = collective.settings.request_timeout;
        let failure = tokio::select! {
            biased;
            () = events.closed() => { collective.metrics.cancelled.inc(); None }
            () = stop.cancelled() => Some(Failure::ShuttingDown),
            done = tokio::time::timeout(limit, Box::pin(drive(&collective, (decoding, &request_id), &events))) => {
                done.unwrap_or(Err(Failure::TimedOut { limit })).err()
            }
        };
        if let Some(failure) = failure {
            tracing::info!(%failure, "not answered");
            // A full queue belongs to a reader that does not read; it sees the answer end without its last event.
            let _ = events.try_send(Event::Failed(failure));
        }
        drop(place);
    };
    tokio::spawn(task.in_current_span());
    receiver
}

async fn drive(
    collective: &Arc<Collective>,
    (mut decoding, request_id): (Decoding, &RequestId),
    events: &Sender<Event>,
) -> Result<(), Failure> {
    let started = Instant::now();
    let roster = collective.roster();
    let (pool, step_timeout) = (collective.settings.pool, collective.settings.step_timeout);
    let mut ensemble = open(collective, &roster, &decoding.contexts(), request_id).await?;
    emit(events, Event::Opened { fingerprint: fingerprint_of(pool, &ensemble) }).await;
    let (mut pieces, mut steps, mut last) = (decoding.start(), 0, started);
    loop {
        let mut tokens = Vec::new();
        if !decoding.is_done() {
            let pooled = ensemble.pooled(pool).ok_or(Failure::Lost)?;
            let before = decoding.completion_tokens();
            let turn = decoding.advance(&pooled);
            collective.metrics.completion_tokens.inc_by((decoding.completion_tokens() - before) as u64);
            pieces.extend(turn.pieces);
            tokens = turn.tokens;
            collective.metrics.token_after(steps == 0, last.elapsed());
            (steps, last) = (steps + 1, Instant::now());
        }
        let done = decoding.is_done();
        let ending = done.then(|| Ending {
            completion_tokens: decoding.completion_tokens(),
            provenance: Provenance::new(&roster, pool, &ensemble, steps),
        });
        if done || !pieces.is_empty() {
            emit(events, Event::Pieces { pieces: std::mem::take(&mut pieces), ending }).await;
        }
        if done {
            ensemble.members().iter().filter(|member| member.dropped.is_none()).for_each(|member| {
                collective.note_success(&member.miner.hotkey);
            });
            return Ok(());
        }
        let before = dropped(&ensemble);
        ensemble.step(&tokens, step_timeout).await;
        // Whoever had answered was where it was asked.
        let _ = note_dropped(collective, &ensemble, &before);
    }
}

/// Opens streams to the best miners; if none of them answers, to the next best, until somebody does. Nodes are asked for the
/// records of those whom the chain's endpoint did not lead to; only if nobody answers does the request wait for that.
async fn open(
    collective: &Arc<Collective>,
    roster: &Roster,
    contexts: &[Vec<u32>],
    request_id: &RequestId,
) -> Result<Ensemble, Failure> {
    let mut ensemble = Ensemble::default();
    let mut searches = Vec::new();
    let candidates = collective.candidates(roster);
    if waves(collective, &mut ensemble, &mut searches, (candidates, contexts, request_id)).await {
        return Ok(ensemble);
    }
    if !searches.is_empty() {
        // What is found after that helps the next request.
        let _ = tokio::time::timeout(SEARCH_WAIT, join_all(std::mem::take(&mut searches))).await;
        let mut candidates = collective.candidates(roster);
        candidates.retain(|candidate| candidate.source == EndpointSource::Record);
        if waves(collective, &mut ensemble, &mut searches, (candidates, contexts, request_id)).await {
            return Ok(ensemble);
        }
    }
    tell_why(&ensemble);
    Err(Failure::NoMiners { retry_after: FIRST })
}

/// Opens streams to so many at a time as a request asks; true as soon as somebody answers.
async fn waves(
    collective: &Arc<Collective>,
    ensemble: &mut Ensemble,
    searches: &mut Vec<JoinHandle<()>>,
    (mut candidates, contexts, request_id): (Vec<Candidate>, &[Vec<u32>], &RequestId),
) -> bool {
    for candidate in &mut candidates {
        candidate.client = candidate.client.with_request_id(request_id.clone());
    }
    while !candidates.is_empty() {
        let rest = candidates.split_off(collective.settings.miners.min(candidates.len()));
        let wave = std::mem::replace(&mut candidates, rest);
        let before = dropped(ensemble);
        ensemble.open(wave, contexts, collective.settings.open_timeout).await;
        let astray = note_dropped(collective, ensemble, &before);
        searches.extend(astray.into_iter().filter_map(|hotkey| collective.look_up(hotkey)));
        if ensemble.is_alive() {
            return true;
        }
    }
    false
}

/// The first reason that a miner gave, for the operator: one who cannot ask anybody (no stake, say) must not have to
/// guess. The client is not told: it is between the gateway and its miners.
fn tell_why(ensemble: &Ensemble) {
    let mut reasons = ensemble.members().iter().filter_map(|member| Some((member, member.dropped.as_ref()?)));
    match reasons.next() {
        Some((member, dropped)) => {
            let (miner, others) = (&member.miner.hotkey, reasons.count());
            tracing::warn!(%miner, reason = dropped.reason, others, "no miner answers");
        }
        None => tracing::warn!("no miner is known that may be asked now"),
    }
}

/// Which members are dropped, by position.
fn dropped(ensemble: &Ensemble) -> Vec<bool> {
    ensemble.members().iter().map(|member| member.dropped.is_some()).collect()
}

/// Counts members that were dropped since `before`, and lets them pause; returns those who may serve elsewhere.
fn note_dropped(collective: &Collective, ensemble: &Ensemble, before: &[bool]) -> Vec<AccountId> {
    let mut astray = Vec::new();
    for (at, member) in ensemble.members().iter().enumerate() {
        let new = !before.get(at).copied().unwrap_or(false);
        if let Some(dropped) = member.dropped.as_ref().filter(|_| new) {
            collective.metrics.dropped(dropped.kind);
            if collective.note_failure(member, dropped) {
                astray.push(member.miner.hotkey);
            }
        }
    }
    astray
}

/// Hands an event over; if the receiver is gone the task is about to be cancelled.
async fn emit(events: &Sender<Event>, event: Event) {
    let _ = events.send(event).await;
}
