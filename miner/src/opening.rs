//! The opening of a Predict stream: its doors, then the first answer.

use std::sync::Arc;
use std::time::Duration;

use acumen_proto::inference::{self, ClientMessage, Open};
use acumen_proto::{PREDICT_PATH, WireError, inference_v1 as wire};
use tonic::{Request, Streaming};

use crate::doors::{Caller, at_most, check_tokens};
use crate::guard::Guard;
use crate::refusal::Refusal;
use crate::service::Shared;
use crate::stream::Running;

/// Passes the doors, asks the model for the first answer and returns it with the running stream.
pub(crate) async fn open(
    shared: Arc<Shared>,
    request: Request<Streaming<wire::PredictRequest>>,
) -> Result<(wire::PredictResponse, Running), Refusal> {
    let caller = Caller::new(&shared, request.metadata())?;
    let mut incoming = request.into_inner();
    let (open, bytes) = first_message(&shared, &mut incoming).await?;
    let vocabulary = caller.engine.info().vocab;
    check_question(&shared, &open, vocabulary)?;

    let admitted = caller.admit(&shared, PREDICT_PATH, &bytes).await?;
    let slot = shared.slots.take(admitted.sender)?;
    let mut guard = Guard::new(Arc::clone(&shared), slot, caller.tracked, caller.started);

    let Open { session_key, contexts, top_k } = open;
    let documents = contexts.len();
    let tokens: usize = contexts.iter().map(Vec::len).sum();
    let cost: usize = contexts.iter().map(|context| context.len().max(1)).sum();
    let opened = async {
        let _ticket = shared.admission.enter(admitted.sender, admitted.stake, cost, caller.deadline).await?;
        shared.metrics.queued.observe(caller.started.elapsed().as_secs_f64());
        Ok(caller.engine.open(contexts).await?)
    };
    let opened = tokio::select! {
        () = shared.kill.cancelled() => Err(Refusal::Draining),
        opened = opened => opened,
    };
    let (session, rows) = opened.inspect_err(|_| guard.fail())?;
    shared.metrics.first.observe(caller.started.elapsed().as_secs_f64());
    shared.metrics.prompt_tokens.inc_by(tokens as u64);
    let transcript = admitted.transcript;
    let mut running =
        Running { incoming, session, session_key, transcript, documents, vocabulary, top_k, guard };
    let first = running.seal(rows);
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
