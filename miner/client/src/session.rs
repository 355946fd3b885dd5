//! One Predict stream: opening, steps, receipts.
//!
//! Invariant: the transcript holds every message sent and every answer accepted, in order. After any error the session
//! is closed, because client and miner may no longer agree on the transcript.

use acumen_proto::inference::{self, Distribution, Open};
use acumen_proto::{RequestId, WireError, inference_v1 as wire};
use acumen_protocol::session::{Direction, Transcript};
use acumen_protocol::{AccountId, ConsensusKeypair};
use rand::TryRngCore as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use crate::call::{Call, verify};
use crate::{ClientError, MinerClient};

/// Messages that may wait to be sent: the protocol is lock-step, so there is never more than one.
const OUTGOING: usize = 1;

/// An open stream. Dropping it cancels what the miner may still be doing for it.
#[derive(Debug)]
pub struct PredictSession {
    call: Call,
    outgoing: mpsc::Sender<wire::PredictRequest>,
    incoming: Streaming<wire::PredictResponse>,
    key: ConsensusKeypair,
    transcript: Transcript,
    miner: AccountId,
    documents: usize,
    vocabulary: u32,
    answer_timeout: std::time::Duration,
    closed: bool,
}

/// Opens a stream and awaits the first answer. The caller sets the deadline.
pub(crate) async fn open(
    client: &MinerClient,
    call: &Call,
    contexts: Vec<Vec<u32>>,
    top_k: Option<u32>,
) -> Result<(PredictSession, Vec<Distribution>), ClientError> {
    let documents = contexts.len();
    let key = session_key()?;
    let message = inference::open_message(Open { session_key: key.public(), contexts, top_k });
    let bytes = inference::request_bytes(&message);
    let (outgoing, receiver) = mpsc::channel(OUTGOING);
    outgoing.try_send(message).map_err(|_| ClientError::Closed)?;
    let (request, transcript) = client.headed(call, &bytes, ReceiverStream::new(receiver));
    let incoming = client.inner.clone().predict(request).await?.into_inner();

    let mut session = PredictSession {
        call: call.clone(),
        outgoing,
        incoming,
        key,
        transcript,
        miner: client.miner,
        documents,
        vocabulary: client.options.vocabulary,
        answer_timeout: client.options.answer_timeout,
        closed: false,
    };
    let answer = session.answer().await?;
    Ok((session, answer))
}

fn session_key() -> Result<ConsensusKeypair, ClientError> {
    let mut seed = [0; 32];
    rand::rngs::OsRng
        .try_fill_bytes(&mut seed)
        .map_err(|error| ClientError::Randomness { reason: error.to_string() })?;
    Ok(ConsensusKeypair::from_seed(&seed))
}

impl PredictSession {
    /// Documents of the stream.
    #[must_use]
    pub const fn documents(&self) -> usize {
        self.documents
    }

    /// What the logs of both sides call this stream.
    #[must_use]
    pub const fn request_id(&self) -> &RequestId {
        self.call.id()
    }

    /// Reveals the realised token of each document and returns the distributions of the next ones.
    ///
    /// # Errors
    /// See [`ClientError`]. After any of them the session is closed.
    pub async fn step(&mut self, tokens: Vec<u32>) -> Result<Vec<Distribution>, ClientError> {
        if std::mem::replace(&mut self.closed, true) {
            return Err(ClientError::Closed);
        }
        let limit = self.answer_timeout;
        let call = self.call.clone();
        let timed = tokio::time::timeout(limit, self.exchange(tokens));
        let answer = call.run(async { timed.await.map_err(|_| ClientError::Late { limit })? }).await?;
        self.closed = false;
        Ok(answer)
    }

    async fn exchange(&mut self, tokens: Vec<u32>) -> Result<Vec<Distribution>, ClientError> {
        let mut message = inference::step_message(tokens);
        self.transcript = self.transcript.absorb(Direction::Client, &inference::request_bytes(&message));
        message.signature = self.transcript.sign(&self.key).0.to_vec();
        if self.outgoing.send(message).await.is_err() {
            // The miner has ended the stream; its status says why.
            return Err(self.incoming.message().await.err().map_or(ClientError::Closed, Into::into));
        }
        self.answer().await
    }

    async fn answer(&mut self) -> Result<Vec<Distribution>, ClientError> {
        let mut response = self.incoming.message().await?.ok_or(ClientError::Closed)?;
        verify(self.miner, &mut self.transcript, &mut response).await?;
        self.distributions(response)
    }

    fn distributions(&self, response: wire::PredictResponse) -> Result<Vec<Distribution>, ClientError> {
        let (found, expected) = (response.distributions.len(), self.documents);
        if found != expected {
            let reason = format!("has {found} distributions for {expected} documents");
            return Err(WireError { field: "response.distributions", reason }.into());
        }
        let claims = response.distributions.into_iter();
        Ok(claims.map(|claim| Distribution::from_wire(claim, self.vocabulary)).collect::<Result<_, _>>()?)
    }
}
