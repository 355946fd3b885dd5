//! A running stream: step in, answer out, in lock-step.
//!
//! There is no task per stream. The transport polls [`answers`]; when the client goes away the transport drops it, and
//! with it the session, the request that may still wait in the model's queue, and the slot.

use std::sync::Arc;
use std::time::{Duration, Instant};

use acumen_proto::inference::{self, ClientMessage};
use acumen_proto::inference_v1 as wire;
use acumen_protocol::ConsensusPublic;
use acumen_protocol::session::{Direction, Transcript};
use futures::{StreamExt as _, stream};
use tonic::{Status, Streaming};

use crate::distribution;
use crate::doors::{check_tokens, seal};
use crate::engine::{EngineSession, Row};
use crate::guard::Guard;
use crate::refusal::Refusal;
use crate::service::Answers;

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
    let steps = stream::unfold(Some(running), |running| async {
        let mut running = running?;
        match running.next().await {
            Ok(Some(answer)) => Some((Ok(answer), Some(running))),
            Ok(None) => None,
            Err(status) => Some((Err(status), None)),
        }
    });
    Box::pin(stream::once(async { Ok(first) }).chain(steps))
}

impl Running {
    /// The answer to the next step; `None` at the client's end of the stream.
    async fn next(&mut self) -> Result<Option<wire::PredictResponse>, Status> {
        let shared = Arc::clone(self.guard.shared());
        let result = tokio::select! {
            () = shared.kill.cancelled() => Err(Refusal::Draining),
            result = self.step() => result,
        };
        result.map_err(|refusal| {
            self.guard.fail();
            shared.metrics.refuse(refusal.label());
            refusal.status()
        })
    }

    async fn step(&mut self) -> Result<Option<wire::PredictResponse>, Refusal> {
        let limit = Duration::from_millis(self.guard.shared().limits.idle_timeout_ms);
        let received = tokio::time::timeout(limit, self.incoming.message()).await;
        let message = match received.map_err(|_| Refusal::Idle(limit))? {
            Ok(Some(message)) => message,
            Ok(None) => {
                self.guard.end("stop");
                return Ok(None);
            }
            // The client has gone away: there is nobody to tell.
            Err(_) => return Ok(None),
        };
        let started = Instant::now();
        let tokens = self.check(message)?;
        let rows = self.session.advance(tokens).await?;
        let metrics = &self.guard.shared().metrics;
        metrics.next.observe(started.elapsed().as_secs_f64());
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
