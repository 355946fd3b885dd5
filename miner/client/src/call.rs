//! What every call has in common: its id, its span in the log, its deadline, its signature.

use acumen_proto::inference::Answer;
use acumen_proto::verifier::{Claim, Verifier};
use acumen_proto::{RequestId, auth};
use acumen_protocol::AccountId;
use acumen_protocol::auth::AuthHeaders;
use acumen_protocol::session::{Direction, Transcript};
use tonic::{Request, Response, Status};
use tracing::Instrument as _;

use crate::{ClientError, MinerClient, nonce};

/// One call, from its signature to its last answer.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    path: &'static str,
    id: RequestId,
    span: tracing::Span,
}

impl Call {
    /// What the miner's log calls it too.
    pub(crate) const fn id(&self) -> &RequestId {
        &self.id
    }

    /// An unsigned request with the id.
    pub(crate) fn bare<B>(&self, body: B) -> Request<B> {
        let mut request = Request::new(body);
        self.id.insert(request.metadata_mut());
        request
    }

    /// Runs a part of the call in its span and logs how it fails.
    pub(crate) async fn run<T>(
        &self,
        part: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        let logged = async { part.await.inspect_err(|error| tracing::debug!(%error, "no answer of use")) };
        logged.instrument(self.span.clone()).await
    }
}

impl MinerClient {
    /// The same connection, with `id` for every call made through it: in their metadata, so that the miner's log names
    /// it, and in this side's spans. Without this, each call has a fresh id of its own.
    #[must_use]
    pub fn with_request_id(&self, id: RequestId) -> Self {
        Self { request_id: Some(id), ..self.clone() }
    }

    /// A call on `path`.
    pub(crate) fn call(&self, path: &'static str) -> Call {
        let id = self.request_id.clone().unwrap_or_else(RequestId::fresh);
        let span = tracing::debug_span!("ask", id = id.as_str(), miner = %self.miner, method = path);
        Call { path, id, span }
    }

    /// Runs a request that may have to connect first, under its deadline.
    pub(crate) async fn first<T>(
        &self,
        call: &Call,
        request: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        let limit = self.options.connect_timeout.saturating_add(self.options.answer_timeout);
        let timed =
            async { tokio::time::timeout(limit, request).await.map_err(|_| ClientError::Late { limit })? };
        call.run(timed).await
    }

    /// Signs a message and returns the request with the conversation that begins with it.
    pub(crate) fn signed<Q: prost::Message>(&self, call: &Call, message: Q) -> (Request<Q>, Transcript) {
        let bytes = message.encode_to_vec();
        self.headed(call, &bytes, message)
    }

    /// As [`Self::signed`], for a body that is not the message itself.
    pub(crate) fn headed<B>(&self, call: &Call, bytes: &[u8], body: B) -> (Request<B>, Transcript) {
        let headers = AuthHeaders::sign(&self.key, self.miner, call.path, bytes, nonce::next());
        let mut request = call.bare(body);
        auth::insert(request.metadata_mut(), &headers);
        (request, Transcript::open(&headers.signature).absorb(Direction::Client, bytes))
    }
}

/// Receipts of all connections of the process, checked together where they arrive together: a validator hears hundreds of
/// miners at once.
static RECEIPTS: Verifier = Verifier::new();

/// The answer of a call, once its receipt is verified.
pub(crate) async fn proven<A: Answer>(
    miner: AccountId,
    mut transcript: Transcript,
    response: Result<Response<A>, Status>,
) -> Result<A, ClientError> {
    let mut answer = response?.into_inner();
    verify(miner, &mut transcript, &mut answer).await?;
    Ok(answer)
}

/// Adds an answer to the conversation and checks its receipt over what has been said so far.
pub(crate) async fn verify<A: Answer>(
    miner: AccountId,
    transcript: &mut Transcript,
    answer: &mut A,
) -> Result<(), ClientError> {
    *transcript = transcript.absorb(Direction::Miner, &answer.bytes());
    let Ok(signature) = answer.proof() else { return Err(ClientError::BadReceipt { miner }) };
    let claim = Claim { signer: miner, message: transcript.receipt_preimage(), signature };
    if RECEIPTS.verify(claim).await { Ok(()) } else { Err(ClientError::BadReceipt { miner }) }
}
