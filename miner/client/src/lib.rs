//! The signed client of a miner: what a validator and a gateway ask with.
//!
//! [`MinerClient`] is one lazy HTTP/2 connection to one miner, cheap to clone. [`MinerClient::open`] starts a Predict
//! stream ([`PredictSession`]): contexts out, one distribution per document back, then a token per document out, and so
//! on. [`MinerClient::generate`] has the miner choose the tokens instead ([`Generation`]). Every opening is signed by the
//! asker's hotkey, every later message by a session key, and every answer must carry the miner's receipt over the whole
//! conversation so far (docs/spec/auth.md, docs/spec/stream.md). Each call has an id in its metadata and in the logs of
//! both sides ([`MinerClient::with_request_id`]).
//!
//! Invariant: a distribution that this crate returns came from the miner's hotkey, in answer to exactly the messages
//! that were sent, before the deadline. Whether it *is* a distribution is for `scoring/value` to judge.

mod call;
mod calls;
mod error;
mod generation;
mod nonce;
mod pinned;
mod report;
mod session;

use std::sync::Arc;
use std::time::Duration;

use acumen_proto::inference::{Distribution, MAX_MESSAGE_BYTES};
use acumen_proto::inference_v1 as wire;
use acumen_proto::inference_v1::inference_client::InferenceClient;
use acumen_proto::{GET_INFO_PATH, GET_LOAD_PATH, PREDICT_PATH};
use acumen_protocol::call::Endpoint;
use acumen_protocol::{AccountId, Keypair};
use tonic::transport::Channel;

pub use acumen_proto::RequestId;
pub use error::ClientError;
pub use generation::{End, GeneratedToken, Generation};
pub use report::{LoadReport, MinerInfo};
pub use session::PredictSession;

/// Flow-control window per stream, in bytes: a full answer of 256 documents over 256 bytes fits without a round trip.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;

/// How long to wait, and what to expect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientOptions {
    /// For the TCP and HTTP/2 handshake.
    pub connect_timeout: Duration,
    /// For each answer, from the sending of the question. The first answer of a connection may take
    /// [`Self::connect_timeout`] longer.
    pub answer_timeout: Duration,
    /// Size of the vocabulary that answers must have: the track's. Track 0 is over bytes.
    pub vocabulary: u32,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(3),
            answer_timeout: Duration::from_secs(10),
            vocabulary: 256,
        }
    }
}

/// A connection to one miner. Clones share it.
#[derive(Clone, Debug)]
pub struct MinerClient {
    inner: InferenceClient<Channel>,
    miner: AccountId,
    key: Arc<Keypair>,
    options: Arc<ClientOptions>,
    request_id: Option<RequestId>,
}

impl MinerClient {
    /// Prepares a connection to `miner` at `endpoint`; the first request makes it, and a broken one is made again.
    /// `key` signs for the asker. Must be called inside a Tokio runtime.
    ///
    /// # Errors
    /// [`ClientError::Endpoint`] if the endpoint cannot be used at all.
    pub fn connect_lazy(
        endpoint: &Endpoint,
        miner: AccountId,
        key: Arc<Keypair>,
        options: ClientOptions,
    ) -> Result<Self, ClientError> {
        let url = endpoint.url();
        let refuse = |reason: &str| ClientError::Endpoint { url: url.to_owned(), reason: reason.to_owned() };
        if !endpoint.is_valid() {
            return Err(refuse("it must be http://HOST:PORT or https://HOST:PORT"));
        }
        let channel = match (url.strip_prefix("https://"), endpoint.certificate) {
            (None, None) => transport(url, &options).map(|transport| transport.connect_lazy()),
            (Some(address), Some(hash)) => transport(&format!("http://{address}"), &options)
                .and_then(|transport| pinned::channel(&transport, hash)),
            (Some(_), None) => {
                Err("the chain's record has no hash of its certificate: whose it is cannot be told"
                    .to_owned())
            }
            (None, Some(_)) => {
                Err("the chain's record has the hash of a certificate, so it must be https".to_owned())
            }
        };
        let channel = channel.map_err(|reason| refuse(&reason))?;
        let inner = InferenceClient::new(channel)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        Ok(Self { inner, miner, key, options: Arc::new(options), request_id: None })
    }

    /// The miner that is asked.
    #[must_use]
    pub const fn miner(&self) -> AccountId {
        self.miner
    }

    /// What the miner serves.
    ///
    /// # Errors
    /// See [`ClientError`]; [`ClientError::OtherMiner`] if another hotkey answers there.
    pub async fn info(&self) -> Result<MinerInfo, ClientError> {
        let (call, mut inner) = (self.call(GET_INFO_PATH), self.inner.clone());
        let request = call.bare(wire::GetInfoRequest {});
        let response = self.first(&call, async { Ok(inner.get_info(request).await?) }).await?;
        let info = MinerInfo::try_from(response.into_inner())?;
        if info.hotkey != self.miner {
            return Err(ClientError::OtherMiner { expected: self.miner, found: info.hotkey });
        }
        Ok(info)
    }

    /// How busy the miner says it is.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn load(&self) -> Result<LoadReport, ClientError> {
        let (call, mut inner) = (self.call(GET_LOAD_PATH), self.inner.clone());
        let request = call.bare(wire::GetLoadRequest {});
        let response = self.first(&call, async { Ok(inner.get_load(request).await?) }).await?;
        Ok(response.into_inner().into())
    }

    /// Opens a stream over `contexts` and returns the first distribution of each document. `top_k` is the number of ids
    /// wanted per distribution, `None` for the whole vocabulary. Dropping the session (or this future) cancels it.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn open(
        &self,
        contexts: Vec<Vec<u32>>,
        top_k: Option<u32>,
    ) -> Result<(PredictSession, Vec<Distribution>), ClientError> {
        let call = self.call(PREDICT_PATH);
        self.first(&call, session::open(self, &call, contexts, top_k)).await
    }
}

fn transport(url: &str, options: &ClientOptions) -> Result<tonic::transport::Endpoint, String> {
    let transport = Channel::from_shared(url.to_owned()).map_err(|error| error.to_string())?;
    Ok(transport
        .connect_timeout(options.connect_timeout)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .tcp_nodelay(true))
}
