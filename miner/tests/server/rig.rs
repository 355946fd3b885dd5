//! Starts a miner on a free port and hands out clients.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use acumen_miner::config::{AccessConfig, Config, Limits, ModelConfig};
use acumen_miner::{Error, Miner, Reload};
use acumen_miner_client::{ClientError, ClientOptions, MinerClient};
use acumen_protocol::call::Endpoint;
use acumen_protocol::{AccountId, Hash, Keypair};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic_health::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::chain::FakeChain;
use crate::model::{Adaptive, Gate};

/// How long a test waits for what must happen before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn key(seed: u8) -> Keypair {
    Keypair::from_seed(&[seed; 32])
}

/// The miner's hotkey.
pub(crate) fn miner() -> AccountId {
    key(1).account()
}

/// The hotkey that the default configuration lets in.
pub(crate) fn friend() -> Keypair {
    key(2)
}

pub(crate) struct Rig {
    pub(crate) address: SocketAddr,
    pub(crate) metrics: SocketAddr,
    pub(crate) kserve: Option<SocketAddr>,
    pub(crate) certificate: Option<Hash>,
    pub(crate) chain: FakeChain,
    pub(crate) gate: Gate,
    pub(crate) shutdown: CancellationToken,
    pub(crate) reload: Reload,
    pub(crate) task: JoinHandle<Result<(), Error>>,
    /// A test that fails must not leave the model's thread waiting.
    _opens: OpenOnDrop,
    dir: Option<tempfile::TempDir>,
    data_dir: PathBuf,
}

struct OpenOnDrop(Gate);

impl Drop for OpenOnDrop {
    fn drop(&mut self) {
        self.0.open();
    }
}

pub(crate) fn config(dir: &Path) -> Config {
    Config {
        listen: ([127, 0, 0, 1], 0).into(),
        public_url: "http://127.0.0.1:8091".to_owned(),
        metrics_listen: Some(([127, 0, 0, 1], 0).into()),
        data_dir: dir.to_owned(),
        track: 0,
        nodes: vec!["http://127.0.0.1:9944".to_owned()],
        genesis: None,
        chain_refresh_ms: 20,
        publish_record: true,
        model: ModelConfig { hang_timeout_ms: 0, ..ModelConfig::new("unused") },
        encoder: None,
        tls: None,
        kserve: None,
        access: AccessConfig { min_stake: "1000".to_owned(), allow: vec![friend().account()] },
        // Tests that look again and again open many connections.
        limits: Limits { opens_per_second: 1_000.0, max_connections_per_address: 512, ..Limits::default() },
    }
}

impl Rig {
    /// A serving miner.
    pub(crate) async fn start(change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = dir.path().to_owned();
        let mut rig = Self::start_in(data_dir, FakeChain::default(), change).await;
        rig.dir = Some(dir);
        rig.wait_for(ServingStatus::Serving).await;
        rig
    }

    pub(crate) async fn start_in(
        data_dir: PathBuf,
        chain: FakeChain,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let gate = Gate::default();
        let held = gate.clone();
        Self::start_with(data_dir, chain, change, gate, move || Ok(Box::new(Adaptive::new(held.clone()))))
            .await
    }

    pub(crate) async fn start_with(
        data_dir: PathBuf,
        chain: FakeChain,
        change: impl FnOnce(&mut Config),
        gate: Gate,
        loader: impl FnMut() -> Result<Box<dyn acumen_models::LanguageModel>, acumen_models::ModelError>
        + Send
        + 'static,
    ) -> Self {
        let mut config = config(&data_dir);
        change(&mut config);
        let miner = Miner::bind(config, key(1)).await.unwrap();
        let (address, metrics) = (miner.address(), miner.metrics_address().unwrap());
        let (kserve, certificate) = (miner.kserve_address(), miner.certificate());
        let (shutdown, reload) = (CancellationToken::new(), miner.reload());
        let task = tokio::spawn(miner.serve(chain.clone(), loader, shutdown.clone()));
        let _opens = OpenOnDrop(gate.clone());
        Self {
            address,
            metrics,
            kserve,
            certificate,
            chain,
            gate,
            shutdown,
            reload,
            task,
            _opens,
            dir: None,
            data_dir,
        }
    }

    /// Stops the miner and starts it again on the same folder.
    pub(crate) async fn restart(self) -> Self {
        let (dir, data_dir, chain) = (self.dir, self.data_dir, self.chain);
        self.gate.open();
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
        let mut rig = Self::start_in(data_dir, chain, |_| ()).await;
        rig.dir = dir;
        rig.wait_for(ServingStatus::Serving).await;
        rig
    }

    /// Waits until the health service says so.
    pub(crate) async fn wait_for(&self, wanted: ServingStatus) {
        let mut health = HealthClient::new(self.channel());
        let request =
            tonic_health::pb::HealthCheckRequest { service: "acumen.inference.v1.Inference".to_owned() };
        let watching = async {
            let mut statuses = health.watch(request).await.unwrap().into_inner();
            while statuses.message().await.unwrap().unwrap().status != wanted as i32 {}
        };
        tokio::time::timeout(PATIENCE, watching).await.unwrap();
    }

    pub(crate) fn channel(&self) -> Channel {
        Channel::from_shared(format!("http://{}", self.address)).unwrap().connect_lazy()
    }

    /// A client with `key` that has patience.
    pub(crate) fn client(&self, key: Keypair) -> MinerClient {
        self.client_with(key, PATIENCE).unwrap()
    }

    /// A client for a vocabulary of this size.
    pub(crate) fn client_of(&self, key: Keypair, vocabulary: u32) -> MinerClient {
        let endpoint = Endpoint::new(&format!("http://{}", self.address), Hash::ZERO, None).unwrap();
        let options = ClientOptions { answer_timeout: PATIENCE, vocabulary, ..ClientOptions::default() };
        MinerClient::connect_lazy(&endpoint, miner(), Arc::new(key), options).unwrap()
    }

    pub(crate) fn client_with(
        &self,
        key: Keypair,
        answer_timeout: Duration,
    ) -> Result<MinerClient, ClientError> {
        let endpoint = Endpoint::new(&format!("http://{}", self.address), Hash::ZERO, None).unwrap();
        let options = ClientOptions { answer_timeout, ..ClientOptions::default() };
        MinerClient::connect_lazy(&endpoint, miner(), Arc::new(key), options)
    }

    /// The page at `/metrics`.
    pub(crate) async fn page(&self) -> String {
        let response = reqwest::get(format!("http://{}/metrics", self.metrics)).await.unwrap();
        response.text().await.unwrap()
    }
}

/// Waits until `check` holds, or fails the test.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut check: impl FnMut() -> F) {
    let waiting = async {
        while !check().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never happened: {what}"));
}

/// Code and pause of a refusal.
pub(crate) fn refusal(error: &ClientError) -> (tonic::Code, Option<Duration>) {
    match error {
        ClientError::Refused { code, retry_after, .. } => (*code, *retry_after),
        other => panic!("expected a refusal, found {other}"),
    }
}

pub(crate) fn contexts(texts: &[&str]) -> Vec<Vec<u32>> {
    texts.iter().map(|text| text.bytes().map(u32::from).collect()).collect()
}
