//! A miner over gRPC: verifies the asker's signatures as a real one does, signs receipts, and misbehaves as told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use acumen_proto::inference::{ClientMessage, Distribution, request_bytes, response_bytes};
use acumen_proto::inference_v1::inference_server::{Inference, InferenceServer};
use acumen_proto::inference_v1::{self as wire, PredictRequest, PredictResponse};
use acumen_proto::{PREDICT_PATH, auth};
use acumen_protocol::auth::ReplayStore;
use acumen_protocol::session::{Direction, Transcript};
use acumen_protocol::{AccountId, Keypair};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::model::Model;

/// Shorter than the gateway's own time limits in tests: a stream that only those end is one that nobody cancelled.
const WATCHDOG: std::time::Duration = std::time::Duration::from_secs(10);

#[derive(Clone, Debug)]
pub enum Behaviour {
    /// Answers.
    Good,
    /// Ends the stream with an error after so many answers.
    DieAfter(usize),
    /// Claims twice the mass after so many answers.
    GarbageAfter(usize),
    /// Signs nothing.
    NoReceipt,
    /// Never answers.
    Silent,
    /// Answers once per permit.
    Gated(Arc<Semaphore>),
}

/// A running miner; its server stops with the runtime.
pub struct TestMiner {
    pub address: SocketAddr,
    pub hotkey: AccountId,
    /// Streams that are open.
    pub live: watch::Receiver<usize>,
    pub model: Arc<Model>,
}

struct Server {
    key: Keypair,
    model: Arc<Model>,
    behaviour: Behaviour,
    live: watch::Sender<usize>,
}

/// Every test asks from one process, whose nonces never repeat.
struct Fresh;

impl ReplayStore for Fresh {
    fn insert(&mut self, _: &AccountId, _: u64, _: u64) -> Result<bool, String> {
        Ok(true)
    }
}

struct Open(watch::Sender<usize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|live| *live -= 1);
    }
}

impl TestMiner {
    pub async fn start(seed: u8, behaviour: Behaviour) -> Self {
        let key = Keypair::from_seed(&[seed; 32]);
        let (sender, live) = watch::channel(0);
        let model = Arc::new(Model::of_order(usize::from(seed)));
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server { key: key.clone(), model: Arc::clone(&model), behaviour, live: sender };
        let incoming = TcpListenerStream::new(listener);
        let serving = tonic::transport::Server::builder().add_service(InferenceServer::new(server));
        tokio::spawn(serving.serve_with_incoming(incoming));
        Self { address, hotkey: key.account(), live, model }
    }

    /// A miner that is listed but not there.
    pub async fn dead(seed: u8) -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let address = listener.local_addr().unwrap();
        let hotkey = Keypair::from_seed(&[seed; 32]).account();
        Self { address, hotkey, live: watch::channel(0).1, model: Arc::new(Model::of_order(0)) }
    }

    pub async fn wait_for_streams(&self, count: usize) {
        let mut live = self.live.clone();
        let reached = tokio::time::timeout(WATCHDOG, live.wait_for(|live| *live == count)).await;
        reached.expect("the streams open and close long before this").unwrap();
    }
}

#[async_trait]
impl Inference for Server {
    type PredictStream = BoxStream<'static, Result<PredictResponse, Status>>;
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

    async fn get_info(
        &self,
        _: Request<wire::GetInfoRequest>,
    ) -> Result<Response<wire::GetInfoResponse>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn get_load(
        &self,
        _: Request<wire::GetLoadRequest>,
    ) -> Result<Response<wire::GetLoadResponse>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn predict(
        &self,
        request: Request<Streaming<PredictRequest>>,
    ) -> Result<Response<Self::PredictStream>, Status> {
        let headers = auth::extract(request.metadata()).map_err(|error| auth::status(&error))?;
        let mut incoming = request.into_inner();
        let opening = incoming.message().await?.ok_or_else(|| Status::invalid_argument("no opening"))?;
        let bytes = request_bytes(&opening);
        let now = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap();
        headers
            .verify(&self.key.account(), PREDICT_PATH, &bytes, now, &mut Fresh)
            .map_err(|error| auth::status(&error))?;
        let ClientMessage::Open(open) = ClientMessage::try_from(opening)? else {
            return Err(Status::invalid_argument("no opening"));
        };
        self.live.send_modify(|live| *live += 1);
        let session = Session {
            contexts: open.contexts.iter().map(|ids| ids.iter().map(|&id| id as u8).collect()).collect(),
            key: self.key.clone(),
            model: Arc::clone(&self.model),
            behaviour: self.behaviour.clone(),
            transcript: Transcript::open(&headers.signature).absorb(Direction::Client, &bytes),
            answered: 0,
            _open: Open(self.live.clone()),
        };
        Ok(Response::new(session.run(open.session_key, incoming).boxed()))
    }
}

struct Session {
    contexts: Vec<Vec<u8>>,
    key: Keypair,
    model: Arc<Model>,
    behaviour: Behaviour,
    transcript: Transcript,
    answered: usize,
    _open: Open,
}

impl Session {
    fn run(
        mut self,
        session_key: acumen_protocol::ConsensusPublic,
        mut incoming: Streaming<PredictRequest>,
    ) -> impl futures::Stream<Item = Result<PredictResponse, Status>> {
        async_stream::try_stream! {
            loop {
                yield self.answer().await?;
                let Some(message) = incoming.message().await? else { return };
                self.transcript = self.transcript.absorb(Direction::Client, &request_bytes(&message));
                let ClientMessage::Step { tokens, signature } = ClientMessage::try_from(message)? else {
                    Err(Status::invalid_argument("two openings"))?;
                    return;
                };
                if !self.transcript.verify(&session_key, &signature) {
                    Err(Status::unauthenticated("the step is not signed by the session key"))?;
                }
                for (context, token) in self.contexts.iter_mut().zip(tokens) {
                    context.push(u8::try_from(token).map_err(|_| Status::invalid_argument("no byte"))?);
                }
            }
        }
    }

    async fn answer(&mut self) -> Result<PredictResponse, Status> {
        let mut scale = 1.0;
        match &self.behaviour {
            Behaviour::DieAfter(count) if self.answered == *count => {
                return Err(Status::internal("the model broke"));
            }
            Behaviour::GarbageAfter(count) if self.answered >= *count => scale = 2.0,
            Behaviour::Silent => std::future::pending().await,
            Behaviour::Gated(gate) => gate.acquire().await.unwrap().forget(),
            _ => {}
        }
        let logprobs = |context: &Vec<u8>| {
            self.model.probs(context).iter().map(|prob| (prob * scale).ln() as f32).collect::<Vec<_>>()
        };
        let distributions =
            self.contexts.iter().map(|context| Distribution::full_to_wire(logprobs(context))).collect();
        let mut response = PredictResponse { distributions, receipt: Vec::new() };
        self.transcript = self.transcript.absorb(Direction::Miner, &response_bytes(&response));
        response.receipt = self.transcript.receipt(&self.key).0.to_vec();
        if matches!(self.behaviour, Behaviour::NoReceipt) {
            response.receipt.fill(0);
        }
        self.answered += 1;
        Ok(response)
    }
}
