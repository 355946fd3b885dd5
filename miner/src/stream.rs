//! A running stream: step in, answer out, in lock-step.
//!
//! A task runs each stream, so that its times count, and it gives way, also while a client does not read. When the client
//! goes away the task ends, and with it the session, the request that may still wait in the model's queue, and the slot.

use std::sync::Arc;
use std::time::{Duration, Instant};

use acumen_proto::inference::{self, ClientMessage};
use acumen_proto::inference_v1 as wire;
use acumen_protocol::ConsensusPublic;
use acumen_protocol::session::{Direction, Transcript};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::distribution;
use crate::doors::{check_tokens, seal};
use crate::engine::{EngineSession, Row};
use crate::guard::Guard;
use crate::refusal::Refusal;
use crate::service::Answers;

/// Answers that wait for the transport: in lock-step there is one.
const OUTGOING: usize = 1;

type Outgoing = mpsc::Sender<Result<wire::PredictResponse, Status>>;

/// One running stream. The guard is dropped last: when it says that the stream has ended, nothing is left of it.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) incoming: Streaming<wire::PredictRequest>,
    pub(crate) session: EngineSession,
    pub(crate) session_key: ConsensusPublic,
    pub(crate) transcript: Transcript,
    pub(crate) documents: usize,
    pub(crate) vocabulary: u32,
    pub(crate) top_k: Option<u32>,
    pub(crate) guard: Guard,
}

/// The first answer, then one per step until the client ends the stream or an error does.
pub(crate) fn answers(first: wire::PredictResponse, running: Running) -> Answers {
    let (outgoing, answers) = mpsc::channel(OUTGOING);
    tokio::spawn(running.run(first, outgoing));
    Box::pin(ReceiverStream::new(answers))
}

impl Running {
    async fn run(mut self, first: wire::PredictResponse, outgoing: Outgoing) {
        let Err(refusal) = self.answer_all(first, &outgoing).await else { return };
        self.guard.fail();
        let shared = Arc::clone(self.guard.shared());
        let status = shared.refuse(&refusal);
        // A client that reads is told at once; for one that does not, the stream has given everything back meanwhile.
        if let Err(mpsc::error::TrySendError::Full(status)) = outgoing.try_send(Err(status)) {
            drop(self);
            let patience = Duration::from_millis(shared.limits.idle_timeout_ms);
            // It may never read; then there is nobody to tell.
            let _ = outgoing.send_timeout(status, patience).await;
        }
    }

    /// Answers until the client's end of the stream.
    async fn answer_all(&mut self, first: wire::PredictResponse, outgoing: &Outgoing) -> Result<(), Refusal> {
        let mut next = Some(first);
        while let Some(answer) = next {
            // That the client has gone away, the next wait finds too.
            self.guard.hand_on(answer, outgoing).await?;
            next = self.step(outgoing).await?;
        }
        Ok(())
    }

    /// The answer to the next step; `None` at the client's end of the stream.
    async fn step(&mut self, outgoing: &Outgoing) -> Result<Option<wire::PredictResponse>, Refusal> {
        let shared = Arc::clone(self.guard.shared());
        let limit = Duration::from_millis(shared.limits.idle_timeout_ms);
        let slot = self.guard.slot();
        let received = tokio::select! {
            () = shared.kill.cancelled() => return Err(Refusal::Draining),
            refusal = slot.has_to_leave() => return Err(refusal),
            () = outgoing.closed() => return Ok(None),
            received = tokio::time::timeout(limit, self.incoming.message()) => received,
        };
        let message = match received.map_err(|_| Refusal::Idle(limit))? {
            Ok(Some(message)) => message,
            Ok(None) => {
                self.guard.end("stop");
                return Ok(None);
            }
            // The client has gone away: there is nobody to tell.
            Err(_) => return Ok(None),
        };
        slot.set_idle(false);
        let started = Instant::now();
        let tokens = self.check(message)?;
        let rows = tokio::select! {
            () = shared.kill.cancelled() => return Err(Refusal::Draining),
            () = outgoing.closed() => return Ok(None),
            rows = self.session.advance(tokens) => rows?,
        };
        shared.metrics.next.observe(started.elapsed().as_secs_f64());
        Ok(Some(self.seal(rows)))
    }

    /// Shape, then signature over the conversation, then the values.
    fn check(&mut self, message: wire::PredictRequest) -> Result<Vec<u32>, Refusal> {
        let bytes = inference::request_bytes(&message);
        let ClientMessage::Step { tokens, signature } = ClientMessage::try_from(message)? else {
            return Err(Refusal::OpenedTwice);
        };
        self.transcript = self.transcript.absorb(Direction::Client, &bytes);
        if !self.transcript.verify(&self.session_key, &signature) {
            return Err(Refusal::StepSignature);
        }
        if tokens.len() != self.documents {
            return Err(Refusal::TokenCount { found: tokens.len(), documents: self.documents });
        }
        check_tokens(&tokens, self.vocabulary)?;
        Ok(tokens)
    }

    /// Makes the answer and signs the conversation that includes it.
    pub(crate) fn seal(&mut self, rows: Vec<Row>) -> wire::PredictResponse {
        let shared = Arc::clone(self.guard.shared());
        shared.metrics.predictions.inc_by(rows.len() as u64);
        let distributions = rows.into_iter().map(|row| distribution::of_row(row, self.top_k)).collect();
        let response = wire::PredictResponse { distributions, receipt: Vec::new() };
        seal(&shared, &mut self.transcript, response)
    }
}
