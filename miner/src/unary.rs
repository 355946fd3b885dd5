//! The signed calls with one answer: text to tokens and back, embeddings.
//!
//! They pass the same doors as a stream, without a slot: nothing of them outlives the call. What takes time (the encoder,
//! a long text) waits in a queue of its own, by the rules of the model's: fair by stake, within the deadline, and left at
//! once by whoever goes away. Each answer carries a receipt over request and answer (docs/spec/auth.md).

use std::sync::Arc;

use acumen_proto::inference::Answer;
use acumen_proto::{DETOKENIZE_PATH, EMBED_PATH, TOKENIZE_PATH, inference_v1 as wire};
use prost::Message;
use tonic::{Request, Response, Status};

use crate::admission::Admission;
use crate::doors::{Admitted, Caller, at_most, check_tokens, seal};
use crate::refusal::Refusal;
use crate::service::Shared;
use crate::text::Text;

/// Most texts of one Embed call.
const MAX_TEXTS: usize = 256;

/// What an Embed call costs at least, in tokens: a pass of the encoder has a price of its own, and so the calls that are
/// with the encoder at once never fill its own queue.
const LEAST_COST: usize = 128;

/// The end of every call: an answer, or a refusal that is counted.
pub(crate) fn answer<A>(shared: &Shared, result: Result<A, Refusal>) -> Result<Response<A>, Status> {
    result.map(Response::new).map_err(|refusal| shared.refuse(&refusal))
}

/// Checks the message, passes the doors, computes and signs.
async fn signed<Q: Message, A: Answer>(
    shared: &Arc<Shared>,
    path: &'static str,
    request: Request<Q>,
    check: impl FnOnce(&Q, &Caller) -> Result<(), Refusal>,
    compute: impl AsyncFnOnce(Q, &Caller, &Admitted) -> Result<A, Refusal>,
) -> Result<A, Refusal> {
    let caller = Caller::new(shared, request.metadata())?;
    let request = request.into_inner();
    check(&request, &caller)?;
    let admitted = caller.admit(shared, path, &request.encode_to_vec()).await?;
    let answer = compute(request, &caller, &admitted).await?;
    let mut transcript = admitted.transcript;
    shared.metrics.unary.inc();
    Ok(seal(shared, &mut transcript, answer))
}

/// Does work of that cost when its turn in `queue` has come, unless the deadline or the end of the miner comes first.
async fn in_turn<T>(
    shared: &Shared,
    queue: &Admission,
    (caller, admitted): (&Caller, &Admitted),
    cost: usize,
    work: impl AsyncFnOnce() -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let turn = async {
        let _ticket = queue.enter(admitted.sender, admitted.stake, cost, caller.deadline).await?;
        shared.metrics.queued.observe(caller.started.elapsed().as_secs_f64());
        work().await
    };
    let timely = async {
        match caller.deadline {
            None => turn.await,
            Some(deadline) => {
                let done = tokio::time::timeout_at(deadline.into(), turn).await;
                done.unwrap_or(Err(Refusal::Deadline))
            }
        }
    };
    tokio::select! {
        () = shared.kill.cancelled() => Err(Refusal::Draining),
        done = timely => done,
    }
}

pub(crate) async fn tokenize(
    shared: &Arc<Shared>,
    request: Request<wire::TokenizeRequest>,
) -> Result<wire::TokenizeResponse, Refusal> {
    let check = |request: &wire::TokenizeRequest, _: &Caller| length(shared, &request.text);
    let compute = async |request: wire::TokenizeRequest, caller: &Caller, admitted: &Admitted| {
        let ids = encode(shared, (caller, admitted), &request.text).await?;
        Ok(wire::TokenizeResponse { ids, receipt: Vec::new() })
    };
    signed(shared, TOKENIZE_PATH, request, check, compute).await
}

pub(crate) async fn detokenize(
    shared: &Arc<Shared>,
    request: Request<wire::DetokenizeRequest>,
) -> Result<wire::DetokenizeResponse, Refusal> {
    let check = |request: &wire::DetokenizeRequest, caller: &Caller| {
        let (found, allowed) = (request.ids.len(), shared.limits.max_context_tokens);
        at_most("the number of ids", "max_context_tokens", found, allowed)?;
        check_tokens(&request.ids, caller.engine.info().vocab)
    };
    let compute = async |request: wire::DetokenizeRequest, caller: &Caller, _: &Admitted| {
        let text = Text::of(&caller.engine)?.decode(&request.ids);
        Ok(wire::DetokenizeResponse { text, receipt: Vec::new() })
    };
    signed(shared, DETOKENIZE_PATH, request, check, compute).await
}

pub(crate) async fn embed(
    shared: &Arc<Shared>,
    request: Request<wire::EmbedRequest>,
) -> Result<wire::EmbedResponse, Refusal> {
    let check = |request: &wire::EmbedRequest, _: &Caller| {
        at_most("the number of texts", "texts of one call", request.texts.len(), MAX_TEXTS)?;
        request.texts.iter().try_for_each(|text| length(shared, text))
    };
    let compute = async |request: wire::EmbedRequest, caller: &Caller, admitted: &Admitted| {
        let Some(encoder) = shared.encoder.get() else {
            return Err(Refusal::Unsupported(format!(
                "this miner serves `{}` and no encoder: ask one whose GetInfo lists `Embed`",
                caller.engine.info().architecture
            )));
        };
        let cost = request.texts.iter().map(|text| tokens(text.len())).sum::<usize>().max(LEAST_COST);
        let work = async || Ok(encoder.embed(request.texts).await?);
        let (vectors, read) = in_turn(shared, &shared.embedding, (caller, admitted), cost, work).await?;
        let embeddings = vectors.into_iter().map(|values| wire::Embedding { values }).collect();
        let prompt_tokens = u32::try_from(read).unwrap_or(u32::MAX);
        let usage = Some(wire::Usage { prompt_tokens, completion_tokens: 0 });
        Ok(wire::EmbedResponse { embeddings, usage, receipt: Vec::new() })
    };
    signed(shared, EMBED_PATH, request, check, compute).await
}

/// The ids of a text as the model reads it. A long one takes the tokenizer's time, and waits for it.
pub(crate) async fn encode(
    shared: &Shared,
    (caller, admitted): (&Caller, &Admitted),
    words: &str,
) -> Result<Vec<u32>, Refusal> {
    let text = Text::of(&caller.engine)?;
    if Text::is_short(words.len()) {
        return text.encode(words);
    }
    let work = async || text.encode(words);
    in_turn(shared, &shared.tokenizing, (caller, admitted), tokens(words.len()), work).await
}

/// Tokens of a text before it has been cut, roughly: what a place in a queue costs.
const fn tokens(bytes: usize) -> usize {
    bytes / 4 + 1
}

fn length(shared: &Shared, text: &str) -> Result<(), Refusal> {
    at_most("the text's length in bytes", "max_text_bytes", text.len(), shared.limits.max_text_bytes)
}
