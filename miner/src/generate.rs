//! One generation: prompt in, tokens out, each signed; the choice of each can be replayed (`acumen_models::sampling`).
//!
//! The first token is computed before the call is answered, so that a refusal is a plain status. A task of its own does
//! the rest and gives up when the client has gone or does not read; whatever it holds is given back with it.

use std::sync::Arc;
use std::time::Instant;

use acumen_models::sampling::Sampler;
use acumen_proto::inference::{Finish, Generate, Prompt};
use acumen_proto::{GENERATE_PATH, inference_v1 as wire};
use acumen_protocol::session::Transcript;
use prost::Message as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status};

use crate::admission::Cost;
use crate::distribution;
use crate::doors::{Admitted, Caller, at_most, check_tokens, seal};
use crate::engine::{EngineSession, Row};
use crate::guard::Guard;
use crate::refusal::Refusal;
use crate::service::{Shared, Tokens};
use crate::text::Text;
use crate::unary::encode;

/// Tokens that may wait for the transport: enough that the model need not wait for it.
const OUTGOING: usize = 8;

type Outgoing = mpsc::Sender<Result<wire::GenerateResponse, Status>>;

/// Passes the doors, generates the first token and starts the task for the others.
pub(crate) async fn start(
    shared: Arc<Shared>,
    request: Request<wire::GenerateRequest>,
) -> Result<Tokens, Refusal> {
    let caller = Caller::new(&shared, request.metadata())?;
    let message = request.into_inner();
    let bytes = message.encode_to_vec();
    let wanted = Generate::try_from(message)?;
    check(&shared, &caller, &wanted)?;

    let admitted = caller.admit(&shared, GENERATE_PATH, &bytes).await?;
    let slot = shared.slots.take(admitted.sender, admitted.stake, caller.deadline).await?;
    let mut guard = Guard::new(Arc::clone(&shared), slot, caller.tracked.clone(), caller.started);
    let opened = async {
        let prompt = prompt(&shared, (&caller, &admitted), &wanted.prompt).await?;
        let tokens = prompt.len();
        let positions = caller.engine.positions(std::iter::once(tokens));
        guard.slot().reserve(positions, caller.deadline).await?;
        let cost = Cost { tokens, charge: tokens.max(positions) };
        let _ticket = shared.admission.enter(admitted.sender, admitted.stake, cost, caller.deadline).await?;
        shared.metrics.queued.observe(caller.started.elapsed().as_secs_f64());
        let (session, rows) = caller.engine.open(vec![prompt]).await?;
        Ok((session, rows, tokens))
    };
    let opened = tokio::select! {
        () = shared.kill.cancelled() => Err(Refusal::Draining),
        refusal = guard.slot().has_to_leave() => Err(refusal),
        opened = opened => opened,
    };
    let (session, rows, prompt_tokens) = opened.inspect_err(|_| guard.fail())?;
    shared.metrics.first.observe(caller.started.elapsed().as_secs_f64());
    shared.metrics.prompt_tokens.inc_by(prompt_tokens as u64);
    let sampler = Sampler { temperature: wanted.temperature, top_p: wanted.top_p, seed: wanted.seed };
    let (transcript, vocabulary) = (admitted.transcript, caller.engine.info().vocab);
    let text = Text::of(&caller.engine).ok();
    let mut generation = Generation {
        session,
        sampler,
        wanted,
        transcript,
        text,
        vocabulary,
        prompt_tokens,
        position: 0,
        guard,
    };
    let first = generation.answer(rows);
    let (outgoing, answers) = mpsc::channel(OUTGOING);
    tokio::spawn(generation.run(first, outgoing));
    Ok(Box::pin(ReceiverStream::new(answers)))
}

/// What can be told before anybody knows who asks: nothing is computed for a stranger.
fn check(shared: &Shared, caller: &Caller, wanted: &Generate) -> Result<(), Refusal> {
    let limits = &shared.limits;
    match &wanted.prompt {
        Prompt::Tokens(ids) => {
            check_tokens(ids, caller.engine.info().vocab)?;
            at_most("the prompt", "max_context_tokens", ids.len(), limits.max_context_tokens)?;
        }
        Prompt::Text(text) => {
            let (what, limit) = ("the prompt's length in bytes", "max_text_bytes");
            at_most(what, limit, text.len(), limits.max_text_bytes)?;
        }
    }
    at_most("max_tokens", "max_new_tokens", wanted.max_tokens as usize, limits.max_new_tokens as usize)
}

/// The prompt's ids.
async fn prompt(shared: &Shared, who: (&Caller, &Admitted), prompt: &Prompt) -> Result<Vec<u32>, Refusal> {
    let ids = match prompt {
        Prompt::Tokens(ids) => return Ok(ids.clone()),
        Prompt::Text(text) => encode(shared, who, text).await?,
    };
    at_most("the prompt", "max_context_tokens", ids.len(), shared.limits.max_context_tokens)?;
    Ok(ids)
}

/// A running generation. The guard is dropped last: when it says that the stream has ended, nothing is left of it.
struct Generation {
    session: EngineSession,
    sampler: Sampler,
    wanted: Generate,
    transcript: Transcript,
    text: Option<Text>,
    vocabulary: u32,
    prompt_tokens: usize,
    position: u32,
    guard: Guard,
}

impl Generation {
    /// Chooses the token at this position, writes its message and signs it.
    fn answer(&mut self, rows: Vec<Row>) -> wire::GenerateResponse {
        let row = rows.into_iter().next().unwrap_or_else(|| Row::Full(Vec::new()));
        let logprobs = distribution::dense(&row, self.vocabulary);
        let token = self.sampler.choose(&logprobs, u64::from(self.position));
        let finish = if self.wanted.stop_ids.contains(&token) {
            Some(Finish::Stop)
        } else if self.position + 1 >= self.wanted.max_tokens {
            Some(Finish::Length)
        } else {
            None
        };
        let usage = finish.map(|_| wire::Usage {
            prompt_tokens: u32::try_from(self.prompt_tokens).unwrap_or(u32::MAX),
            completion_tokens: self.position + 1,
        });
        let answer = wire::GenerateResponse {
            position: self.position,
            token,
            logprob: logprobs.get(token as usize).copied().unwrap_or(f32::NEG_INFINITY),
            distribution: self.wanted.top_k.map(|k| distribution::of_row(row, Some(k))),
            text: self.text.as_ref().map(|text| text.decode(&[token])).unwrap_or_default(),
            finish_reason: finish.map_or(wire::FinishReason::Unspecified, Into::into) as i32,
            usage,
            receipt: Vec::new(),
        };
        self.position += 1;
        if let Some(finish) = finish {
            self.guard.end(finish.name());
        }
        let shared = Arc::clone(self.guard.shared());
        shared.metrics.generation_tokens.inc();
        seal(&shared, &mut self.transcript, answer)
    }

    async fn run(mut self, first: wire::GenerateResponse, outgoing: Outgoing) {
        if let Err(refusal) = self.send_all(first, &outgoing).await {
            self.guard.fail();
            let status = self.guard.shared().refuse(&refusal);
            // The client may have gone; then there is nobody to tell.
            let _ = outgoing.try_send(Err(status));
        }
    }

    async fn send_all(&mut self, first: wire::GenerateResponse, outgoing: &Outgoing) -> Result<(), Refusal> {
        let shared = Arc::clone(self.guard.shared());
        let mut answer = first;
        loop {
            let (token, last) = (answer.token, answer.usage.is_some());
            if !self.guard.hand_on(answer, outgoing).await? {
                self.guard.end("abort");
                return Ok(());
            }
            if last {
                return Ok(());
            }
            let slot = self.guard.slot();
            if let Some(refusal) = slot.must_leave() {
                return Err(refusal);
            }
            slot.set_idle(false);
            let started = Instant::now();
            let rows = tokio::select! {
                () = shared.kill.cancelled() => return Err(Refusal::Draining),
                () = outgoing.closed() => return Ok(()),
                rows = self.session.advance(vec![token]) => rows?,
            };
            shared.metrics.next.observe(started.elapsed().as_secs_f64());
            answer = self.answer(rows);
        }
    }
}
