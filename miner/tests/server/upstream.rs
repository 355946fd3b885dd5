//! A miner in front of another engine: a small HTTP server that answers like vLLM does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use acumen_miner::config::{Tokens, UpstreamConfig};
use acumen_proto::inference::{Generate, Prompt};
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tonic::Code;

use crate::rig::{Rig, contexts, friend, refusal};

/// A status that is never answered.
const NEVER: u16 = u16::MAX;

/// Answers after "ab" with tokens that begin with c and d; counts and fails as told.
#[derive(Clone, Default)]
struct Fake {
    status: Arc<AtomicU16>,
    asked: Arc<AtomicUsize>,
}

async fn complete(State(fake): State<Fake>, Json(body): Json<Value>) -> axum::response::Response {
    fake.asked.fetch_add(1, Ordering::SeqCst);
    let status = fake.status.load(Ordering::SeqCst);
    if status == NEVER {
        return std::future::pending().await;
    }
    if status != 0 {
        return (axum::http::StatusCode::from_u16(status).unwrap(), "no").into_response();
    }
    assert_eq!((&body["max_tokens"], &body["model"], &body["logprobs"]), (&json!(1), &json!("m"), &json!(5)));
    let top = match &body["prompt"] {
        Value::String(text) if text.ends_with("ab") => {
            json!({"cd": -std::f64::consts::LN_2, "c": -2.079_441_5, "d": -1.386_294_4})
        }
        Value::String(_) => json!({"ab": -0.1}),
        ids => json!({format!("token_id:{}", ids.as_array().unwrap().len()): -std::f64::consts::LN_2}),
    };
    Json(json!({"choices": [{"text": "", "logprobs": {"top_logprobs": [top]}}]})).into_response()
}

async fn start(tokens: Tokens) -> (Rig, Fake) {
    start_within(tokens, 30_000).await
}

async fn start_within(tokens: Tokens, timeout_ms: u64) -> (Rig, Fake) {
    let fake = Fake::default();
    let routes = Router::new()
        .route("/v1/models", get(|| async { "{}" }))
        .route("/v1/completions", post(complete))
        .with_state(fake.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let rig = Rig::start(|config| {
        config.model.upstream = Some(UpstreamConfig {
            url,
            model: "m".to_owned(),
            api_key_file: None,
            tokens,
            vocabulary: (tokens == Tokens::Ids).then_some(100),
            context: 64,
            top: 5,
            concurrency: 4,
            timeout_ms,
        });
    })
    .await;
    (rig, fake)
}

#[tokio::test]
async fn an_engines_tokens_become_bytes_with_an_honest_tail() {
    let (rig, fake) = start(Tokens::Bytes).await;
    let client = rig.client(friend());
    let info = client.info().await.unwrap();
    assert_eq!((info.model.as_str(), info.architecture.as_str(), info.vocabulary), ("m", "upstream", 256));
    let (mut stream, answers) = client.open(contexts(&["xab", "zab", "q"]), None).await.unwrap();
    assert_eq!(fake.asked.load(Ordering::SeqCst), 3);
    for answer in &answers[..2] {
        assert_eq!(answer.ids, [u32::from(b'c'), u32::from(b'd')]);
        let p: Vec<f32> = answer.logprobs.iter().map(|logprob| logprob.exp()).collect();
        assert!(
            (p[0] - 0.625).abs() < 1e-5 && (p[1] - 0.25).abs() < 1e-5 && (answer.tail - 0.125).abs() < 1e-5
        );
    }
    let next = stream.step("bba".bytes().map(u32::from).collect()).await.unwrap();
    assert_eq!(next[2].ids, [u32::from(b'a')]);
    let wanted = Generate {
        prompt: Prompt::Text("xab".to_owned()),
        max_tokens: 1,
        temperature: 1.0,
        top_p: 1.0,
        seed: 5,
        stop_ids: Vec::new(),
        top_k: Some(1),
    };
    let token = client.generate(wanted).await.unwrap().next().await.unwrap().unwrap();
    assert!(b"cd".contains(&token.text[0]), "only what the engine lists is chosen");
    assert!((token.distribution.unwrap().tail - 0.375).abs() < 1e-5);
}

#[tokio::test]
async fn an_engines_own_ids_go_through() {
    let (rig, _) = start(Tokens::Ids).await;
    let client = rig.client_of(friend(), 100);
    let (mut stream, answers) = client.open(vec![vec![5, 6, 7]], None).await.unwrap();
    assert_eq!((answers[0].ids.as_slice(), answers[0].tail), ([3].as_slice(), 0.5));
    assert_eq!(stream.step(vec![1]).await.unwrap()[0].ids, [4]);
    let error = client.tokenize("text".to_owned()).await.unwrap_err();
    assert_eq!(refusal(&error).0, Code::Unimplemented, "{error}");
}

#[tokio::test]
async fn an_engine_that_fails_is_told_apart_from_a_busy_one() {
    let (rig, fake) = start(Tokens::Bytes).await;
    let client = rig.client(friend());
    for (status, code) in
        [(500, Code::Unavailable), (429, Code::ResourceExhausted), (503, Code::ResourceExhausted)]
    {
        fake.status.store(status, Ordering::SeqCst);
        let error = client.open(contexts(&["xab"]), None).await.unwrap_err();
        let (found, pause) = refusal(&error);
        assert_eq!((found, pause.is_some()), (code, code == Code::ResourceExhausted), "{error}");
    }
    fake.status.store(0, Ordering::SeqCst);
    assert!(client.open(contexts(&["xab"]), None).await.is_ok(), "the next question is answered");
}

#[tokio::test]
async fn an_engine_that_is_not_there_ends_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = crate::rig::config(dir.path());
    config.model.upstream = Some(UpstreamConfig {
        // Port 1 answers nobody.
        url: "http://127.0.0.1:1/v1".to_owned(),
        model: "m".to_owned(),
        api_key_file: None,
        tokens: Tokens::Bytes,
        vocabulary: None,
        context: 64,
        top: 5,
        concurrency: 4,
        timeout_ms: 1_000,
    });
    let miner = acumen_miner::Miner::bind(config, crate::rig::key(1)).await.unwrap();
    let loader = || unreachable!("the engine has the model");
    let shutdown = tokio_util::sync::CancellationToken::new();
    let error = miner.serve(crate::chain::FakeChain::default(), loader, shutdown).await.unwrap_err();
    assert!(error.to_string().contains("cannot be reached"), "{error}");
}

#[tokio::test]
async fn an_engine_that_is_slow_once_is_busy_and_goes_on_being_asked() {
    let (rig, fake) = start_within(Tokens::Bytes, 200).await;
    let client = rig.client(friend());
    fake.status.store(NEVER, Ordering::SeqCst);
    let error = client.open(contexts(&["xab"]), None).await.unwrap_err();
    let (code, pause) = refusal(&error);
    assert!(code == Code::ResourceExhausted && pause.is_some(), "{error}");
    fake.status.store(0, Ordering::SeqCst);
    for _ in 0..20 {
        client.open(contexts(&["xab"]), None).await.expect("the engine is there all the time");
    }
}
