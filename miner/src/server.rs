//! Binds, loads, serves, drains.
//!
//! Life: listening and NOT_SERVING → the model has loaded, SERVING → order to stop, NOT_SERVING: no new streams, running
//! ones go on for `drain_timeout_ms` → what still runs is ended → closed. Both addresses are bound before anything else,
//! so that a busy port is found at once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use acumen_models::{LanguageModel, LoadOptions, ModelError, Replica, ReplicaLimits};
use acumen_proto::inference::MAX_MESSAGE_BYTES;
use acumen_proto::inference_v1::inference_server::InferenceServer;
use acumen_protocol::{Hash, Keypair, TrackId};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::server::TcpIncoming;
use tonic_health::server::HealthReporter;

use crate::access::{Access, Lookup};
use crate::chain::{ChainView, NodeView};
use crate::config::{Config, Limits};
use crate::metrics::Metrics;
use crate::model::ModelSlot;
use crate::nonces::NonceStore;
use crate::rate::RateLimiter;
use crate::service::{Service, Shared};
use crate::slots::Slots;
use crate::watch::Watch;
use crate::{Error, health, http};

/// A client that sends nothing is asked for a sign of life this often; without one its streams end.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// Flow-control window per stream, in bytes: a question or an answer rarely needs more.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;

/// Room on a connection for info, load, health and reflection beside the streams.
const EXTRA_STREAMS: u32 = 32;

/// How long connections may take to close after the last stream has ended.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Most bytes of a token id (a protobuf varint).
const TOKEN_BYTES: usize = 5;

/// A miner that listens and does not answer yet.
#[derive(Debug)]
pub struct Miner {
    config: Config,
    hotkey: Keypair,
    listener: TcpListener,
    metrics_listener: Option<TcpListener>,
}

impl Miner {
    /// Checks the configuration and binds its addresses.
    ///
    /// # Errors
    /// [`Error::Config`], [`Error::Bind`].
    pub async fn bind(config: Config, hotkey: Keypair) -> Result<Self, Error> {
        config.check()?;
        let listener = bind(config.listen, "listen").await?;
        let metrics_listener = match config.metrics_listen {
            Some(address) => Some(bind(address, "metrics_listen").await?),
            None => None,
        };
        Ok(Self { config, hotkey, listener, metrics_listener })
    }

    /// The bound address: with port 0 configured, the one that the system chose.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap_or(self.config.listen)
    }

    /// The bound address of `/metrics`.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_listener.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// Loads the model with `loader`, keeps in step with `chain` and serves until `shutdown`, then drains.
    ///
    /// # Errors
    /// What ends a miner: see [`Error`].
    pub async fn serve<C: ChainView>(
        self,
        chain: C,
        loader: impl FnMut() -> Result<Box<dyn LanguageModel>, ModelError> + Send + 'static,
        shutdown: CancellationToken,
    ) -> Result<(), Error> {
        let store = NonceStore::open(&self.config.data_dir)?;
        let (shared, lookups) = self.shared(&store)?;
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let (reporter, health_service) = tonic_health::server::health_reporter();
        health::set(&reporter, false).await;

        let address = self.address();
        let metrics_address = self.metrics_address();
        let grpc = serve_grpc(self.listener, Arc::clone(&shared), health_service);
        let mut grpc = tokio::spawn(grpc);
        let mut pages = tokio::spawn(pages(self.metrics_listener, Arc::clone(&shared), stop.clone()));

        let result = tokio::select! {
            result = live(&self.config, &shared, chain, lookups, loader, (reporter, &tasks, &stop)) => {
                match result {
                    Ok(()) => { shutdown.cancelled().await; Ok(()) }
                    Err(error) => Err(error),
                }
            }
            () = shutdown.cancelled() => Ok(()),
            ended = &mut grpc => Err(failed(address, ended)),
            ended = &mut pages => Err(failed(metrics_address.unwrap_or(address), ended)),
        };
        drain(&shared).await;
        stop.cancel();
        tasks.close();
        // Connections that do not close in time are dropped with the listener's task.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, async { (tasks.wait().await, (&mut grpc).await) }).await;
        grpc.abort();
        pages.abort();
        let model = shared.model.empty();
        // Both wait for a thread: the model's for its last forward pass, the store's for its last commit.
        let _ = tokio::task::spawn_blocking(move || drop((model, store))).await;
        result
    }

    fn shared(
        &self,
        store: &NonceStore,
    ) -> Result<(Arc<Shared>, tokio::sync::mpsc::Receiver<Lookup>), Error> {
        let config = &self.config;
        let (access, lookups) = Access::new(config.access.allow.iter().copied(), config.min_stake()?);
        let shared = Shared {
            hotkey: self.hotkey.clone(),
            account: self.hotkey.account(),
            model_name: config.model.name.clone(),
            limits: config.limits.clone(),
            access: Arc::new(access),
            rate: RateLimiter::new(&config.limits),
            slots: Slots::new(&config.limits),
            nonces: store.handle(),
            model: ModelSlot::default(),
            metrics: Metrics::new(),
            draining: CancellationToken::new(),
            kill: CancellationToken::new(),
            streams: TaskTracker::new(),
        };
        Ok((Arc::new(shared), lookups))
    }
}

/// Loads the model, opens the doors and starts what runs beside the server.
async fn live<C: ChainView>(
    config: &Config,
    shared: &Arc<Shared>,
    chain: C,
    lookups: tokio::sync::mpsc::Receiver<Lookup>,
    loader: impl FnMut() -> Result<Box<dyn LanguageModel>, ModelError> + Send + 'static,
    (reporter, tasks, stop): (HealthReporter, &TaskTracker, &CancellationToken),
) -> Result<(), Error> {
    let limits = replica_limits(&config.limits);
    let loading = tokio::task::spawn_blocking(move || Replica::spawn(loader, limits));
    let replica = loading.await.map_err(|error| ModelError::Panicked(error.to_string()))??;
    let digest = Hash(replica.info().digest);
    tracing::info!(model = replica.info().name, %digest, hotkey = %shared.account, "model loaded");
    shared.model.fill(replica);
    tasks.spawn(health::report(Arc::clone(shared), reporter, stop.clone()));
    let watch = Watch {
        chain,
        access: Arc::clone(&shared.access),
        lookups,
        hotkey: shared.account,
        track: config.track,
        endpoint: config.endpoint(digest)?,
        every: Duration::from_millis(config.chain_refresh_ms.max(1)),
    };
    tasks.spawn(watch.run(stop.clone()));
    Ok(())
}

/// Takes no new streams, lets the running ones finish, then ends them.
async fn drain(shared: &Shared) {
    shared.draining.cancel();
    shared.streams.close();
    let limit = Duration::from_millis(shared.limits.drain_timeout_ms);
    if tokio::time::timeout(limit, shared.streams.wait()).await.is_ok() {
        return;
    }
    let left = shared.slots.running();
    tracing::warn!(left, ?limit, "streams did not finish in time and are ended");
    shared.kill.cancel();
    // They end at their next poll; a client that does not read cannot hold the process.
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, shared.streams.wait()).await;
}

async fn serve_grpc(
    listener: TcpListener,
    shared: Arc<Shared>,
    health: tonic_health::pb::health_server::HealthServer<impl tonic_health::pb::health_server::Health>,
) -> Result<(), String> {
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(acumen_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|error| error.to_string())?;
    let draining = shared.draining.clone();
    let streams = u32::try_from(shared.limits.max_streams).unwrap_or(u32::MAX);
    let inference = InferenceServer::new(Service(Arc::clone(&shared)))
        .max_decoding_message_size(largest_question(&shared.limits))
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    tonic::transport::Server::builder()
        .max_concurrent_streams(Some(streams.saturating_add(EXTRA_STREAMS)))
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .add_service(inference)
        .add_service(health)
        .add_service(reflection)
        .serve_with_incoming_shutdown(
            TcpIncoming::from(listener).with_nodelay(Some(true)),
            draining.cancelled_owned(),
        )
        .await
        .map_err(|error| error.to_string())
}

/// The largest message that can pass the limits: a stranger cannot make the miner buffer more before it is known.
fn largest_question(limits: &Limits) -> usize {
    let document = limits.max_context_tokens.saturating_mul(TOKEN_BYTES).saturating_add(16);
    document.saturating_mul(limits.max_documents).saturating_add(4_096).min(MAX_MESSAGE_BYTES)
}

async fn pages(
    listener: Option<TcpListener>,
    shared: Arc<Shared>,
    stop: CancellationToken,
) -> Result<(), String> {
    match listener {
        Some(listener) => http::serve(listener, shared, stop).await.map_err(|error| error.to_string()),
        None => {
            stop.cancelled().await;
            Ok(())
        }
    }
}

fn failed(address: SocketAddr, ended: Result<Result<(), String>, tokio::task::JoinError>) -> Error {
    let reason = match ended {
        Ok(Ok(())) => "it ended by itself".to_owned(),
        Ok(Err(reason)) => reason,
        Err(error) => error.to_string(),
    };
    Error::Serve { address, reason }
}

const fn replica_limits(limits: &Limits) -> ReplicaLimits {
    ReplicaLimits {
        waiting_tokens: limits.queue_tokens,
        waiting_requests: limits.queue_requests,
        session_tokens: limits.session_tokens,
        retry_after_ms: limits.retry_after_ms,
    }
}

async fn bind(address: SocketAddr, field: &'static str) -> Result<TcpListener, Error> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| Error::Bind { address, field, reason: error.to_string() })
}

/// Runs a miner as configured, with `hotkey`, until `shutdown`.
///
/// # Errors
/// What ends a miner: see [`Error`].
pub async fn run(config: Config, hotkey: Keypair, shutdown: CancellationToken) -> Result<(), Error> {
    let miner = Miner::bind(config, hotkey.clone()).await?;
    let config = &miner.config;
    let chain = NodeView::new(config.nodes.clone(), config.genesis()?, TrackId::new(config.track), hotkey);
    let (path, options) = (
        config.model.path.clone(),
        LoadOptions { threads: Some(config.model.threads), ..LoadOptions::default() },
    );
    let loader = move || acumen_models::load(&path, &options);
    tracing::info!(address = %miner.address(), "miner listens");
    miner.serve(chain, loader, shutdown).await
}
