//! The miners that are asked: one that runs somewhere, or some in this process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use acumen_miner::Miner;
use acumen_miner::chain::{ChainError, ChainView, Neuron};
use acumen_miner::config::{AccessConfig, Config, Limits, ModelConfig};
use acumen_miner_client::{ClientOptions, MinerClient};
use acumen_protocol::miner_record::MinerRecord;
use acumen_protocol::{AccountId, Endpoint, Hash, Keypair, Nacu};
use anyhow::{Context as _, Result, bail};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::options::{Load, Target};

/// How long a model may take to load.
const LOAD_TIMEOUT: Duration = Duration::from_secs(300);

/// A miner of this process.
type Hosted = JoinHandle<Result<(), acumen_miner::Error>>;

/// The miners, connected.
pub(super) struct Opened {
    /// One list per connection, each with all miners.
    pub(super) clients: Vec<Vec<MinerClient>>,
    pid: Option<u32>,
    hosted: Vec<Hosted>,
    shutdown: CancellationToken,
    /// Held for their drop.
    _folders: Vec<TempFolder>,
}

/// A chain without a node: everybody is let in, nothing is published.
#[derive(Clone, Copy)]
struct NoChain;

impl ChainView for NoChain {
    async fn neurons(&self) -> Result<Vec<Neuron>, ChainError> {
        Ok(Vec::new())
    }

    async fn stake_of(&self, _: AccountId) -> Result<Nacu, ChainError> {
        Ok(Nacu::ZERO)
    }

    async fn publish(&self, _: Endpoint) -> Result<(), ChainError> {
        Ok(())
    }

    async fn publish_record(&self, _: MinerRecord) -> Result<(), ChainError> {
        Ok(())
    }
}

/// A folder under the system's temporary one that goes with its owner.
struct TempFolder(std::path::PathBuf);

impl TempFolder {
    fn new() -> Result<Self> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let index = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("acumen-bench-{}-{index}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        // What cannot be removed is left for the system to clean up.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Starts what is to be started and connects.
pub(super) async fn open(
    target: &Target,
    load: &Load,
    wallet: impl FnOnce() -> Result<Keypair>,
) -> Result<Opened> {
    let shutdown = CancellationToken::new();
    let mut opened =
        Opened { clients: Vec::new(), pid: target.pid, hosted: Vec::new(), shutdown, _folders: Vec::new() };
    let (miners, key) = match (&target.url, target.miner) {
        (Some(url), Some(miner)) => {
            (vec![(Endpoint::new(url, Hash::ZERO, target.certificate)?, miner)], wallet()?)
        }
        _ => {
            opened.pid = opened.pid.or_else(|| Some(std::process::id()));
            (opened.host(target).await?, Keypair::from_seed(&[0xfe; 32]))
        }
    };
    let key = Arc::new(key);
    let answer_timeout = Duration::from_millis(load.timeout_ms);
    for _ in 0..load.connections {
        let mut connection = Vec::new();
        for (endpoint, miner) in &miners {
            let options = ClientOptions { answer_timeout, ..ClientOptions::default() };
            let client = MinerClient::connect_lazy(endpoint, *miner, Arc::clone(&key), options)?;
            let info = ready(&client, &mut opened.hosted).await?;
            let options = ClientOptions { answer_timeout, vocabulary: info, ..ClientOptions::default() };
            connection.push(MinerClient::connect_lazy(endpoint, *miner, Arc::clone(&key), options)?);
        }
        opened.clients.push(connection);
    }
    Ok(opened)
}

/// Waits until the model has loaded and returns the size of its vocabulary; `hosted` are the miners of this process, and
/// one that has ended will not answer.
async fn ready(client: &MinerClient, hosted: &mut [Hosted]) -> Result<u32> {
    let asking = async {
        loop {
            match client.info().await {
                Ok(info) => return Ok(info.vocabulary),
                Err(error) => tracing::debug!(%error, "not ready yet"),
            }
            if let Some(ended) = hosted.iter_mut().find(|miner| miner.is_finished()) {
                ended.await??;
                bail!("a miner of this process has ended");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let answer = tokio::time::timeout(LOAD_TIMEOUT, asking).await;
    answer.with_context(|| format!("{} does not answer", client.miner()))?
}

impl Opened {
    async fn host(&mut self, target: &Target) -> Result<Vec<(Endpoint, AccountId)>> {
        let Some(path) = &target.model else { bail!("give --url and --miner, or --model") };
        let mut miners = Vec::new();
        for index in 0..target.miners {
            let folder = TempFolder::new()?;
            let mut seed = [0xaa; 32];
            seed[..8].copy_from_slice(&(index as u64).to_le_bytes());
            let hotkey = Keypair::from_seed(&seed);
            let account = hotkey.account();
            let miner = Miner::bind(config(target, &folder), hotkey).await?;
            let url = format!("http://{}", miner.address());
            let (path, options) = (path.clone(), model(target).load_options());
            let loader = move || acumen_models::load(&path, &options);
            self.hosted.push(tokio::spawn(miner.serve(NoChain, loader, self.shutdown.clone())));
            self._folders.push(folder);
            miners.push((Endpoint::new(&url, Hash::ZERO, None)?, account));
        }
        Ok(miners)
    }

    /// Resident memory in bytes of the process that is measured.
    pub(super) fn memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid?)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1_024)
    }

    /// Ends what was started.
    pub(super) async fn close(self) {
        drop(self.clients);
        self.shutdown.cancel();
        for miner in self.hosted {
            // The report is made; how a miner ended adds nothing to it.
            let _ = miner.await;
        }
    }
}

/// How `--model` is loaded.
pub(super) fn model(target: &Target) -> ModelConfig {
    let path = target.model.clone().unwrap_or_default();
    ModelConfig { threads: target.threads, dtype: target.dtype, hang_timeout_ms: 0, ..ModelConfig::new(path) }
}

fn config(target: &Target, folder: &TempFolder) -> Config {
    Config {
        listen: ([127, 0, 0, 1], 0).into(),
        public_url: "http://127.0.0.1:8091".to_owned(),
        metrics_listen: None,
        data_dir: folder.0.clone(),
        track: 0,
        nodes: vec!["http://127.0.0.1:1".to_owned()],
        genesis: None,
        chain_refresh_ms: 3_600_000,
        publish_record: false,
        model: model(target),
        encoder: None,
        tls: None,
        kserve: None,
        access: AccessConfig { min_stake: "0".to_owned(), allow: Vec::new() },
        limits: Limits {
            max_streams: target.max_streams,
            max_streams_per_hotkey: target.max_streams,
            opens_per_second: 1e9,
            burst_seconds: 1.0,
            ..Limits::default()
        },
    }
}
