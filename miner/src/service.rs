//! The gRPC service: info, load, and the way into a stream.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use acumen_proto::inference_v1 as wire;
use acumen_proto::inference_v1::inference_server::Inference;
use acumen_proto::verifier::Verifier;
use acumen_protocol::{AccountId, Keypair};
use futures::Stream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};

use crate::access::Access;
use crate::admission::{Admission, Waiting};
use crate::config::Limits;
use crate::doors::now_ns;
use crate::encoder::Encoder;
use crate::engine::{Engine, EngineSlot};
use crate::metrics::Metrics;
use crate::nonces::Nonces;
use crate::rate::RateLimiter;
use crate::refusal::Refusal;
use crate::slots::Slots;
use crate::text::Text;
use crate::{generate, opening, stream, unary};

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) hotkey: Keypair,
    pub(crate) account: AccountId,
    pub(crate) model_name: Option<String>,
    pub(crate) limits: Limits,
    pub(crate) access: Arc<Access>,
    pub(crate) rate: RateLimiter,
    pub(crate) slots: Slots,
    pub(crate) verifier: Verifier,
    pub(crate) nonces: Nonces,
    /// Nanoseconds since the Unix epoch before which every nonce counts as used: nothing can be asked until then.
    pub(crate) opens_at: u64,
    pub(crate) admission: Admission,
    /// In front of the encoder.
    pub(crate) embedding: Admission,
    /// In front of the tokenizer, for long texts.
    pub(crate) tokenizing: Admission,
    pub(crate) engine: EngineSlot,
    /// Empty until it has loaded, and for good if none is configured.
    pub(crate) encoder: OnceLock<Encoder>,
    pub(crate) metrics: Metrics,
    /// Cancelled when no new stream is taken any more.
    pub(crate) draining: CancellationToken,
    /// Cancelled when running streams must end.
    pub(crate) kill: CancellationToken,
    /// Tracks every stream from its first byte to its last.
    pub(crate) streams: TaskTracker,
}

impl Shared {
    /// Whether a question would be taken now.
    pub(crate) fn is_ready(&self) -> bool {
        !self.draining.is_cancelled() && self.is_open() && self.engine.ready().is_ok()
    }

    /// Whether a nonce of now can be told from a used one: false for some seconds after a crash.
    pub(crate) fn is_open(&self) -> bool {
        now_ns() >= self.opens_at
    }

    /// Who waits for the model, the encoder or the tokenizer; the estimate is the model's.
    pub(crate) fn waiting(&self) -> Waiting {
        let (mut all, others) = (self.admission.waiting(), [&self.embedding, &self.tokenizing]);
        for other in others.map(Admission::waiting) {
            all.requests += other.requests;
            all.tokens += other.tokens;
        }
        all
    }

    /// Counts and logs a refusal and makes its status.
    pub(crate) fn refuse(&self, refusal: &Refusal) -> Status {
        self.metrics.refuse(refusal.label());
        tracing::debug!(reason = refusal.label(), %refusal, "refused");
        refusal.status()
    }
}

/// The service.
#[derive(Clone, Debug)]
pub(crate) struct Service(pub(crate) Arc<Shared>);

/// The answers of one Predict stream.
pub(crate) type Answers = Pin<Box<dyn Stream<Item = Result<wire::PredictResponse, Status>> + Send>>;

/// The tokens of one generation.
pub(crate) type Tokens = Pin<Box<dyn Stream<Item = Result<wire::GenerateResponse, Status>> + Send>>;

#[tonic::async_trait]
impl Inference for Service {
    type PredictStream = Answers;
    type GenerateStream = Tokens;

    async fn get_info(
        &self,
        _: Request<wire::GetInfoRequest>,
    ) -> Result<Response<wire::GetInfoResponse>, Status> {
        let engine = self.0.engine.get().ok_or_else(|| Refusal::Loading.status())?;
        Ok(Response::new(info(&self.0, &engine)))
    }

    async fn get_load(
        &self,
        _: Request<wire::GetLoadRequest>,
    ) -> Result<Response<wire::GetLoadResponse>, Status> {
        let (load, queue) = (self.0.engine.load(), self.0.waiting());
        Ok(Response::new(wire::GetLoadResponse {
            running: small(self.0.slots.running()),
            waiting: small(load.waiting + queue.requests),
            waiting_tokens: queue.tokens + load.waiting_tokens as u64,
            kv_used: load.kv_used as u64,
            kv_total: load.kv_total as u64,
            estimated_wait_ms: u64::try_from(queue.estimate.as_millis()).unwrap_or(u64::MAX),
        }))
    }

    async fn predict(
        &self,
        request: Request<Streaming<wire::PredictRequest>>,
    ) -> Result<Response<Answers>, Status> {
        let opened = Box::pin(opening::open(Arc::clone(&self.0), request)).await;
        let (first, running) = opened.map_err(|refusal| self.0.refuse(&refusal))?;
        Ok(Response::new(stream::answers(first, running)))
    }

    async fn generate(&self, request: Request<wire::GenerateRequest>) -> Result<Response<Tokens>, Status> {
        let started = Box::pin(generate::start(Arc::clone(&self.0), request)).await;
        started.map(Response::new).map_err(|refusal| self.0.refuse(&refusal))
    }

    async fn tokenize(
        &self,
        request: Request<wire::TokenizeRequest>,
    ) -> Result<Response<wire::TokenizeResponse>, Status> {
        unary::answer(&self.0, unary::tokenize(&self.0, request).await)
    }

    async fn detokenize(
        &self,
        request: Request<wire::DetokenizeRequest>,
    ) -> Result<Response<wire::DetokenizeResponse>, Status> {
        unary::answer(&self.0, unary::detokenize(&self.0, request).await)
    }

    async fn embed(
        &self,
        request: Request<wire::EmbedRequest>,
    ) -> Result<Response<wire::EmbedResponse>, Status> {
        unary::answer(&self.0, unary::embed(&self.0, request).await)
    }
}

fn info(shared: &Shared, engine: &Engine) -> wire::GetInfoResponse {
    let info = engine.info();
    let text = Text::of(engine).ok();
    let of_text: &[&str] = if text.is_some() { &["Tokenize", "Detokenize"] } else { &[] };
    let embed: &[&str] = if shared.encoder.get().is_some() { &["Embed"] } else { &[] };
    let methods = ["Predict", "Generate"].iter().chain(of_text).chain(embed);
    wire::GetInfoResponse {
        hotkey: shared.account.to_string(),
        model: shared.model_name.clone().unwrap_or_else(|| info.name.clone()),
        architecture: info.architecture.clone(),
        parameters: info.parameters,
        vocabulary: info.vocab,
        context: small(info.context),
        digest: info.digest.to_vec(),
        tokenizer: info.tokenizer.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        max_documents: small(shared.limits.max_documents),
        methods: methods.map(|name| (*name).to_owned()).collect(),
        format: info.format.clone(),
        max_context_tokens: small(shared.limits.max_context_tokens),
        generation: engine.generation(),
        end_tokens: text.map(|text| text.end_tokens()).unwrap_or_default(),
    }
}

fn small(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
