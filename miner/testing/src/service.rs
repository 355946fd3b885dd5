//! The Inference service as far as predictions need it; everything else is not implemented.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use acumen_proto::inference::{ClientMessage, request_bytes};
use acumen_proto::inference_v1::inference_server::Inference;
use acumen_proto::inference_v1::{self as wire, PredictRequest, PredictResponse};
use acumen_proto::request_id::X_REQUEST_ID;
use acumen_proto::{PREDICT_PATH, auth};
use acumen_protocol::auth::ReplayStore;
use acumen_protocol::session::{Direction, Transcript};
use acumen_protocol::{AccountId, Keypair};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming, async_trait};

use crate::session::{Open, Session};
use crate::{Behaviour, NGram, Seen};

/// Answers for one miner.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) key: Keypair,
    pub(crate) model: Arc<NGram>,
    pub(crate) behaviour: Behaviour,
    pub(crate) seen: Arc<Seen>,
}

/// Every test asks from one process, whose nonces never repeat.
struct Fresh;

impl ReplayStore for Fresh {
    fn insert(&mut self, _: &AccountId, _: u64, _: u64) -> Result<bool, String> {
        Ok(true)
    }
}

impl Service {
    fn note(&self, metadata: &MetadataMap) {
        let id = metadata.get(X_REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
        self.seen.request_ids.lock().unwrap_or_else(PoisonError::into_inner).push(id.to_owned());
    }
}

fn now_ns() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
}

fn only_predictions<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("only predictions"))
}

#[async_trait]
impl Inference for Service {
    type PredictStream = BoxStream<'static, Result<PredictResponse, Status>>;
    type GenerateStream = tonic::codegen::BoxStream<wire::GenerateResponse>;

    async fn predict(
        &self,
        request: Request<Streaming<PredictRequest>>,
    ) -> Result<Response<Self::PredictStream>, Status> {
        self.note(request.metadata());
        if self.seen.down.load(Ordering::SeqCst) {
            return Err(Status::permission_denied("down for the test"));
        }
        let headers = auth::extract(request.metadata()).map_err(|error| auth::status(&error))?;
        let mut incoming = request.into_inner();
        let opening = incoming.message().await?.ok_or_else(|| Status::invalid_argument("no opening"))?;
        let bytes = request_bytes(&opening);
        headers
            .verify(&self.key.account(), PREDICT_PATH, &bytes, now_ns(), &mut Fresh)
            .map_err(|error| auth::status(&error))?;
        let ClientMessage::Open(open) = ClientMessage::try_from(opening)? else {
            return Err(Status::invalid_argument("no opening"));
        };
        let contexts: Vec<Vec<u8>> =
            open.contexts.iter().map(|ids| ids.iter().map(|&id| id as u8).collect()).collect();
        self.seen.contexts.lock().unwrap_or_else(PoisonError::into_inner).extend(contexts.clone());
        let session = Session {
            contexts,
            key: self.key.clone(),
            model: Arc::clone(&self.model),
            behaviour: self.behaviour.clone(),
            transcript: Transcript::open(&headers.signature).absorb(Direction::Client, &bytes),
            answered: 0,
            _open: Open::note(Arc::clone(&self.seen)),
        };
        Ok(Response::new(session.run(open.session_key, incoming).boxed()))
    }

    async fn get_info(
        &self,
        request: Request<wire::GetInfoRequest>,
    ) -> Result<Response<wire::GetInfoResponse>, Status> {
        self.note(request.metadata());
        Ok(Response::new(wire::GetInfoResponse {
            hotkey: self.key.account().to_string(),
            model: format!("{:?}", self.behaviour),
            vocabulary: self.behaviour.vocabulary(),
            digest: vec![0; 32],
            tokenizer: "bytes".to_owned(),
            max_documents: 256,
            ..wire::GetInfoResponse::default()
        }))
    }

    async fn get_load(
        &self,
        _: Request<wire::GetLoadRequest>,
    ) -> Result<Response<wire::GetLoadResponse>, Status> {
        Ok(Response::new(wire::GetLoadResponse::default()))
    }

    async fn generate(
        &self,
        _: Request<wire::GenerateRequest>,
    ) -> Result<Response<Self::GenerateStream>, Status> {
        only_predictions()
    }

    async fn tokenize(
        &self,
        _: Request<wire::TokenizeRequest>,
    ) -> Result<Response<wire::TokenizeResponse>, Status> {
        only_predictions()
    }

    async fn detokenize(
        &self,
        _: Request<wire::DetokenizeRequest>,
    ) -> Result<Response<wire::DetokenizeResponse>, Status> {
        only_predictions()
    }

    async fn embed(&self, _: Request<wire::EmbedRequest>) -> Result<Response<wire::EmbedResponse>, Status> {
        only_predictions()
    }
}
