//! One Predict stream, from the answering side.

use std::sync::Arc;

use acumen_proto::inference::{ClientMessage, Distribution, request_bytes, response_bytes};
use acumen_proto::inference_v1::{PredictRequest, PredictResponse};
use acumen_protocol::session::{Direction, Transcript};
use acumen_protocol::{ConsensusPublic, Keypair};
use tonic::{Status, Streaming};

use crate::behaviour::Claim;
use crate::{Behaviour, NGram, Seen};

/// Mass that an overclaiming miner reports.
const TOO_MUCH: f64 = 1.2;

/// Counts a stream as open while it lives.
#[derive(Debug)]
pub(crate) struct Open(Arc<Seen>);

impl Open {
    pub(crate) fn note(seen: Arc<Seen>) -> Self {
        seen.live.send_modify(|live| *live += 1);
        seen.opened.notify_one();
        Self(seen)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.live.send_modify(|live| *live -= 1);
        self.0.ended.notify_one();
    }
}

/// The state of a stream.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) contexts: Vec<Vec<u8>>,
    pub(crate) key: Keypair,
    pub(crate) model: Arc<NGram>,
    pub(crate) behaviour: Behaviour,
    pub(crate) transcript: Transcript,
    pub(crate) answered: usize,
    pub(crate) _open: Open,
}

impl Session {
    pub(crate) fn run(
        mut self,
        session_key: ConsensusPublic,
        mut incoming: Streaming<PredictRequest>,
    ) -> impl futures::Stream<Item = Result<PredictResponse, Status>> {
        async_stream::try_stream! {
            loop {
                if matches!(self.behaviour, Behaviour::HangUpAfter(count) if self.answered == count) {
                    return;
                }
                for _ in 0..=self.behaviour.surplus() {
                    yield self.answer().await?;
                }
                let Some(message) = incoming.message().await? else { return };
                self.take(message, &session_key)?;
            }
        }
    }

    /// A revealed token for each document.
    fn take(&mut self, message: PredictRequest, session_key: &ConsensusPublic) -> Result<(), Status> {
        self.transcript = self.transcript.absorb(Direction::Client, &request_bytes(&message));
        let ClientMessage::Step { tokens, signature } = ClientMessage::try_from(message)? else {
            return Err(Status::invalid_argument("two openings"));
        };
        if !self.transcript.verify(session_key, &signature) {
            return Err(Status::unauthenticated("the step is not signed by the session key"));
        }
        for (context, token) in self.contexts.iter_mut().zip(tokens) {
            context.push(u8::try_from(token).map_err(|_| Status::invalid_argument("no byte"))?);
        }
        Ok(())
    }

    async fn answer(&mut self) -> Result<PredictResponse, Status> {
        match &self.behaviour {
            Behaviour::DieAfter(count) if self.answered == *count => {
                return Err(Status::internal("the model broke"));
            }
            Behaviour::StallAfter(count) if self.answered >= *count => std::future::pending().await,
            // Closed never: the test holds it as long as it runs.
            Behaviour::Gated(gate) => gate.acquire().await.map_err(|_| Status::aborted("no gate"))?.forget(),
            _ => {}
        }
        let distributions =
            self.contexts.iter().map(|context| Distribution::full_to_wire(self.logprobs(context))).collect();
        let mut response = PredictResponse { distributions, receipt: Vec::new() };
        self.transcript = self.transcript.absorb(Direction::Miner, &response_bytes(&response));
        response.receipt = self.transcript.receipt(&self.key).0.to_vec();
        if matches!(self.behaviour, Behaviour::NoReceipt) {
            response.receipt.fill(0);
        }
        self.answered += 1;
        Ok(response)
    }

    fn logprobs(&self, context: &[u8]) -> Vec<f32> {
        let model = || self.model.probs(context);
        let probs = match self.behaviour.claim(self.answered) {
            Claim::Honest => model(),
            Claim::TooMuch => model().into_iter().map(|prob| prob * TOO_MUCH).collect(),
            Claim::LastByte => {
                let last = context.last().copied().unwrap_or(0);
                (0..=u8::MAX).map(|byte| f64::from(u8::from(byte == last))).collect()
            }
        };
        probs.into_iter().map(|prob| prob.ln() as f32).collect()
    }
}
