//! A client that can lie: it writes the stream's messages by hand.

use std::time::{SystemTime, UNIX_EPOCH};

use acumen_proto::inference::{self, Open};
use acumen_proto::inference_v1::inference_client::InferenceClient;
use acumen_proto::{PREDICT_PATH, auth, inference_v1 as wire};
use acumen_protocol::auth::AuthHeaders;
use acumen_protocol::session::{Direction, Transcript};
use acumen_protocol::{AccountId, ConsensusKeypair, Keypair};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, Streaming};

use crate::rig::{Rig, contexts};

pub(crate) fn now_ns() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap()
}

pub(crate) fn session_key() -> ConsensusKeypair {
    ConsensusKeypair::from_seed(&[9; 32])
}

pub(crate) fn question() -> wire::PredictRequest {
    let open = Open { session_key: session_key().public(), contexts: contexts(&["ab"]), top_k: None };
    inference::open_message(open)
}

pub(crate) fn sign(key: &Keypair, receiver: AccountId, nonce: u64) -> AuthHeaders {
    AuthHeaders::sign(key, receiver, PREDICT_PATH, &inference::request_bytes(&question()), nonce)
}

pub(crate) struct RawStream {
    pub(crate) outgoing: mpsc::Sender<wire::PredictRequest>,
    pub(crate) incoming: Streaming<wire::PredictResponse>,
    pub(crate) transcript: Transcript,
}

/// Sends `message` under `headers`; without headers unsigned.
pub(crate) async fn ask(
    rig: &Rig,
    headers: Option<&AuthHeaders>,
    message: wire::PredictRequest,
) -> Result<RawStream, Status> {
    let (outgoing, receiver) = mpsc::channel(8);
    let bytes = inference::request_bytes(&message);
    outgoing.try_send(message).unwrap();
    let mut request = Request::new(ReceiverStream::new(receiver));
    if let Some(headers) = headers {
        auth::insert(request.metadata_mut(), headers);
    }
    let mut incoming = InferenceClient::new(rig.channel()).predict(request).await?.into_inner();
    let first = incoming.message().await?.unwrap();
    let signature = headers.unwrap().signature;
    let transcript = Transcript::open(&signature).absorb(Direction::Client, &bytes);
    let transcript = transcript.absorb(Direction::Miner, &inference::response_bytes(&first));
    Ok(RawStream { outgoing, incoming, transcript })
}

impl RawStream {
    pub(crate) async fn send(
        &mut self,
        message: wire::PredictRequest,
    ) -> Result<wire::PredictResponse, Status> {
        self.outgoing.send(message).await.unwrap();
        Ok(self.incoming.message().await?.expect("an answer"))
    }

    /// An honest step, not sent.
    pub(crate) fn step(&self, token: u32) -> wire::PredictRequest {
        let mut message = inference::step_message(vec![token]);
        let transcript = self.transcript.absorb(Direction::Client, &inference::request_bytes(&message));
        message.signature = transcript.sign(&session_key()).0.to_vec();
        message
    }
}
