//! A miner that misbehaves in one way at a time, and the kind of fault that the client reports.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use acumen_miner_client::{ClientError, ClientOptions, MinerClient, RequestId};
use acumen_proto::inference::{Answer, Generate, Prompt};
use acumen_proto::inference_v1::inference_server::{Inference, InferenceServer};
use acumen_proto::request_id::X_REQUEST_ID;
use acumen_proto::{auth, inference, inference_v1 as wire};
use acumen_protocol::call::Endpoint;
use acumen_protocol::session::{Direction, Transcript};
use acumen_protocol::{Hash, Keypair};
use prost::Message as _;
use tokio::net::TcpListener;
use tokio_stream::{Stream, StreamExt as _};
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status, Streaming};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// Receipts by another key.
    OtherKey,
    NoReceipt,
    /// The answer is changed after its receipt was made.
    Changed,
    /// The receipt of the answer before.
    OldReceipt,
    TooFew,
    Short,
    Silent,
    Ends,
    Refuses,
}

/// Answers the opening honestly and commits its fault at the first step; notes the ids of requests.
struct Miner(Fault, Ids);

type Ids = Arc<Mutex<Vec<String>>>;

impl Miner {
    fn note<T>(&self, request: &Request<T>) {
        let id = request.metadata().get(X_REQUEST_ID).unwrap().to_str().unwrap();
        self.1.lock().unwrap().push(id.to_owned());
    }
}

fn miner_key() -> Keypair {
    Keypair::from_seed(&[1; 32])
}

fn answer(documents: usize) -> wire::PredictResponse {
    let distribution = inference::Distribution::full_to_wire(vec![0.25_f32.ln(); 4]);
    wire::PredictResponse { distributions: vec![distribution; documents], receipt: Vec::new() }
}

fn seal(
    transcript: &mut Transcript,
    mut response: wire::PredictResponse,
    key: &Keypair,
) -> wire::PredictResponse {
    *transcript = transcript.absorb(Direction::Miner, &inference::response_bytes(&response));
    response.receipt = transcript.receipt(key).0.to_vec();
    response
}

fn misbehave(
    fault: Fault,
    transcript: &mut Transcript,
    first: &wire::PredictResponse,
) -> Option<Result<wire::PredictResponse, Status>> {
    let honest = answer(2);
    let mut sealed = |response, key: &Keypair| seal(transcript, response, key);
    Some(Ok(match fault {
        Fault::Silent | Fault::None => sealed(honest, &miner_key()),
        Fault::OtherKey => sealed(honest, &Keypair::from_seed(&[2; 32])),
        Fault::NoReceipt => honest,
        Fault::Changed => {
            let mut response = sealed(honest, &miner_key());
            response.distributions[0].logprobs[0] = 0.0;
            response
        }
        Fault::OldReceipt => wire::PredictResponse { receipt: first.receipt.clone(), ..honest },
        Fault::TooFew => sealed(answer(1), &miner_key()),
        Fault::Short => {
            let mut response = honest;
            response.distributions[1].logprobs.pop();
            sealed(response, &miner_key())
        }
        Fault::Ends => return None,
        Fault::Refuses => {
            let mut status = Status::resource_exhausted("busy".repeat(1_000));
            status.metadata_mut().insert("retry-after-ms", "70".parse().unwrap());
            return Some(Err(status));
        }
    }))
}

fn receipt<A: Answer>(transcript: &mut Transcript, answer: &mut A, key: &Keypair) {
    *transcript = transcript.absorb(Direction::Miner, &answer.bytes());
    answer.set_receipt(transcript.receipt(key).0.to_vec());
}

/// Three tokens, of which the second has the fault.
fn tokens(fault: Fault, transcript: &mut Transcript) -> Vec<Result<wire::GenerateResponse, Status>> {
    let usage = wire::Usage { prompt_tokens: 1, completion_tokens: 3 };
    let honest = |position: u32| wire::GenerateResponse {
        position,
        token: 2,
        usage: (position == 2).then_some(usage),
        finish_reason: i32::from(position == 2),
        ..Default::default()
    };
    let mut answers = Vec::new();
    for position in 0..3 {
        let mut answer = honest(position);
        let guilty = position == 1;
        match fault {
            Fault::TooFew if guilty => answer.position = 2,
            Fault::Short if guilty => answer.token = 4,
            Fault::NoReceipt if guilty => answer.usage = Some(usage),
            Fault::Ends if guilty => return answers,
            _ => {}
        }
        let key = if guilty && fault == Fault::OtherKey { Keypair::from_seed(&[2; 32]) } else { miner_key() };
        receipt(transcript, &mut answer, &key);
        if guilty && fault == Fault::Changed {
            answer.token = 1;
        }
        answers.push(Ok(answer));
    }
    answers
}

fn wanted() -> Generate {
    Generate {
        prompt: Prompt::Tokens(vec![1]),
        max_tokens: 3,
        temperature: 1.0,
        top_p: 1.0,
        seed: 7,
        stop_ids: Vec::new(),
        top_k: None,
    }
}

#[tonic::async_trait]
impl Inference for Miner {
    type PredictStream = Pin<Box<dyn Stream<Item = Result<wire::PredictResponse, Status>> + Send>>;
    type GenerateStream = Pin<Box<dyn Stream<Item = Result<wire::GenerateResponse, Status>> + Send>>;

    async fn generate(
        &self,
        request: Request<wire::GenerateRequest>,
    ) -> Result<Response<Self::GenerateStream>, Status> {
        self.note(&request);
        let headers = auth::extract(request.metadata()).map_err(|error| auth::status(&error))?;
        let bytes = request.into_inner().encode_to_vec();
        let mut transcript = Transcript::open(&headers.signature).absorb(Direction::Client, &bytes);
        Ok(Response::new(Box::pin(tokio_stream::iter(tokens(self.0, &mut transcript)))))
    }

    async fn tokenize(
        &self,
        request: Request<wire::TokenizeRequest>,
    ) -> Result<Response<wire::TokenizeResponse>, Status> {
        self.note(&request);
        let headers = auth::extract(request.metadata()).map_err(|error| auth::status(&error))?;
        let bytes = request.into_inner().encode_to_vec();
        let mut transcript = Transcript::open(&headers.signature).absorb(Direction::Client, &bytes);
        let mut answer = wire::TokenizeResponse { ids: vec![1, 2], receipt: Vec::new() };
        let key = if self.0 == Fault::OtherKey { Keypair::from_seed(&[2; 32]) } else { miner_key() };
        receipt(&mut transcript, &mut answer, &key);
        if self.0 == Fault::Changed {
            answer.ids[0] = 3;
        }
        Ok(Response::new(answer))
    }

    async fn detokenize(
        &self,
        _: Request<wire::DetokenizeRequest>,
    ) -> Result<Response<wire::DetokenizeResponse>, Status> {
        Err(Status::unimplemented("no tokenizer"))
    }

    async fn embed(&self, _: Request<wire::EmbedRequest>) -> Result<Response<wire::EmbedResponse>, Status> {
        Err(Status::unimplemented("no encoder"))
    }

    async fn get_info(
        &self,
        request: Request<wire::GetInfoRequest>,
    ) -> Result<Response<wire::GetInfoResponse>, Status> {
        self.note(&request);
        let hotkey = Keypair::from_seed(&[3; 32]).account().to_string();
        Ok(Response::new(wire::GetInfoResponse { hotkey, digest: vec![0; 32], ..Default::default() }))
    }

    async fn get_load(
        &self,
        _: Request<wire::GetLoadRequest>,
    ) -> Result<Response<wire::GetLoadResponse>, Status> {
        Err(Status::unimplemented("no load"))
    }

    async fn predict(
        &self,
        request: Request<Streaming<wire::PredictRequest>>,
    ) -> Result<Response<Self::PredictStream>, Status> {
        let fault = self.0;
        self.note(&request);
        let headers = auth::extract(request.metadata()).map_err(|error| auth::status(&error))?;
        let mut incoming = request.into_inner();
        let open = incoming.message().await?.unwrap();
        let mut transcript =
            Transcript::open(&headers.signature).absorb(Direction::Client, &inference::request_bytes(&open));
        let first = seal(&mut transcript, answer(2), &miner_key());
        let head = tokio_stream::once(Ok(first.clone()));
        let steps = incoming.map_while(move |message| {
            let bytes = inference::request_bytes(&message.ok()?);
            transcript = transcript.absorb(Direction::Client, &bytes);
            misbehave(fault, &mut transcript, &first)
        });
        if fault == Fault::Silent {
            return Ok(Response::new(Box::pin(head.chain(tokio_stream::pending()))));
        }
        Ok(Response::new(Box::pin(head.chain(steps))))
    }
}

/// A client of a miner with this fault.
async fn client(fault: Fault) -> MinerClient {
    noted(fault).await.0
}

/// A client of a miner with this fault, and the ids that the miner sees.
async fn noted(fault: Fault) -> (MinerClient, Ids) {
    let ids = Ids::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server =
        tonic::transport::Server::builder().add_service(InferenceServer::new(Miner(fault, Arc::clone(&ids))));
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    (connect(&url, fault), ids)
}

fn connect(url: &str, fault: Fault) -> MinerClient {
    let answer_timeout = Duration::from_millis(if fault == Fault::Silent { 1 } else { 30_000 });
    let options = ClientOptions { answer_timeout, vocabulary: 4, ..ClientOptions::default() };
    let endpoint = Endpoint::new(url, Hash::ZERO, None).unwrap();
    let key = Arc::new(Keypair::from_seed(&[9; 32]));
    MinerClient::connect_lazy(&endpoint, miner_key().account(), key, options).unwrap()
}

#[tokio::test]
async fn each_fault_has_its_kind_and_closes_the_session() {
    for fault in [
        Fault::OtherKey,
        Fault::NoReceipt,
        Fault::Changed,
        Fault::OldReceipt,
        Fault::TooFew,
        Fault::Short,
        Fault::Silent,
        Fault::Ends,
        Fault::Refuses,
    ] {
        let (mut session, first) = client(fault).await.open(vec![vec![1], vec![]], None).await.unwrap();
        assert_eq!(first.len(), 2);
        let error = session.step(vec![1, 2]).await.unwrap_err();
        let expected = match fault {
            Fault::TooFew | Fault::Short => matches!(error, ClientError::Malformed(_)),
            Fault::Silent => matches!(error, ClientError::Late { .. }),
            Fault::Ends => matches!(error, ClientError::Closed),
            Fault::Refuses => matches!(
                &error,
                ClientError::Refused { code: Code::ResourceExhausted, message, retry_after }
                    if message.len() == 300 && *retry_after == Some(Duration::from_millis(70))
            ),
            _ => matches!(error, ClientError::BadReceipt { .. }),
        };
        assert!(expected, "{fault:?}: {error:?}");
        assert!(matches!(session.step(vec![1, 2]).await, Err(ClientError::Closed)), "{fault:?}");
    }
}

#[tokio::test]
async fn a_generation_is_believed_token_by_token() {
    let mut honest = client(Fault::None).await.generate(wanted()).await.unwrap();
    for position in 0..3 {
        let token = honest.next().await.unwrap().unwrap();
        assert_eq!((token.position, token.id, token.end.is_some()), (position, 2, position == 2));
    }
    assert_eq!(honest.next().await.unwrap(), None);
    for fault in [Fault::OtherKey, Fault::Changed, Fault::TooFew, Fault::Short, Fault::NoReceipt, Fault::Ends]
    {
        let mut generation = client(fault).await.generate(wanted()).await.unwrap();
        assert!(generation.next().await.unwrap().is_some());
        let error = generation.next().await.unwrap_err();
        let expected = match fault {
            Fault::OtherKey | Fault::Changed => matches!(error, ClientError::BadReceipt { .. }),
            Fault::Ends => matches!(error, ClientError::Closed),
            _ => matches!(error, ClientError::Malformed(_)),
        };
        assert!(expected, "{fault:?}: {error:?}");
        assert_eq!(generation.next().await.unwrap(), None, "{fault:?}: nothing comes after an error");
    }
}

#[tokio::test]
async fn a_call_with_one_answer_needs_its_receipt() {
    assert_eq!(client(Fault::None).await.tokenize("ab".to_owned()).await.unwrap(), [1, 2]);
    for fault in [Fault::OtherKey, Fault::Changed] {
        let error = client(fault).await.tokenize("ab".to_owned()).await.unwrap_err();
        assert!(matches!(error, ClientError::BadReceipt { .. }), "{fault:?}: {error}");
    }
    let error = client(Fault::None).await.embed(vec!["a".to_owned()]).await.unwrap_err();
    assert!(matches!(error, ClientError::Refused { code: Code::Unimplemented, .. }), "{error}");
}

#[tokio::test]
async fn every_call_carries_an_id_and_the_callers_own_where_it_has_one() {
    let (client, ids) = noted(Fault::None).await;
    let named = client.with_request_id(RequestId::parse(b"question-7").unwrap());
    named.tokenize("ab".to_owned()).await.unwrap();
    let generation = named.generate(wanted()).await.unwrap();
    let (session, _) = named.open(vec![vec![1], vec![]], None).await.unwrap();
    assert_eq!(
        (generation.request_id().as_str(), session.request_id().as_str()),
        ("question-7", "question-7")
    );
    let _ = named.info().await;
    assert_eq!(*ids.lock().unwrap(), ["question-7"; 4]);
    ids.lock().unwrap().clear();
    client.tokenize("ab".to_owned()).await.unwrap();
    let (session, _) = client.open(vec![vec![1], vec![]], None).await.unwrap();
    let seen = ids.lock().unwrap().clone();
    assert_ne!(seen[0], seen[1], "a fresh one for each call");
    assert_eq!(session.request_id().as_str(), seen[1]);
}

#[tokio::test]
async fn an_honest_miner_is_heard_step_after_step() {
    let (mut session, _) = client(Fault::None).await.open(vec![vec![1], vec![]], None).await.unwrap();
    for token in 0..4 {
        assert_eq!(session.step(vec![token, token]).await.unwrap()[1].ids, [0, 1, 2, 3]);
    }
}

#[tokio::test]
async fn another_hotkey_at_the_endpoint_is_told() {
    let error = client(Fault::None).await.info().await.unwrap_err();
    assert!(matches!(error, ClientError::OtherMiner { .. }), "{error}");
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = connect(&url, Fault::None).open(vec![vec![]], None).await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn endpoints_that_cannot_be_asked_are_refused_at_once() {
    let key = Arc::new(Keypair::from_seed(&[9; 32]));
    let endpoint = Endpoint::new("https://miner.example:443", Hash::ZERO, None).unwrap();
    let options = ClientOptions::default();
    let result = MinerClient::connect_lazy(&endpoint, miner_key().account(), key, options);
    assert!(matches!(result, Err(ClientError::Endpoint { .. })));
}
