//! The gRPC service: info, load, and the way into a stream.

use std::pin::Pin;
use std::sync::Arc;

use acumen_models::Replica;
use acumen_proto::inference_v1 as wire;
use acumen_proto::inference_v1::inference_server::Inference;
use acumen_protocol::{AccountId, Keypair};
use futures::Stream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};

use crate::access::Access;
use crate::config::Limits;
use crate::metrics::Metrics;
use crate::model::ModelSlot;
use crate::nonces::Nonces;
use crate::rate::RateLimiter;
use crate::refusal::Refusal;
use crate::slots::Slots;
use crate::{opening, stream};

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
    pub(crate) nonces: Nonces,
    pub(crate) model: ModelSlot,
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
        !self.draining.is_cancelled() && self.model.ready().is_ok()
    }
}

/// The service.
#[derive(Clone, Debug)]
pub(crate) struct Service(pub(crate) Arc<Shared>);

/// The answers of one stream.
pub(crate) type Answers = Pin<Box<dyn Stream<Item = Result<wire::PredictResponse, Status>> + Send>>;

#[tonic::async_trait]
impl Inference for Service {
    type PredictStream = Answers;

    async fn get_info(
        &self,
        _: Request<wire::GetInfoRequest>,
    ) -> Result<Response<wire::GetInfoResponse>, Status> {
        let replica = self.0.model.get().ok_or_else(|| Refusal::Loading.status())?;
        Ok(Response::new(info(&self.0, &replica)))
    }

    async fn get_load(
        &self,
        _: Request<wire::GetLoadRequest>,
    ) -> Result<Response<wire::GetLoadResponse>, Status> {
        let load = self.0.model.load();
        let wait = self.0.metrics.estimated_wait(&load).as_millis();
        Ok(Response::new(wire::GetLoadResponse {
            running: small(self.0.slots.running()),
            waiting: small(load.waiting),
            waiting_tokens: load.waiting_tokens as u64,
            kv_used: load.kv_used as u64,
            kv_total: load.kv_total as u64,
            estimated_wait_ms: u64::try_from(wait).unwrap_or(u64::MAX),
        }))
    }

    async fn predict(
        &self,
        request: Request<Streaming<wire::PredictRequest>>,
    ) -> Result<Response<Answers>, Status> {
        let opened = Box::pin(opening::open(Arc::clone(&self.0), request)).await;
        let (first, running) = opened.map_err(|refusal| {
            self.0.metrics.refuse(refusal.label());
            tracing::debug!(reason = refusal.label(), %refusal, "question refused");
            refusal.status()
        })?;
        Ok(Response::new(stream::answers(first, running)))
    }
}

fn info(shared: &Shared, replica: &Replica) -> wire::GetInfoResponse {
    let info = replica.info();
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
    }
}

fn small(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
