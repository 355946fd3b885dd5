//! A subnet without a chain: real gRPC miners over small real models, and a gateway that asks them.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]

use std::net::SocketAddr;
use std::sync::Arc;

use acumen_gateway::collective::directory::{Directory, DirectoryError, Miner, Roster, WeightSource};
use acumen_gateway::{Config, Error, run_with};
use acumen_miner_testing::NGram;
pub use acumen_miner_testing::{Behaviour, FakeMiner};
use acumen_protocol::{Hash, Height, Keypair, Uid};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Lincoln, second inaugural address (1865), with some lines whose characters have several bytes.
const TEXT: &str = "With malice toward none with charity for all with firmness in the right as God gives us to see \
the right let us strive on to finish the work we are in to bind up the nation's wounds to care for him who shall have \
borne the battle and for his widow and his orphan to do all which may achieve and cherish a just and lasting peace \
among ourselves and with all nations. Der Müßiggänger grüßt fünf höfliche Bürger für 5 €. Ça déçoit l’élève zélé. \
いろはにほへとちりぬるを. Der Müßiggänger grüßt fünf höfliche Bürger für 5 €. いろはにほへとちりぬるを.";

/// A miner over a model of so many bytes of context.
pub async fn miner(order: u8, behaviour: Behaviour) -> FakeMiner {
    let model = NGram::train(usize::from(order), TEXT.as_bytes());
    FakeMiner::start(order, Arc::new(model), behaviour).await
}

/// A list of miners that never changes.
pub struct Listed(pub Roster);

impl Directory for Listed {
    fn read(&mut self) -> BoxFuture<'_, Result<Roster, DirectoryError>> {
        let roster = self.0.clone();
        async move { Ok(roster) }.boxed()
    }
}

/// A running gateway.
pub struct Gateway {
    pub url: String,
    pub http: reqwest::Client,
    pub shutdown: CancellationToken,
    pub running: JoinHandle<Result<(), Error>>,
}

pub fn config() -> Config {
    Config { open_timeout_ms: 20_000, step_timeout_ms: 20_000, drain_timeout_ms: 20_000, ..Config::default() }
}

/// What the gateway would read from chain and validators: weights fall from 4 on.
pub fn roster(miners: &[&FakeMiner]) -> Roster {
    let listed = miners.iter().enumerate().map(|(at, miner)| Miner {
        uid: Uid::new(at as u16),
        hotkey: miner.hotkey,
        endpoint: miner.endpoint(),
        model: format!("order-{at}"),
        weight: weight(at),
        incentive: 100,
        bits_per_byte: Some(2.5),
    });
    Roster {
        height: Height::new(7),
        block: Hash::of(b"block"),
        source: WeightSource::Validators,
        validators: 1,
        collective_bits_per_byte: Some(2.25),
        miners: listed.collect(),
    }
    .ordered()
}

pub fn weight(at: usize) -> f64 {
    (4.0 - at as f64).max(1.0)
}

impl Gateway {
    pub async fn start(config: Config, miners: &[&FakeMiner]) -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (shutdown, directory) = (CancellationToken::new(), Listed(roster(miners)));
        let key = Keypair::from_seed(&[99; 32]);
        let running = tokio::spawn(run_with(config, key, directory, listener, shutdown.clone()));
        let gateway = Self { url, http: reqwest::Client::new(), shutdown, running };
        while !miners.is_empty() && gateway.get("/ready").await.status() != 200 {}
        gateway
    }

    pub async fn get(&self, path: &str) -> reqwest::Response {
        self.http.get(format!("{}{path}", self.url)).send().await.unwrap()
    }

    pub async fn post(&self, path: &str, mut body: Value) -> reqwest::Response {
        body.as_object_mut().unwrap().entry("model").or_insert_with(|| json!("acumen-bytes"));
        self.http.post(format!("{}{path}", self.url)).json(&body).send().await.unwrap()
    }

    /// A completion that must succeed.
    pub async fn complete(&self, body: Value) -> Value {
        let response = self.post("/v1/completions", body).await;
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// The data of every server-sent event, up to the end.
    pub async fn stream(&self, path: &str, mut body: Value) -> Vec<String> {
        body["stream"] = json!(true);
        let response = self.post(path, body).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let text = response.text().await.unwrap();
        text.lines().filter_map(|line| line.strip_prefix("data: ")).map(str::to_owned).collect()
    }
}

/// Events that are JSON.
pub fn chunks(events: &[String]) -> Vec<Value> {
    events.iter().filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
}

/// The text of the chunks of one choice.
pub fn text_of(chunks: &[Value], choice: u64) -> String {
    let choices = chunks.iter().flat_map(|chunk| chunk["choices"].as_array().unwrap());
    choices
        .filter(|found| found["index"] == choice)
        .map(|found| {
            found["text"].as_str().or_else(|| found["delta"]["content"].as_str()).unwrap_or_default()
        })
        .collect()
}
