//! The opening of a Predict stream: its doors, then the first answer.

use std::sync::Arc;
use std::time::Duration;

use acumen_proto::inference::{self, ClientMessage, MAX_MESSAGE_BYTES, Open};
use acumen_proto::{PREDICT_PATH, WireError, inference_v1 as wire};
use tonic::{Request, Streaming};

use crate::admission::Cost;
use crate::doors::{Caller, at_most, check_tokens};
use crate::guard::Guard;
use crate::refusal::Refusal;
use crate::service::Shared;
use crate::stream::Running;

/// Bytes of a distribution beside its entries: fields, lengths, the tail.
const ROW_BYTES: usize = 32;

/// Bytes of a receipt.
const RECEIPT_BYTES: usize = 64;

/// Passes the doors, asks the model for the first answer and returns it with the running stream.
pub(crate) async fn open(
    shared: Arc<Shared>,
    request: Request<Streaming<wire::PredictRequest>>,
) -> Result<(wire::PredictResponse, Running), Refusal> {
    let caller = Caller::new(&shared, request.metadata())?;
    let mut incoming = request.into_inner();
    let (open, bytes) = first_message(&shared, &mut incoming).await?;
    let vocabulary = caller.engine.info().vocab;
    check_question(&shared, &caller, &open)?;

    let admitted = caller.admit(&shared, PREDICT_PATH, &bytes).await?;
    let slot = shared.slots.take(admitted.sender, admitted.stake, caller.deadline).await?;
    let mut guard = Guard::new(Arc::clone(&shared), slot, caller.tracked, caller.started);

    let Open { session_key, contexts, top_k } = open;
    let documents = contexts.len();
    let tokens: usize = contexts.iter().map(Vec::len).sum();
    let least: usize = contexts.iter().map(|context| context.len().max(1)).sum();
    let positions = caller.engine.positions(contexts.iter().map(Vec::len));
    let cost = Cost { tokens: least, charge: least.max(positions) };
    let opened = async {
        guard.slot().reserve(positions, caller.deadline).await?;
        let _ticket = shared.admission.enter(admitted.sender, admitted.stake, cost, caller.deadline).await?;
        shared.metrics.queued.observe(caller.started.elapsed().as_secs_f64());
        Ok(caller.engine.open(contexts).await?)
    };
    let opened = tokio::select! {
        () = shared.kill.cancelled() => Err(Refusal::Draining),
        refusal = guard.slot().has_to_leave() => Err(refusal),
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

fn check_question(shared: &Shared, caller: &Caller, open: &Open) -> Result<(), Refusal> {
    let vocabulary = caller.engine.info().vocab;
    at_most("the number of documents", "max_documents", open.contexts.len(), shared.limits.max_documents)?;
    let longest = open.contexts.iter().map(Vec::len).max().unwrap_or(0);
    at_most("the longest context", "max_context_tokens", longest, shared.limits.max_context_tokens)?;
    let listed = open.top_k.unwrap_or(u32::MAX).min(caller.engine.most_listed());
    let answer = largest_answer(open.contexts.len(), listed, vocabulary);
    let what = "the answer's size in bytes, which `top_k` and the number of documents decide,";
    at_most(what, "bytes of one message", answer, MAX_MESSAGE_BYTES)?;
    open.contexts.iter().try_for_each(|context| check_tokens(context, vocabulary))
}

/// Bytes that an answer has at most: what could not be sent must not be computed.
fn largest_answer(documents: usize, listed: u32, vocabulary: u32) -> usize {
    // A logarithm has four bytes, an id seven bits a byte; all of a vocabulary needs no ids.
    let id = (u32::BITS - vocabulary.saturating_sub(1).leading_zeros()).div_ceil(7).max(1);
    let (entries, bytes) = if listed < vocabulary { (listed, 4 + id) } else { (vocabulary, 4) };
    let row = (entries as usize).saturating_mul(bytes as usize).saturating_add(ROW_BYTES);
    row.saturating_mul(documents).saturating_add(ROW_BYTES + RECEIPT_BYTES)
}

#[cfg(test)]
mod tests {
    use acumen_proto::inference::Distribution;
    use prost::Message as _;

    use super::*;

    #[test]
    fn no_answer_is_larger_than_was_said() {
        for (vocabulary, listed) in [(2, 1), (256, 256), (256, 255), (50_000, 50_000), (50_000, 49_999)] {
            let row = match listed < vocabulary {
                true => wire::Distribution {
                    ids: vec![vocabulary - 1; listed as usize],
                    logprobs: vec![-1.5; listed as usize],
                    tail: 0.5,
                },
                false => Distribution::full_to_wire(vec![-1.5; vocabulary as usize]),
            };
            let answer = wire::PredictResponse { distributions: vec![row; 9], receipt: vec![1; 64] };
            let said = largest_answer(9, listed, vocabulary);
            assert!(answer.encoded_len() <= said, "{} of {said}", answer.encoded_len());
            assert!(said - answer.encoded_len() < 1_000 + 9 * listed as usize, "{said} is too careful");
        }
        assert!(largest_answer(90, u32::MAX, 49_152) > MAX_MESSAGE_BYTES);
        assert!(largest_answer(85, u32::MAX, 49_152) < MAX_MESSAGE_BYTES);
        assert_eq!(largest_answer(usize::MAX, u32::MAX, u32::MAX), usize::MAX);
    }
}
