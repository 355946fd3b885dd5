//! The calls with one answer, and what every signed call has in common.

use acumen_proto::inference::Answer;
use acumen_proto::{DETOKENIZE_PATH, EMBED_PATH, TOKENIZE_PATH, WireError, auth, inference_v1 as wire};
use acumen_protocol::AccountId;
use acumen_protocol::auth::AuthHeaders;
use acumen_protocol::session::{Direction, Transcript};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Request, Response, Status};

use crate::{ClientError, MinerClient, nonce};

/// Metadata key of the request id.
const X_REQUEST_ID: &str = "x-request-id";

impl MinerClient {
    /// The same connection, with `id` in the metadata of every request and in the miner's log. An id that is not plain
    /// visible ASCII is not sent.
    #[must_use]
    pub fn with_request_id(&self, id: &str) -> Self {
        let id = id.parse::<MetadataValue<Ascii>>().ok().filter(|_| !id.is_empty());
        Self { request_id: id, ..self.clone() }
    }

    /// Token ids of a text, by the miner's tokenizer.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn tokenize(&self, text: String) -> Result<Vec<u32>, ClientError> {
        let mut inner = self.inner.clone();
        let (request, transcript) = self.signed(TOKENIZE_PATH, wire::TokenizeRequest { text });
        let answer =
            self.first(async { proven(self.miner, transcript, inner.tokenize(request).await) }).await?;
        Ok(answer.ids)
    }

    /// The bytes of these tokens.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn detokenize(&self, ids: Vec<u32>) -> Result<Vec<u8>, ClientError> {
        let mut inner = self.inner.clone();
        let (request, transcript) = self.signed(DETOKENIZE_PATH, wire::DetokenizeRequest { ids });
        let answer =
            self.first(async { proven(self.miner, transcript, inner.detokenize(request).await) }).await?;
        Ok(answer.text)
    }

    /// One vector per text.
    ///
    /// # Errors
    /// See [`ClientError`]; [`ClientError::Malformed`] if there are not as many vectors as texts.
    pub async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, ClientError> {
        let mut inner = self.inner.clone();
        let expected = texts.len();
        let (request, transcript) = self.signed(EMBED_PATH, wire::EmbedRequest { texts });
        let answer = self.first(async { proven(self.miner, transcript, inner.embed(request).await) }).await?;
        let found = answer.embeddings.len();
        if found != expected {
            let reason = format!("has {found} vectors for {expected} texts");
            return Err(WireError { field: "response.embeddings", reason }.into());
        }
        Ok(answer.embeddings.into_iter().map(|embedding| embedding.values).collect())
    }

    /// Signs a message and returns the request with the conversation that begins with it.
    pub(crate) fn signed<Q: prost::Message>(&self, path: &str, message: Q) -> (Request<Q>, Transcript) {
        let bytes = message.encode_to_vec();
        let (request, transcript) = self.headed(path, &bytes, message);
        (request, transcript)
    }

    /// As [`Self::signed`], for a body that is not the message itself.
    pub(crate) fn headed<B>(&self, path: &str, bytes: &[u8], body: B) -> (Request<B>, Transcript) {
        let headers = AuthHeaders::sign(&self.key, self.miner, path, bytes, nonce::next());
        let mut request = Request::new(body);
        auth::insert(request.metadata_mut(), &headers);
        if let Some(id) = &self.request_id {
            request.metadata_mut().insert(X_REQUEST_ID, id.clone());
        }
        (request, Transcript::open(&headers.signature).absorb(Direction::Client, bytes))
    }
}

/// The answer of a call, once its receipt is verified.
fn proven<A: Answer>(
    miner: AccountId,
    mut transcript: Transcript,
    response: Result<Response<A>, Status>,
) -> Result<A, ClientError> {
    let mut answer = response?.into_inner();
    verify(miner, &mut transcript, &mut answer)?;
    Ok(answer)
}

/// Adds an answer to the conversation and checks its receipt over what has been said so far.
pub(crate) fn verify<A: Answer>(
    miner: AccountId,
    transcript: &mut Transcript,
    answer: &mut A,
) -> Result<(), ClientError> {
    *transcript = transcript.absorb(Direction::Miner, &answer.bytes());
    let proven = answer.proof().is_ok_and(|receipt| transcript.verify_receipt(&miner, &receipt));
    if proven { Ok(()) } else { Err(ClientError::BadReceipt { miner }) }
}
