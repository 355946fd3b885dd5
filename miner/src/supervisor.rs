//! Looks after the model: loads it, loads a new checkpoint beside the old one, replaces one whose replica has ended.
//!
//! A new engine takes over for new requests at one moment; sessions of the old one finish on it, and it ends with the
//! last of them. Both are in memory meanwhile. A checkpoint that cannot be loaded changes nothing.
//!
//! A model hangs when one step has taken `hang_timeout_ms`. Its replica finds that, tells the callers and loads the model
//! again, and the miner is not ready meanwhile; the thread that hangs is left behind: no thread can be ended from outside.
//! Here they are counted. After [`MAX_HANGS`] the miner ends, so that whoever supervises the process starts it clean.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use acumen_models::{LanguageModel, LoadOptions, ModelError, Replica, ReplicaLimits, Tokenizer};
use acumen_protocol::Hash;
use tokio::sync::oneshot;

use crate::Error;
use crate::config::{Config, Limits};
use crate::engine::{BYTES, Engine};
use crate::reload::{self, Reload};
use crate::service::Shared;
use crate::upstream::Upstream;
use crate::upstream::config::UpstreamConfig;

/// How often the model is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Models left behind before the miner gives up: each keeps its memory.
const MAX_HANGS: u64 = 3;

/// The pause before a model that could not be loaded again is tried once more.
const RETRY_EVERY: Duration = Duration::from_secs(5);

type Loaded = Result<Box<dyn LanguageModel>, ModelError>;
type Loader = Arc<Mutex<dyn FnMut() -> Loaded + Send>>;

/// See the module.
pub(crate) struct Supervisor {
    shared: Arc<Shared>,
    loader: Loader,
    limits: ReplicaLimits,
    loads: AtomicU64,
    reload: Reload,
    upstream: Option<UpstreamConfig>,
    path: PathBuf,
    /// How often to look whether the files at `path` have changed.
    watch: Option<Duration>,
}

/// What has become of the model.
enum Lost {
    /// So many more threads hang.
    Hung(u64),
    /// Its replica has ended.
    Dead,
}

impl Supervisor {
    pub(crate) fn new(
        shared: Arc<Shared>,
        config: &Config,
        reload: Reload,
        loader: impl FnMut() -> Loaded + Send + 'static,
    ) -> Self {
        let positive = |milliseconds: u64| (milliseconds > 0).then(|| Duration::from_millis(milliseconds));
        Self {
            shared,
            loader: Arc::new(Mutex::new(loader)),
            limits: replica_limits(&config.limits, config.model.hang_timeout_ms),
            loads: AtomicU64::new(0),
            reload,
            upstream: config.model.upstream.clone(),
            path: config.model.path.clone(),
            watch: positive(config.model.watch_ms),
        }
    }

    /// Loads the model for the first time and returns its digest.
    pub(crate) async fn start(&self) -> Result<Hash, ModelError> {
        let engine = self.load().await?;
        let digest = Hash(engine.info().digest);
        tracing::info!(model = engine.info().name, %digest, hotkey = %self.shared.account, "model loaded");
        self.shared.engine.fill(engine);
        Ok(digest)
    }

    /// Looks after the model for as long as it is polled; `publish` is told each new digest. Returns only what ends the
    /// miner.
    pub(crate) async fn run(self, publish: impl Fn(Hash)) -> Result<(), Error> {
        let files = async {
            match self.watch {
                Some(every) => reload::watch(&self.path, every, &self.reload).await,
                None => std::future::pending().await,
            }
        };
        let care = async {
            let mut hangs = 0;
            // The model that was looked at last, and how often that one has hung.
            let mut seen = (0, 0);
            loop {
                tokio::select! {
                    () = self.reload.ordered() => self.replace(&publish).await,
                    lost = self.until_lost(&mut seen) => match lost {
                        Lost::Hung(more) => {
                            hangs += more;
                            self.count_hang(hangs)?;
                        }
                        Lost::Dead => self.revive(&publish).await,
                    }
                }
            }
        };
        tokio::select! {
            () = files => Ok(()),
            result = care => result,
        }
    }

    /// On a thread of its own: a loader that hangs must not hold a thread of the runtime at the end.
    async fn load(&self) -> Result<Arc<Engine>, ModelError> {
        if let Some(config) = &self.upstream {
            let connected = Upstream::connect(config).await;
            let upstream = connected.map_err(|error| ModelError::Engine(error.to_string()))?;
            return Ok(Arc::new(Engine::upstream(upstream, self.count())));
        }
        let (loader, limits, path) = (Arc::clone(&self.loader), self.limits, self.path.clone());
        let (reply, loaded) = oneshot::channel();
        let load = move || (loader.lock().unwrap_or_else(PoisonError::into_inner))();
        let spawned = std::thread::Builder::new().name("acumen-model-load".to_owned()).spawn(move || {
            let loaded = Replica::spawn(load, limits).map(|replica| {
                let tokenizer = tokenizer(&replica, &path);
                (replica, tokenizer)
            });
            // Who waited may have gone; the replica then ends here.
            let _ = reply.send(loaded);
        });
        spawned.map_err(|error| ModelError::Engine(format!("cannot start a thread: {error}")))?;
        let loaded = loaded.await.map_err(|_| ModelError::Panicked("the thread ended".to_owned()))?;
        let (replica, tokenizer) = loaded?;
        Ok(Arc::new(Engine::new(replica, tokenizer, self.count())))
    }

    /// The number of the model that has just been loaded.
    fn count(&self) -> u64 {
        self.loads.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Puts a new checkpoint in place of the old one.
    async fn replace(&self, publish: &impl Fn(Hash)) {
        match self.load().await {
            Ok(engine) => self.install(engine, publish),
            Err(error) => {
                self.shared.metrics.loaded("error");
                tracing::error!(%error, "the new checkpoint cannot be loaded; the old one goes on");
            }
        }
    }

    fn install(&self, engine: Arc<Engine>, publish: &impl Fn(Hash)) {
        let digest = Hash(engine.info().digest);
        tracing::info!(model = engine.info().name, generation = engine.generation(), %digest, "model in place");
        self.shared.metrics.loaded("ok");
        // The old one ends with the last session that holds it.
        drop(self.shared.engine.fill(engine));
        publish(digest);
    }

    /// Waits until the model has hung once more, or its replica has ended.
    async fn until_lost(&self, seen: &mut (u64, u64)) -> Lost {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        loop {
            looks.tick().await;
            let Some(engine) = self.shared.engine.get() else { continue };
            let (generation, before) = *seen;
            let before = if generation == engine.generation() { before } else { 0 };
            let hangs = engine.hangs();
            *seen = (engine.generation(), hangs);
            // Hangs first: too many of them end the replica, too.
            if hangs > before {
                return Lost::Hung(hangs - before);
            }
            if engine.is_dead() {
                return Lost::Dead;
            }
        }
    }

    fn count_hang(&self, hangs: u64) -> Result<(), Error> {
        tracing::error!(hangs, most = MAX_HANGS, "the model hung; its thread is left behind");
        self.shared.metrics.loaded("lost");
        if hangs >= MAX_HANGS {
            return Err(Error::Hangs { times: u32::try_from(hangs).unwrap_or(u32::MAX) });
        }
        Ok(())
    }

    /// Puts a fresh engine in place of one that has ended; tries again and again.
    async fn revive(&self, publish: &impl Fn(Hash)) {
        tracing::error!("the model's thread has ended; loading a fresh one");
        self.shared.metrics.loaded("lost");
        loop {
            match self.load().await {
                Ok(engine) => return self.install(engine, publish),
                Err(error) => tracing::error!(%error, "the model cannot be loaded; trying again"),
            }
            tokio::time::sleep(RETRY_EVERY).await;
        }
    }
}

/// How the model's text becomes tokens. A model without is served by ids.
fn tokenizer(replica: &Replica, path: &Path) -> Option<Tokenizer> {
    if replica.info().tokenizer == BYTES {
        return Some(Tokenizer::of_bytes());
    }
    let read = Tokenizer::of_model(path, LoadOptions::default().max_file_bytes);
    read.unwrap_or_else(|error| {
        tracing::warn!(%error, "the model's tokenizer cannot be used; texts are refused, token ids are not");
        None
    })
}

/// The waiting queue is in front of the replica; its own is for the steps of running streams and what was let in.
fn replica_limits(limits: &Limits, hang_timeout_ms: u64) -> ReplicaLimits {
    ReplicaLimits {
        waiting_tokens: limits.queue_tokens,
        waiting_requests: limits.queue_requests.max(limits.max_streams.saturating_mul(2)),
        session_tokens: limits.session_tokens,
        retry_after_ms: limits.retry_after_ms,
        hang_after_ms: hang_timeout_ms,
        max_hangs: MAX_HANGS,
    }
}
