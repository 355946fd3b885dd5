//! A miner on a real socket: the Inference service over an n-gram, with a mood.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use acumen_proto::inference::{self, ClientMessage, Distribution};
use acumen_proto::inference_v1 as wire;
use acumen_proto::inference_v1::inference_server::{Inference, InferenceServer};
use acumen_protocol::call::Endpoint;
use acumen_protocol::session::{Direction, Transcript};
use acumen_protocol::{Hash, Height, Keypair, Uid};
use acumen_validator::Miner;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status, Streaming};

use super::model::NGram;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Honest,
    /// Claims a mass of 1.2.
    Overclaims,
    /// Opens a stream and never answers.
    Silent,
    /// Says that it serves words.
    OtherVocabulary,
    /// Reports the last byte that was revealed as certain: only a peek ahead would make this pay.
    Parrot,
}

#[derive(Clone)]
pub struct Server {
    key: Arc<Keypair>,
    model: Arc<NGram>,
    mood: Mood,
    /// While set, streams are refused.
    pub down: Arc<AtomicBool>,
    /// Told when a stream was opened.
    pub opened: Arc<tokio::sync::Notify>,
    /// Contexts of every stream, in order.
    pub contexts: Arc<std::sync::Mutex<Vec<Vec<u8>>>>,
    /// Told when a stream has ended.
    pub ended: Arc<tokio::sync::Notify>,
}

/// Starts a miner; it ends with the test's runtime.
pub async fn start(uid: u16, model: Arc<NGram>, mood: Mood) -> (Miner, Server) {
    let key = Keypair::from_seed(&[uid as u8 + 1; 32]);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let miner = Miner {
        uid: Uid::new(uid),
        hotkey: key.account(),
        registered_at: Height::new(u64::from(uid)),
        endpoint: Endpoint::new(&url, Hash::ZERO, None).unwrap(),
    };
    let server = Server {
        key: Arc::new(key),
        model,
        mood,
        down: Arc::default(),
        opened: Arc::default(),
        ended: Arc::default(),
        contexts: Arc::default(),
    };
    let service = InferenceServer::new(server.clone());
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    tokio::spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming));
    (miner, server)
}

impl Server {
    fn answer(&self, documents: &[Vec<u8>]) -> wire::PredictResponse {
        let distribution = |document: &Vec<u8>| {
            let mut logprobs = self.model.logprobs(document);
            match self.mood {
                Mood::Overclaims => logprobs.iter_mut().for_each(|logprob| *logprob += 1.2f32.ln()),
                Mood::Parrot => {
                    let last = document.last().copied().unwrap_or(0);
                    for (byte, logprob) in logprobs.iter_mut().enumerate() {
                        *logprob = if byte == usize::from(last) { 0.0 } else { f32::NEG_INFINITY };
                    }
                }
                _ => {}
            }
            Distribution::full_to_wire(logprobs)
        };
        wire::PredictResponse {
            distributions: documents.iter().map(distribution).collect(),
            receipt: Vec::new(),
        }
    }

    async fn serve(
        self,
        mut transcript: Transcript,
        mut incoming: Streaming<wire::PredictRequest>,
        outgoing: tokio::sync::mpsc::Sender<Result<wire::PredictResponse, Status>>,
    ) -> Option<()> {
        let mut documents: Vec<Vec<u8>> = Vec::new();
        while let Some(Ok(message)) = incoming.next().await {
            transcript = transcript.absorb(Direction::Client, &inference::request_bytes(&message));
            match ClientMessage::try_from(message).ok()? {
                ClientMessage::Open(open) => {
                    let bytes = |ids: Vec<u32>| ids.into_iter().map(|id| id as u8).collect();
                    documents = open.contexts.into_iter().map(bytes).collect();
                    self.contexts.lock().unwrap().extend(documents.clone());
                    self.opened.notify_one();
                }
                ClientMessage::Step { tokens, .. } => {
                    documents.iter_mut().zip(tokens).for_each(|(document, token)| document.push(token as u8));
                }
            }
            if self.mood == Mood::Silent {
                std::future::pending::<()>().await;
            }
            let mut answer = self.answer(&documents);
            transcript = transcript.absorb(Direction::Miner, &inference::response_bytes(&answer));
            answer.receipt = transcript.receipt(&self.key).0.to_vec();
            outgoing.send(Ok(answer)).await.ok()?;
        }
        self.ended.notify_one();
        Some(())
    }
}

#[tonic::async_trait]
impl Inference for Server {
    async fn get_info(
        &self,
        _: Request<wire::GetInfoRequest>,
    ) -> Result<Response<wire::GetInfoResponse>, Status> {
        let vocabulary = if self.mood == Mood::OtherVocabulary { 50_257 } else { 256 };
        Ok(Response::new(wire::GetInfoResponse {
            hotkey: self.key.account().to_string(),
            model: format!("{:?}", self.mood),
            vocabulary,
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

    type PredictStream = Pin<Box<dyn Stream<Item = Result<wire::PredictResponse, Status>> + Send>>;
    type GenerateStream = tonic::codegen::BoxStream<wire::GenerateResponse>;

    async fn generate(
        &self,
        _: Request<wire::GenerateRequest>,
    ) -> Result<Response<Self::GenerateStream>, Status> {
        Err(Status::unimplemented("only predictions"))
    }

    async fn tokenize(
        &self,
        _: Request<wire::TokenizeRequest>,
    ) -> Result<Response<wire::TokenizeResponse>, Status> {
        Err(Status::unimplemented("only predictions"))
    }

    async fn detokenize(
        &self,
        _: Request<wire::DetokenizeRequest>,
    ) -> Result<Response<wire::DetokenizeResponse>, Status> {
        Err(Status::unimplemented("only predictions"))
    }

    async fn embed(&self, _: Request<wire::EmbedRequest>) -> Result<Response<wire::EmbedResponse>, Status> {
        Err(Status::unimplemented("only predictions"))
    }

    async fn predict(
        &self,
        request: Request<Streaming<wire::PredictRequest>>,
    ) -> Result<Response<Self::PredictStream>, Status> {
        if self.down.load(Ordering::SeqCst) {
            return Err(Status::permission_denied("down for the test"));
        }
        let headers = acumen_proto::auth::extract(request.metadata());
        let headers = headers.map_err(|error| Status::unauthenticated(error.to_string()))?;
        let (outgoing, answers) = tokio::sync::mpsc::channel(1);
        tokio::spawn(self.clone().serve(
            Transcript::open(&headers.signature),
            request.into_inner(),
            outgoing,
        ));
        Ok(Response::new(Box::pin(ReceiverStream::new(answers))))
    }
}
