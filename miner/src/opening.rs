//! The doors of a stream, in the order of docs/spec/auth.md: shape → receiver → freshness → signature → replay →
//! permission → rate → slots → the model's queue.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use acumen_proto::inference::{self, ClientMessage, Open};
use acumen_proto::{PREDICT_PATH, WireError, auth, inference_v1 as wire};
use acumen_protocol::AccountId;
use acumen_protocol::auth::{AuthError, AuthHeaders};
use acumen_protocol::session::{Direction, Transcript};
use tonic::{Request, Streaming};

use crate::refusal::Refusal;
use crate::service::Shared;
use crate::stream::{Guard, Running};

/// Passes the doors, asks the model for the first answer and returns it with the running stream.
pub(crate) async fn open(
    shared: Arc<Shared>,
    request: Request<Streaming<wire::PredictRequest>>,
) -> Result<(wire::PredictResponse, Running), Refusal> {
    let started = Instant::now();
    let tracked = shared.streams.token();
    if shared.draining.is_cancelled() {
        return Err(Refusal::Draining);
    }
    let replica = shared.model.ready()?;
    let headers = auth::extract(request.metadata())?;
    let mut incoming = request.into_inner();
    let (open, bytes) = first_message(&shared, &mut incoming).await?;
    check_question(&shared, &open, replica.info().vocab)?;

    let transcript = Transcript::open(&headers.signature).absorb(Direction::Client, &bytes);
    let sender = authenticate(&shared, headers, bytes).await?;
    let stake = shared.access.admit(sender).await?;
    shared.rate.count(sender, stake, Instant::now())?;
    let slot = shared.slots.take(sender)?;
    let mut guard = Guard::new(Arc::clone(&shared), slot, tracked, started);

    let Open { session_key, contexts, top_k } = open;
    let documents = contexts.len();
    let tokens: usize = contexts.iter().map(Vec::len).sum();
    let asked = Instant::now();
    let opened = tokio::select! {
        () = shared.kill.cancelled() => Err(Refusal::Draining),
        opened = replica.open(contexts) => opened.map_err(Refusal::from),
    };
    let (session, logprobs) = opened.inspect_err(|_| guard.fail())?;
    shared.metrics.answered(asked.elapsed());
    shared.metrics.first.observe(started.elapsed().as_secs_f64());
    shared.metrics.prompt_tokens.inc_by(tokens as u64);
    let vocabulary = replica.info().vocab;
    let mut running =
        Running { incoming, session, session_key, transcript, documents, vocabulary, top_k, guard };
    let first = running.seal(logprobs);
    Ok((first, running))
}

async fn first_message(
    shared: &Shared,
    incoming: &mut Streaming<wire::PredictRequest>,
) -> Result<(Open, Vec<u8>), Refusal> {
    let limit = Duration::from_millis(shared.limits.opening_timeout_ms);
    let message = tokio::time::timeout(limit, incoming.message())
        .await
        .map_err(|_| Refusal::OpeningTimeout(limit))?
        .map_err(|status| WireError { field: "message", reason: status.message().to_owned() })?
        .ok_or(Refusal::NotOpened)?;
    let bytes = inference::request_bytes(&message);
    match ClientMessage::try_from(message)? {
        ClientMessage::Open(open) => Ok((open, bytes)),
        ClientMessage::Step { .. } => Err(Refusal::NotOpened),
    }
}

fn check_question(shared: &Shared, open: &Open, vocabulary: u32) -> Result<(), Refusal> {
    at_most("the number of documents", "max_documents", open.contexts.len(), shared.limits.max_documents)?;
    let longest = open.contexts.iter().map(Vec::len).max().unwrap_or(0);
    at_most("the longest context", "max_context_tokens", longest, shared.limits.max_context_tokens)?;
    open.contexts.iter().try_for_each(|context| check_tokens(context, vocabulary))
}

fn at_most(what: &'static str, limit: &'static str, found: usize, allowed: usize) -> Result<(), Refusal> {
    if found <= allowed {
        return Ok(());
    }
    Err(Refusal::Limit { what, limit, found: found as u64, allowed: allowed as u64 })
}

/// Refuses token ids outside the vocabulary.
pub(crate) fn check_tokens(tokens: &[u32], vocabulary: u32) -> Result<(), Refusal> {
    match tokens.iter().find(|token| **token >= vocabulary) {
        None => Ok(()),
        Some(token) => Err(Refusal::Limit {
            what: "a token id",
            limit: "largest token id",
            found: u64::from(*token),
            allowed: u64::from(vocabulary.saturating_sub(1)),
        }),
    }
}

/// Receiver, freshness, signature, replay. Blocks on the disk, hence not on a thread of the runtime.
async fn authenticate(shared: &Shared, headers: AuthHeaders, bytes: Vec<u8>) -> Result<AccountId, Refusal> {
    let (me, mut nonces) = (shared.account, shared.nonces.clone());
    let checked =
        tokio::task::spawn_blocking(move || headers.verify(&me, PREDICT_PATH, &bytes, now_ns(), &mut nonces));
    let checked = checked.await.map_err(|error| AuthError::Store { reason: error.to_string() })?;
    Ok(checked?.sender())
}

/// The clock in nanoseconds since the Unix epoch; 0 before it, which makes every request stale.
fn now_ns() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
}
