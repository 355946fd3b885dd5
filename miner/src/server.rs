//! Binds, loads, serves, drains.
//!
//! Life: listening and NOT_SERVING → the model has loaded, SERVING → order to stop, NOT_SERVING: no new streams, running
//! ones go on for `drain_timeout_ms` → what still runs is ended → closed. All addresses are bound before anything else,
//! so that a busy port is found at once.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use acumen_models::{LanguageModel, ModelError};
use acumen_proto::verifier::Verifier;
use acumen_protocol::{Hash, Keypair, TrackId};
use acumen_serving::{ended, serve_pages};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic_health::server::HealthReporter;

use crate::access::Access;
use crate::admission::Admission;
use crate::chain::{ChainView, NodeView};
use crate::config::Config;
use crate::encoder::Encoder;
use crate::engine::EngineSlot;
use crate::lookups::Asked;
use crate::metrics::Metrics;
use crate::nonces::NonceStore;
use crate::rate::RateLimiter;
use crate::record::Publisher;
use crate::reload::Reload;
use crate::service::Shared;
use crate::slots::Slots;
use crate::supervisor::Supervisor;
use crate::tls::Identity;
use crate::watch::Watch;
use crate::{Error, grpc, health, kserve, tls};

/// How long connections and the model's thread may take to end after the last stream has.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A miner that listens and does not answer yet.
#[derive(Debug)]
pub struct Miner {
    config: Config,
    hotkey: Keypair,
    listener: TcpListener,
    metrics_listener: Option<TcpListener>,
    kserve_listener: Option<TcpListener>,
    identity: Option<Identity>,
    reload: Reload,
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
        let kserve_listener = match &config.kserve {
            Some(kserve) => Some(bind(kserve.listen, "kserve.listen").await?),
            None => None,
        };
        let host = tls::host(&config.public_url);
        let identity = config.tls.as_ref().map(|tls| tls.load(&config.data_dir, host)).transpose()?;
        let reload = Reload::default();
        Ok(Self { config, hotkey, listener, metrics_listener, kserve_listener, identity, reload })
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

    /// The bound address of KServe v2.
    #[must_use]
    pub fn kserve_address(&self) -> Option<SocketAddr> {
        self.kserve_listener.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// blake2b-256 of the TLS certificate, as the chain is told.
    #[must_use]
    pub fn certificate(&self) -> Option<Hash> {
        self.identity.as_ref().map(Identity::hash)
    }

    /// A way to have the model loaded again.
    #[must_use]
    pub fn reload(&self) -> Reload {
        self.reload.clone()
    }

    /// Loads the model with `loader`, keeps in step with `chain` and serves until `shutdown`, then drains. `loader` is
    /// called again for each reload, and after a panic of the model.
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
        let (kserve_address, certificate) = (self.kserve_address(), self.certificate());
        let tls = self.identity.as_ref().map(Identity::server);
        let grpc = grpc::serve(self.listener, Arc::clone(&shared), health_service, tls);
        let mut grpc = tokio::spawn(grpc);
        let mut pages = tokio::spawn(serve_pages(self.metrics_listener, Arc::clone(&shared), stop.clone()));
        let kserve = kserve(&self.config, self.kserve_listener, &shared);
        let mut kserve = tokio::spawn(kserve);
        let supervisor = Supervisor::new(Arc::clone(&shared), &self.config, self.reload, loader);

        let result = tokio::select! {
            result = live((&self.config, certificate), &shared, (chain, lookups), supervisor, (reporter, &tasks, &stop)) => {
                result
            }
            () = shutdown.cancelled() => Ok(()),
            result = &mut grpc => Err(failed(address, result)),
            result = &mut pages => Err(failed(metrics_address.unwrap_or(address), result)),
            result = &mut kserve => Err(failed(kserve_address.unwrap_or(address), result)),
        };
        drain(&shared).await;
        stop.cancel();
        tasks.close();
        // Connections that do not close in time are dropped with the listener's task.
        let closed = async { (tasks.wait().await, (&mut grpc).await, (&mut kserve).await) };
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, closed).await;
        grpc.abort();
        kserve.abort();
        pages.abort();
        drop(shared.engine.empty());
        // Waits for the last commit of the store.
        let _ = tokio::task::spawn_blocking(move || drop(store)).await;
        result
    }

    fn shared(&self, store: &NonceStore) -> Result<(Arc<Shared>, Asked), Error> {
        let config = &self.config;
        let fresh_for = Duration::from_millis(config.chain_refresh_ms.max(1));
        let allow = config.access.allow.iter().copied();
        let (access, lookups) = Access::new(allow, config.min_stake()?, fresh_for);
        let shared = Shared {
            hotkey: self.hotkey.clone(),
            account: self.hotkey.account(),
            model_name: config.model.name.clone(),
            limits: config.limits.clone(),
            access: Arc::new(access),
            rate: RateLimiter::new(&config.limits),
            slots: Slots::new(&config.limits),
            verifier: Verifier::new(),
            nonces: store.handle(),
            opens_at: store.opens_at(),
            admission: Admission::new(&config.limits),
            embedding: Admission::new(&config.limits),
            tokenizing: Admission::new(&config.limits),
            engine: EngineSlot::default(),
            encoder: OnceLock::new(),
            metrics: Metrics::new(&config.model.served_name()),
            draining: CancellationToken::new(),
            kill: CancellationToken::new(),
            streams: TaskTracker::new(),
        };
        Ok((Arc::new(shared), lookups))
    }
}

/// Loads the model, opens the doors, starts what runs beside the server and looks after the model.
async fn live<C: ChainView>(
    (config, certificate): (&Config, Option<Hash>),
    shared: &Arc<Shared>,
    (chain, lookups): (C, Asked),
    supervisor: Supervisor,
    (reporter, tasks, stop): (HealthReporter, &TaskTracker, &CancellationToken),
) -> Result<(), Error> {
    if let Some(encoder) = &config.encoder {
        // Nobody else fills it.
        let _ = shared.encoder.set(Encoder::load(encoder).await?);
        tracing::info!(path = %encoder.path.display(), "encoder loaded");
    }
    let digest = supervisor.start().await?;
    tasks.spawn(health::report(Arc::clone(shared), reporter, stop.clone()));
    let (published, endpoint) = watch::channel(config.endpoint(digest, certificate)?);
    let (known, registered) = watch::channel(false);
    let chain = Arc::new(chain);
    if config.publish_record {
        let (chain, shared, endpoint) = (Arc::clone(&chain), Arc::clone(shared), endpoint.clone());
        let publisher = Publisher { chain, hotkey: shared.account, shared, endpoint, registered };
        tasks.spawn(publisher.run(stop.clone()));
    }
    tasks.spawn(lookups.run(Arc::clone(&chain), Arc::clone(&shared.access), stop.clone()));
    let watch = Watch {
        chain,
        access: Arc::clone(&shared.access),
        hotkey: shared.account,
        track: config.track,
        endpoint,
        registered: known,
        every: Duration::from_millis(config.chain_refresh_ms.max(1)),
    };
    tasks.spawn(watch.run(stop.clone()));
    let config = config.clone();
    let publish = move |digest: Hash| {
        // The URL was good at the start, so it is now; without a watcher there is nobody to tell.
        if let Ok(endpoint) = config.endpoint(digest, certificate) {
            let _ = published.send(endpoint);
        }
    };
    supervisor.run(publish).await
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

/// Loads the modules and serves them; without a listener nothing, until the drain.
fn kserve(
    config: &Config,
    listener: Option<TcpListener>,
    shared: &Arc<Shared>,
) -> impl Future<Output = Result<(), String>> + Send + use<> {
    let shared = Arc::clone(shared);
    let modules = config
        .kserve
        .clone()
        .map(|kserve| kserve.with_default(&config.model.served_name(), &config.model.path));
    async move {
        let (Some(listener), Some(modules)) = (listener, modules) else {
            shared.draining.cancelled().await;
            return Ok(());
        };
        let loading = tokio::task::spawn_blocking(move || kserve::load(&modules));
        let models = loading.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        kserve::serve(listener, models, &shared).await
    }
}

fn failed(address: SocketAddr, result: Result<Result<(), String>, tokio::task::JoinError>) -> Error {
    Error::Serve { address, reason: ended(result) }
}

async fn bind(address: SocketAddr, field: &'static str) -> Result<TcpListener, Error> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| Error::Bind { address, field, reason: error.to_string() })
}

/// Runs a miner as configured, with `hotkey`, until `shutdown`. SIGHUP loads the model again.
///
/// # Errors
/// What ends a miner: see [`Error`].
pub async fn run(config: Config, hotkey: Keypair, shutdown: CancellationToken) -> Result<(), Error> {
    let miner = Miner::bind(config, hotkey.clone()).await?;
    let config = &miner.config;
    let chain = NodeView::new(config.nodes.clone(), config.genesis()?, TrackId::new(config.track), hotkey);
    let (path, options) = (config.model.path.clone(), config.model.load_options());
    let loader = move || acumen_models::load(&path, &options);
    let hangups = miner.reload.clone().on_hangup();
    tracing::info!(address = %miner.address(), "miner listens");
    let result = miner.serve(chain, loader, shutdown).await;
    hangups.abort();
    result
}
